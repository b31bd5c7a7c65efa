"""Which namespaces an actor may see: found from the policy in memory, without a look at the namespaces."""

from __future__ import annotations

from dataclasses import dataclass

from authz.grants import Grants
from authz.rules import MASTERS, Attributes, PolicyRule
from registry_meta.kube.request import Actor


@dataclass(frozen=True, slots=True)
class Visible:
    """The namespaces that an actor may get: all of them, or those named, which need not exist."""

    everything: bool
    names: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        return self.everything or name in self.names


ALL = Visible(everything=True)


def reading(namespace: str) -> Attributes:
    """Return the question whether a namespace may be read."""
    return Attributes("get", namespace, "", "v1", "namespaces", namespace)


def visible(grants: Grants, actor: Actor) -> Visible:
    """Return the namespaces that an actor may get.

    Only those are looked at that a binding of his is about: the ones with a role binding, and those that a role for
    the whole cluster names.
    """
    if MASTERS in actor.groups:
        return ALL
    names = grants.bound_in(actor)
    for rule in grants.rules(actor, ""):
        if _reads_namespaces(rule):
            if not rule.resource_names:
                return ALL
            names |= set(rule.resource_names)
    return Visible(False, frozenset(name for name in names if grants.decide(actor, reading(name)).allowed))


def _reads_namespaces(rule: PolicyRule) -> bool:
    return _has(rule.verbs, "get") and _has(rule.api_groups, "") and _has(rule.resources, "namespaces")


def _has(words: list[str] | None, word: str) -> bool:
    return words is not None and ("*" in words or word in words)
