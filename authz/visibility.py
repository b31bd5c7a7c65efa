"""Which namespaces an actor may see: found from the policy in memory, without a look at the namespaces."""

from __future__ import annotations

from dataclasses import dataclass

from authz import scopes
from authz.grants import Grants
from authz.rules import Attributes, PolicyRule
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
    """Return the question whether a namespace may be read, or with an empty name whether all may."""
    return Attributes("get", namespace, "", "v1", "namespaces", namespace)


def visible(grants: Grants, actor: Actor) -> Visible:
    """Return the namespaces that an actor may get.

    Only those are looked at that something of his is about: a role binding in them, a role for the whole cluster that
    names them, or a scope of his token.
    """
    if grants.decide(actor, reading("")).allowed:
        return ALL
    names = grants.bound_in(actor) | _scoped(actor)
    for rule in grants.rules(actor, ""):
        if _reads_namespaces(rule):
            names |= set(rule.resource_names or ())
    return Visible(False, frozenset(grants.allowed_in(actor, names, reading)))


def _scoped(actor: Actor) -> set[str]:
    """Return the namespaces that the scopes of an actor's token name, whatever they let pass there."""
    named = (scopes.role_scope(scope) for scope in actor.extra.get(scopes.EXTRA, ()))
    return {scope.namespace for scope in named if scope is not None and scope.namespace != scopes.EVERYWHERE}


def _reads_namespaces(rule: PolicyRule) -> bool:
    return _has(rule.verbs, "get") and _has(rule.api_groups, "") and _has(rule.resources, "namespaces")


def _has(words: list[str] | None, word: str) -> bool:
    return words is not None and ("*" in words or word in words)
