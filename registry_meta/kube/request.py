"""A request, parsed once: who asks, which verb on which resource, and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote

from django.http import QueryDict

from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupKind, GroupResource
from registry_meta.kube.resource import Resource, Subresource

NAMESPACE_SUBRESOURCES = {"status", "finalize"}
PATH_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "GET": "get", "HEAD": "get"}
MAX_FIELD_MANAGER = 128
SERVER = "registry-meta"
"""The field manager of what the server writes by itself."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A user as the API knows one: name, groups, uid and extra attributes; `via` is who impersonates it."""

    username: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    via: Actor | None = None

    is_authenticated = True  # what DRF asks of a user


SYSTEM = Actor("system:registry-meta", ("system:masters",))
"""The server itself, when it writes on nobody's behalf."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a path and method mean (Kubernetes `RequestInfo`).

    `verb` is the RBAC verb; for paths that are no resource `is_resource` is false and only `path` and `verb` count.
    `trailing` says that there is more behind the subresource, `deprecated` that a watch was asked for in the path.
    """

    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    trailing: bool = False
    deprecated: bool = False

    @property
    def full_resource(self) -> str:
        """The resource as RBAC names it: `imagestreams` or `imagestreams/status`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def group_resource(self) -> GroupResource:
        """The plural name in its group, as error messages print it."""
        return GroupResource(self.group, self.resource)


def is_true(value: str | None) -> bool:
    """Return what a boolean query parameter says: absent, `0` and `false` are false, the rest is true."""
    return value is not None and value.lower() not in ("0", "false")


def first_counts(query: QueryDict) -> QueryDict:
    """Return a query in which the first of several values is read, as in Kubernetes; Django reads the last."""
    repeated = {key: values for key, values in query.lists() if len(values) > 1}
    if not repeated:
        return query
    turned = query.copy()
    for key, values in repeated.items():
        turned.setlist(key, values[::-1])
    return turned


def parse_info(method: str, path: str, query: QueryDict) -> RequestInfo:
    """Return what a request asks for, from its method, its decoded path and its query."""
    parts = tuple(part for part in path.split("/") if part)
    plain = RequestInfo(path=path, verb=method.lower())
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return plain
    watching = rest[0] == "watch" and len(rest) > 1
    if watching:
        rest = rest[1:]
    namespace, resource, name, more = _place(rest)
    verb = _verb(method, name=name, query=query, watching=watching)
    if not name and verb in ("list", "watch"):
        name = _selected_name(query)
    return RequestInfo(
        path, verb, True, group, version, namespace, resource, "".join(more[:1]), name,
        trailing=len(more) > 1, deprecated=watching,
    )  # fmt: skip


def _place(rest: tuple[str, ...]) -> tuple[str, str, str, tuple[str, ...]]:
    """Return namespace, resource, name and what follows, from the parts behind group and version."""
    if rest[0] != "namespaces":
        return "", rest[0], rest[1] if len(rest) > 1 else "", rest[2:]
    if len(rest) == 1:
        return "", "namespaces", "", ()
    namespace = rest[1]
    if len(rest) == 2 or rest[2] in NAMESPACE_SUBRESOURCES:
        return namespace, "namespaces", namespace, rest[2:]
    return namespace, rest[2], rest[3] if len(rest) > 3 else "", rest[4:]


def _verb(method: str, *, name: str, query: QueryDict, watching: bool) -> str:
    if method in ("GET", "HEAD"):
        if watching or (not name and is_true(query.get("watch"))):
            return "watch"
        return "get" if name else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return PATH_VERBS.get(method, "")


def _selected_name(query: QueryDict) -> str:
    """Return the name that a field selector demands; it counts for authorization."""
    for term in query.get("fieldSelector", "").split(","):
        key, _, value = term.partition("=")
        if key == "metadata.name":
            return value.removeprefix("=")
    return ""


def decoded(path: str) -> str:
    """Return a path with its percent escapes resolved."""
    return unquote(path)


@dataclass(slots=True)
class Context:
    """Everything a storage needs to know of the request it serves; workers make their own.

    `word` is the resource that errors name: that of the HTTP request, whichever object is missing; `word_name` is the
    name there of what is written, where that is not the name of the object. `warnings` are
    sent back as Warning headers. `made` is the name of the object that a create has made. `operation` is
    `Apply` when the object to write comes with its managers. `known` is what was looked up for it, which is not looked
    up again. `marks` are the counters as the request has read them, none for workers.
    """

    actor: Actor
    resource: Resource
    now: datetime
    namespace: str = ""
    subresource: Subresource | None = None
    dry_run: bool = False
    field_manager: str = SERVER
    operation: str = "Update"
    reason: str = ""
    query: QueryDict = field(default_factory=QueryDict)
    warnings: list[str] = field(default_factory=list)
    word: GroupResource | None = None
    word_name: str = ""
    made: str = ""
    known: dict[str, object] = field(default_factory=dict, repr=False)
    marks: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def asked(self) -> GroupResource:
        """The resource that errors name."""
        return self.word or self.resource.group_resource


def write_options(kind: str, query: QueryDict) -> tuple[bool, str, str]:
    """Return (dry run, field manager, field validation) of a write.

    `kind` is CreateOptions, UpdateOptions, PatchOptions or DeleteOptions. Raises 422 for values outside the sets.
    """
    problems: list[FieldError] = []
    dry_run = query.getlist("dryRun")
    if any(value != "All" for value in dry_run):
        problems.append(errors.not_supported("dryRun", dry_run, ["All"]))
    manager = query.get("fieldManager", "")
    if len(manager.encode(errors="replace")) > MAX_FIELD_MANAGER:
        problems.append(errors.too_long("fieldManager", MAX_FIELD_MANAGER))
    elif not manager.isprintable():
        problems.append(errors.invalid_value("fieldManager", manager, "should only contain printable characters"))
    validation = query.get("fieldValidation", "")
    if validation not in ("", "Ignore", "Strict", "Warn"):
        supported = ["", "Ignore", "Strict", "Warn"]
        problems.append(errors.not_supported("fieldValidation", validation, supported))
    if problems:
        raise errors.invalid(GroupKind("meta.k8s.io", kind), "", problems)
    return bool(dry_run), manager, validation


def program(user_agent: str) -> str:
    """Return the field manager of a client that names none: its program, from `kubectl/v1.30 (linux/amd64)`."""
    name = "".join(character for character in user_agent.partition("/")[0] if character.isprintable())
    return name[:MAX_FIELD_MANAGER] or "unknown"
