"""Who may do what on a new server, worked out from the tables of its default roles by an evaluator of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from registry_meta.kube.catalog import catalog

DATA = Path(__file__).with_name("permissions")
RECORDED = json.loads((DATA / "recorded.json").read_text())
OWN = json.loads((DATA / "own.json").read_text())
KINDS = json.loads((DATA / "kinds.json").read_text())

Rule = Mapping[str, Any]
Kind = tuple[str, str]
"""A group, and a plural with its subresource: ("image.openshift.io", "imagestreams/status")."""

TEAM = "team"
"""The namespace that is asked about."""

NAMED_AS_THEIR_NAMESPACE = {("", "namespaces"), ("project.openshift.io", "projects")}
NO_NAME = {"create", "list", "watch", "deletecollection"}


@dataclass(frozen=True)
class Question:
    """What is asked for: a verb on an object or a collection, or with `path` on a path that is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    namespace: str = ""
    version: str = ""
    path: str = ""

    def __str__(self) -> str:
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.path or f'{self.resource}.{self.group} {self.name}'.strip()}{place}"


@cache
def rules_of(role: str) -> list[Rule]:
    """Return the rules that a default cluster role has to have, with those of its parts of this server's own."""
    parts: list[Rule] = [rule for part in OWN["parts"].get(role, ()) for rule in OWN["clusterRoles"][part]]
    return [*RECORDED["clusterRoles"].get(role, ()), *OWN["clusterRoles"].get(role, ()), *parts]


def allows(role: str, asked: Question) -> bool:
    """Return whether a default cluster role allows something where it counts."""
    return any(covers(rule, asked) for rule in rules_of(role))


def cluster_roles() -> list[str]:
    """Return the default cluster roles by name."""
    return sorted({*RECORDED["clusterRoles"], *OWN["clusterRoles"]})


def bindings() -> list[Mapping[str, Any]]:
    """Return the default bindings for the whole server."""
    return [*RECORDED["clusterRoleBindings"], *OWN["clusterRoleBindings"]]


def covers(rule: Rule, asked: Question) -> bool:
    """Return whether a rule allows what is asked for, by the sentences of Kubernetes' manual one after the other."""
    if "*" not in rule["verbs"] and asked.verb not in rule["verbs"]:
        return False
    if asked.path:
        paths: list[str] = rule.get("nonResourceURLs") or []
        return any(asked.path.startswith(p[:-1]) if p.endswith("*") else asked.path == p for p in paths)
    if not {"*", asked.group} & set(rule.get("apiGroups") or ()):
        return False
    accepted = {"*", asked.resource}
    if "/" in asked.resource:
        accepted.add("*/" + asked.resource.split("/", 1)[1])
    if not accepted & set(rule.get("resources") or ()):
        return False
    names = rule.get("resourceNames") or []
    return not names or asked.name in names


@dataclass(frozen=True)
class Row:
    """Somebody who asks: whom the request is made for, and the roles held everywhere and in single namespaces."""

    label: str
    user: str
    groups: tuple[str, ...] = ()
    everywhere: tuple[str, ...] = ()
    within: tuple[tuple[str, str], ...] = ()

    def may(self, asked: Question) -> bool:
        """Return whether the request has to be let through."""
        if any(allows(role, asked) for role in self.everywhere):
            return True
        here = [role for namespace, role in self.within if namespace == asked.namespace != ""]
        found = (rule for role in here for rule in (OWN["roles"].get(role) or rules_of(role)))
        return not asked.path and any(covers(rule, asked) for rule in found)


def account(namespace: str, name: str) -> str:
    """Return the user name of a service account."""
    return f"system:serviceaccount:{namespace}:{name}"


def row(label: str, user: str, *groups: str, everywhere: Iterable[str] = (), within: Iterable[str] = ()) -> Row:
    """Return somebody with what the default bindings give besides the roles that are told."""
    known = groups or groups_of(user)
    subjects = {("User", user), *(("Group", group) for group in known)}
    bound = [b["role"] for b in bindings() if any(_is(subject, subjects) for subject in b["subjects"])]
    places = [(place, b["role"]) for place in (TEAM, "openshift") for b in _local(place) if _bound(b, place, subjects)]
    given = [(TEAM, role) for role in within]
    return Row(label, user, groups, (*everywhere, *bound), (*given, *places))


def groups_of(user: str) -> tuple[str, ...]:
    """Return the groups that come with a name."""
    if user == "system:anonymous":
        return ("system:unauthenticated",)
    if user.startswith("system:serviceaccount:"):
        everyone = "system:serviceaccounts"
        return (everyone, f"{everyone}:{user.split(':')[2]}", "system:authenticated")
    return ("system:authenticated",)


def _is(subject: Mapping[str, str], subjects: set[tuple[str, str]]) -> bool:
    if subject["kind"] == "ServiceAccount":
        return ("User", account(subject["namespace"], subject["name"])) in subjects
    return (subject["kind"], subject["name"]) in subjects


def _local(namespace: str) -> list[Mapping[str, Any]]:
    every: list[Mapping[str, Any]] = OWN["roleBindings"]["*"]
    return [*every, *OWN["roleBindings"].get(namespace, ())]


def _bound(binding: Mapping[str, Any], namespace: str, subjects: set[tuple[str, str]]) -> bool:
    filled = {key: text.replace("NAMESPACE", namespace) for key, text in binding["subject"].items()}
    return _is(filled, subjects)


def served() -> Iterator[tuple[Kind, str, bool, tuple[str, ...]]]:
    """Yield each kind and subresource of the catalog: its version, whether it lies in namespaces, and its verbs."""
    for resource in (*catalog, *catalog.attached()):
        if resource.verbs:
            yield (resource.group, resource.plural), resource.version, resource.namespaced, resource.verbs
        for sub in resource.subresources:
            kind = (resource.group, f"{resource.plural}/{sub.name}")
            yield kind, resource.version, resource.namespaced, sub.verbs


def requests_of(namespace: str) -> Iterator[Question]:
    """Yield what is asked over HTTP: every verb of everything served, some that are not, and paths of no resource."""
    for kind, version, namespaced, verbs in served():
        more = [asked["verb"] for asked in KINDS["unserved"] if (asked["group"], asked["resource"]) == kind]
        for verb in (*verbs, *more):
            yield _question(kind, version, verb, namespace if namespaced else "", namespace)
            if namespaced and verb in ("list", "watch"):
                yield _question(kind, version, verb, "", namespace)
    for path in KINDS["paths"]:
        yield Question("get", path=path)
    yield Question("post", path="/version")


def _question(kind: Kind, version: str, verb: str, namespace: str, asked_about: str) -> Question:
    group, resource = kind
    nameless = verb in NO_NAME and "/" not in resource
    if (group, resource.split("/")[0]) in NAMED_AS_THEIR_NAMESPACE and not nameless:
        return Question(verb, group, resource, asked_about, asked_about, version)
    return Question(verb, group, resource, "" if nameless else "no-such-object", namespace, version)
