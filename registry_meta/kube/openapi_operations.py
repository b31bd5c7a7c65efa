"""What can be done at which path, derived from the declarations of the kinds, for both versions of OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry_meta.kube import openapi_schemas as schemas
from registry_meta.kube.openapi_schemas import definition_name
from registry_meta.kube.resource import Resource, Subresource


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path or the query."""

    name: str
    description: str
    type: str = "string"
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: what goes in and what comes out, by definition names, empty where nothing is known."""

    path: str
    method: str
    action: str
    id: str
    description: str
    group: str
    version: str
    kind: str
    body: str
    answer: str
    codes: tuple[int, ...]
    parameters: tuple[Parameter, ...]
    instead: str = ""
    """What may be answered instead: the object itself, when its deletion has only begun."""

    @property
    def place(self) -> tuple[Parameter, ...]:
        """The parameters in the path."""
        return tuple(parameter for parameter in IN_PATH if f"{{{parameter.name}}}" in self.path)


IN_PATH = (
    Parameter("name", "The name of the object.", place="path"),
    Parameter("namespace", "The namespace of the object.", place="path"),
)
PRETTY = Parameter("pretty", "If 'true', the answer is indented for people.")
DRY_RUN = Parameter("dryRun", "The value 'All' runs every check and stores nothing.")
MANAGER = Parameter("fieldManager", "The name under which the change is recorded, at most 128 characters.")
VALIDATION = Parameter(
    "fieldValidation",
    "What happens to unknown and duplicate fields: Ignore drops them, Warn (the default) names them in warnings, "
    "Strict refuses the request.",
)
FORCE = Parameter("force", "Whether an apply takes fields over from other managers.", "boolean")
LIST = (
    Parameter("allowWatchBookmarks", "Whether a watch may send bookmarks.", "boolean"),
    Parameter("continue", "Where the page begins: the value that came with the page before."),
    Parameter("fieldSelector", "Which objects, by their fields."),
    Parameter("labelSelector", "Which objects, by their labels."),
    Parameter("limit", "How many objects come at most in one page.", "integer"),
    Parameter("resourceVersion", "The version that the answer is to be true of or to start from."),
    Parameter("resourceVersionMatch", "How resourceVersion is meant: Exact or NotOlderThan."),
    Parameter("sendInitialEvents", "Whether a watch begins with the objects that there are.", "boolean"),
    Parameter("timeoutSeconds", "How long the call may last, in seconds.", "integer"),
)
WATCH = Parameter("watch", "Whether to be told of changes instead of being sent a list.", "boolean")
DELETE = (
    DRY_RUN,
    Parameter("gracePeriodSeconds", "How long the object may go on, in seconds.", "integer"),
    Parameter("orphanDependents", "No longer used; see propagationPolicy.", "boolean"),
    Parameter("propagationPolicy", "What happens to dependents: Orphan, Background or Foreground."),
)
WRITE = (DRY_RUN, MANAGER, VALIDATION)


@dataclass(frozen=True, slots=True)
class Verb:
    """How a verb looks in the documents; `item` says whether its path names an object."""

    method: str
    action: str
    word: str
    item: bool
    description: str
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    codes: tuple[int, ...] = (200,)


OWN = "(the kind itself)"
VERBS = {
    "list": Verb("get", "list", "list", False, "list or watch {many}", (*LIST, WATCH)),
    "create": Verb("post", "post", "create", False, "create {one}", WRITE, OWN, (200, 201, 202)),
    "deletecollection": Verb(
        "delete", "deletecollection", "deletecollection", False, "delete a collection of {many}",
        (*LIST, *DELETE), schemas.DELETE_OPTIONS,
    ),
    "get": Verb("get", "get", "read", True, "read {this}"),
    "update": Verb("put", "put", "replace", True, "replace {this}", WRITE, OWN, (200, 201)),
    "patch": Verb(
        "patch", "patch", "patch", True, "partially update {this}",
        (*WRITE, FORCE), schemas.PATCH, (200, 201),
    ),
    "delete": Verb("delete", "delete", "delete", True, "delete {one}", DELETE, schemas.DELETE_OPTIONS, (200, 202)),
}  # fmt: skip


def operations(resource: Resource) -> Iterator[Operation]:
    """Yield every operation on a kind and its subresources, those of one path together."""
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    collection = (
        f"{base}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{base}/{resource.plural}"
    )
    item = f"{collection}/{{name}}"
    for name, verb in VERBS.items():
        if name in resource.verbs:
            yield _operation(resource, verb, item if verb.item else collection)
    if resource.namespaced and "list" in resource.verbs:
        yield _operation(resource, VERBS["list"], f"{base}/{resource.plural}", suffix="ForAllNamespaces")
    for sub in resource.subresources:
        for name, verb in VERBS.items():
            if name in sub.verbs:
                yield _operation(resource, verb, f"{item}/{sub.name}", sub=sub)


def _operation(
    resource: Resource, verb: Verb, path: str, *, sub: Subresource | None = None, suffix: str = ""
) -> Operation:
    group, version, kind = resource.answered(sub)
    own = definition_name(group, version, kind) if sub is None or schemas.is_kind(sub.type) else ""
    lists = f"{own}List" if own else ""
    answer = {"list": lists, "delete": schemas.STATUS, "deletecollection": lists}.get(verb.action, own)
    if sub is not None and sub.is_list and verb.action == "get":
        answer = lists
    if sub is None:
        answer = _other_answer(resource, verb) or answer
    below = f"{sub.name} of the specified {resource.kind}" if sub else ""
    scope = "Namespaced" if resource.namespaced and not suffix else ""
    return Operation(
        path=path,
        method=verb.method,
        action=verb.action,
        id=f"{verb.word}{_camel(resource.group or 'core')}{_camel(resource.version)}{scope}{resource.kind}"
        f"{_camel(sub.name) if sub else ''}{suffix}",
        description=verb.description.format(
            one=below or f"a {kind}", this=below or f"the specified {kind}", many=f"objects of kind {kind}"
        ),
        group=group,
        version=version,
        kind=kind,
        body=own if verb.body == OWN else verb.body,
        answer=answer,
        codes=verb.codes,
        parameters=(*verb.parameters, *_options(verb, sub), PRETTY),
        instead=own if verb.action == "delete" else "",
    )


def _other_answer(resource: Resource, verb: Verb) -> str:
    """Return what a verb is answered with if the storage says that it is neither the kind nor a list of it."""
    if verb.action == "list" and getattr(resource.storage, "lists_status", False):
        return schemas.STATUS
    created = getattr(resource.storage, "creates", "") if verb.action == "post" else ""
    return definition_name(resource.group, resource.version, created) if created else ""


def _options(verb: Verb, sub: Subresource | None) -> list[Parameter]:
    """Return what the query of a subresource may say when it is read."""
    if sub is None or verb.action != "get":
        return []
    return [Parameter(option.name, option.description, option.type) for option in sub.options]


def _camel(text: str) -> str:
    """Return `image.openshift.io` as `ImageOpenshiftIo`."""
    return "".join(part[:1].upper() + part[1:] for part in text.replace("-", ".").split("."))
