"""What a rule grants and whether it covers a question (Kubernetes RBAC); pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from registry_meta.kube.meta import KubeStruct, always

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

GROUP = "rbac.authorization.k8s.io"
VERSION = "v1"

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = "system:anonymous"

ACCOUNT_PREFIX = "system:serviceaccount:"
ACCOUNTS = "system:serviceaccounts"


class PolicyRule(KubeStruct):
    """Verbs on resources, or on paths that are no resource; `*` stands for all, `*/sub` for one subresource of all."""

    verbs: list[str] | None = always(None)
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    resource_names: list[str] | None = None
    non_resource_urls: list[str] | None = msgspec.field(default=None, name="nonResourceURLs")


class Subject(KubeStruct):
    """To whom a binding gives a role: a User, a Group or a ServiceAccount."""

    is_one_value = True

    kind: str = always("")
    api_group: str = ""
    name: str = always("")
    namespace: str = ""


class RoleRef(KubeStruct):
    """The Role or ClusterRole that a binding gives."""

    is_one_value = True

    api_group: str = always("")
    kind: str = always("")
    name: str = always("")


@dataclass(frozen=True, slots=True)
class Attributes:
    """A question: may somebody do this? `resource` includes the subresource, `imagestreams/layers`.

    A question about a path that is no resource has `path` set and nothing else but the verb.
    """

    verb: str
    namespace: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    name: str = ""
    path: str = ""

    def __str__(self) -> str:
        """The question as refusals print it, without the user."""
        if self.path:
            return f'{self.verb} path "{self.path}"'
        scope = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return f'{self.verb} resource "{self.resource}" in API group "{self.group}" {scope}'


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer; `reason` says which binding allowed it, or which roles are missing; empty when nothing did.

    `denied` says that no role could allow it, since the scopes of the token do not.
    """

    allowed: bool
    reason: str = ""
    denied: bool = False


ALLOWED = Decision(True)
DENIED = Decision(False)


class Permissions:
    """The rules of one role, arranged so that a question takes a few look-ups whatever the number of rules."""

    __slots__ = ("_by_resource", "_paths", "_verbs", "rules")

    def __init__(self, rules: Iterable[PolicyRule]) -> None:
        self.rules = tuple(rules)
        self._by_resource: dict[tuple[str, str], list[tuple[frozenset[str], frozenset[str]]]] = {}
        self._paths: list[tuple[frozenset[str], tuple[str, ...]]] = []
        for rule in self.rules:
            verbs, names = _shared(frozenset(rule.verbs or ())), _shared(frozenset(rule.resource_names or ()))
            if rule.non_resource_urls:
                self._paths.append((verbs, tuple(rule.non_resource_urls)))
            for group in rule.api_groups or ():
                for resource in rule.resources or ():
                    self._by_resource.setdefault((group, resource), []).append((verbs, names))
        self._verbs = _shared(frozenset(verb for rule in self.rules for verb in rule.verbs or ()))

    def allow(self, asked: Attributes, places: Iterable[tuple[str, str]]) -> bool:
        """Return whether a rule covers a question; `places` are those of the question."""
        if asked.path:
            return any(_has(verbs, asked.verb) and covers_path(paths, asked.path) for verbs, paths in self._paths)
        verb, by_resource = asked.verb, self._by_resource
        if verb not in self._verbs and "*" not in self._verbs:
            return False
        for place in places:
            for verbs, names in by_resource.get(place, ()):
                if (verb in verbs or "*" in verbs) and (not names or asked.name in names):
                    return True
        return False


@lru_cache(maxsize=1024)
def _shared(texts: frozenset[str]) -> frozenset[str]:
    """Return one object for equal sets: thousands of rules have a few sets of verbs, and mostly no names."""
    return texts


def _has(verbs: frozenset[str], verb: str) -> bool:
    return "*" in verbs or verb in verbs


def places(asked: Attributes) -> list[tuple[str, str]]:
    """Return the pairs of API group and resource under which a rule covers a question."""
    resources = [asked.resource, "*"]
    _, slash, subresource = asked.resource.partition("/")
    if slash:
        resources.append(f"*/{subresource}")
    return [(group, resource) for group in (asked.group, "*") for resource in resources]


def covers_path(patterns: Iterable[str], path: str) -> bool:
    """Return whether a path is among patterns: exact, `*`, or with a trailing `*` any continuation."""
    return any(
        pattern == path or (pattern.endswith("*") and path.startswith(pattern.rstrip("*"))) for pattern in patterns
    )


def account_username(namespace: str, name: str) -> str:
    """Return the user name of a service account."""
    return f"{ACCOUNT_PREFIX}{namespace}:{name}"


def split_account(username: str) -> tuple[str, str] | None:
    """Return namespace and name of the service account that a user name means, if it means one."""
    namespace, colon, name = username.removeprefix(ACCOUNT_PREFIX).partition(":")
    if not username.startswith(ACCOUNT_PREFIX) or not colon or not namespace or not name or ":" in name:
        return None
    return namespace, name


def account_groups(username: str) -> tuple[str, ...]:
    """Return the groups that a service account is in; none for another user."""
    account = split_account(username)
    return (ACCOUNTS, f"{ACCOUNTS}:{account[0]}") if account else ()


def with_login_group(username: str, groups: Iterable[str]) -> tuple[str, ...]:
    """Return groups with that of all known users, or of the unknown one, unless either is among them."""
    found = tuple(groups)
    if username == ANONYMOUS:
        return found if UNAUTHENTICATED in found else (*found, UNAUTHENTICATED)
    if AUTHENTICATED in found or UNAUTHENTICATED in found:
        return found
    return (*found, AUTHENTICATED)
