"""The kind Project: a namespace as those see it who may see it, and what they may change of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from django.http import QueryDict

from authz import policy, projects
from authz.api.namespaces import NAMESPACES, Namespace, NamespaceCondition, NamespaceSpec, NamespaceStatus
from authz.projectwatch import ProjectWatch
from authz.visibility import visible
from registry_meta.kube import errors, pagination, store, validation
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, KubeStruct, ObjectMeta
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.pagination import ListOptions, Page
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.store import Edit, Stored
from registry_meta.kube.validation import IMMUTABLE
from registry_meta.kube.watch import Frame, WatchOptions, watch_options

GROUP = "project.openshift.io"
VERSION = "v1"

DISPLAY_NAME = "openshift.io/display-name"
DESCRIPTION = "openshift.io/description"
CHANGEABLE = (DISPLAY_NAME, DESCRIPTION)
"""The annotations that are changed through a project; all else is changed through its namespace."""

FINALIZER = "openshift.io/origin"
SHORTEST_NAME = 2
ELSEWHERE = f"{IMMUTABLE}, try updating the namespace"


class ProjectSpec(KubeStruct):
    """Who must finish their work before a deleted project goes."""

    finalizers: list[str] | None = None


class ProjectStatus(KubeStruct):
    """Active, or Terminating."""

    phase: str = ""
    conditions: list[NamespaceCondition] | None = None


class Project(KubeObject):
    """A namespace, seen by those who may use it."""

    spec: ProjectSpec = msgspec.field(default_factory=ProjectSpec)
    status: ProjectStatus = msgspec.field(default_factory=ProjectStatus)


class ProjectStorage:
    """Projects are read from the namespaces that one sees, and written through them."""

    def get(self, name: str, *, context: Context) -> Stored:
        """Return a project; raises 404 in the words of namespaces, as recorded."""
        return store.read(NAMESPACES, name, context=_of_namespaces(context))

    def list(self, options: ListOptions, *, context: Context) -> Page:
        """Return a page of the projects that the actor sees."""
        selected = pagination.selection(context.resource, context.query)
        return projects.page(visible(policy.current(), context.actor), selected, options)

    def watch(self, frame: Frame | None, *, context: Context) -> Iterator[bytes]:
        """Return the frames of a watch of the projects that the actor sees, now and then."""
        selected = pagination.selection(context.resource, context.query)
        options = _watch_options(context.query)
        return ProjectWatch(context.resource, selected, options, frame, actor=context.actor).frames()

    def create(self, obj: Project, *, context: Context) -> Stored:
        """Make a project, and the namespace that it is."""
        problems = project_problems(obj.metadata)
        if problems:
            raise errors.invalid(context.resource.group_kind, obj.metadata.name, problems)
        finalizers = obj.spec.finalizers or []
        obj.spec.finalizers = finalizers if FINALIZER in finalizers else [*finalizers, FINALIZER]
        return make_namespace(obj, context=_of_namespaces(context))

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[Stored, bool]:
        """Change the words of a project; raises 422 for a change of anything else."""

        def change(namespace: Namespace) -> Namespace:
            old = project_of(namespace)
            new: Project = edit(copy.deepcopy(old))
            problems = _update_problems(new, old)
            if problems:
                raise errors.invalid(context.resource.group_kind, name, problems)
            given = new.metadata.annotations or {}
            kept = {key: value for key, value in (old.metadata.annotations or {}).items() if key not in CHANGEABLE}
            words = {key: given[key] for key in CHANGEABLE if key in given}
            namespace.metadata.annotations = {**kept, **words} or None
            namespace.metadata.resource_version = new.metadata.resource_version
            namespace.metadata.uid = new.metadata.uid
            return namespace

        place = _of_namespaces(context)
        return store.update(NAMESPACES, name, change, context=place, strategy=NAMESPACES.storage.strategy), False

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> dict[str, Any]:
        """Begin to delete the namespace."""
        NAMESPACES.storage.delete(name, options, context=_of_namespaces(context))
        return errors.success()


def _of_namespaces(context: Context) -> Context:
    """Return the context in which the namespace is read or written; errors name it, as recorded."""
    return replace(context, resource=NAMESPACES, namespace="", word=NAMESPACES.group_resource)


def _watch_options(query: QueryDict) -> WatchOptions:
    """Return how a watch was asked for; without a version it begins with what comes next, as recorded."""
    options = watch_options(query)
    begins_now = not query.get("resourceVersion") and "sendInitialEvents" not in query
    return replace(options, initial=False) if begins_now else options


def project_of(namespace: Namespace) -> Project:
    """Return a namespace as a project."""
    spec, status = namespace.spec, namespace.status
    return Project(
        metadata=namespace.metadata,
        spec=ProjectSpec(finalizers=spec.finalizers),
        status=ProjectStatus(phase=status.phase, conditions=status.conditions),
    )


def make_namespace(obj: Project, *, context: Context) -> Stored:
    """Make the namespace that a project is, with what every namespace has."""
    namespace = Namespace(
        metadata=obj.metadata, spec=NamespaceSpec(finalizers=obj.spec.finalizers), status=NamespaceStatus()
    )
    stored: Stored = NAMESPACES.storage.create(namespace, context=context)
    return stored


def project_problems(meta: ObjectMeta) -> list[FieldError]:
    """Return what is wrong with the metadata of a project."""
    return validation.object_meta(meta, namespaced=False, name_rule=project_name) + _word_problems(meta)


def _word_problems(meta: ObjectMeta) -> list[FieldError]:
    words = (meta.annotations or {}).get(DISPLAY_NAME, "")
    if "\n" not in words and "\t" not in words:
        return []
    return [errors.invalid_value(f"metadata.annotations[{DISPLAY_NAME}]", words, "may not contain a new line or tab")]


def project_name(name: str) -> list[str]:
    """Return what keeps a text from being the name of a project."""
    found = validation.dns_label(name)
    return found or ([] if len(name) >= SHORTEST_NAME else [f"must be at least {SHORTEST_NAME} characters long"])


def _update_problems(new: Project, old: Project) -> list[FieldError]:
    meta, kept = new.metadata, old.metadata
    problems = _word_problems(meta)
    if meta.resource_version in ("", "0"):
        problems.append(errors.invalid_value("metadata.resourceVersion", 0, "must be specified for an update"))
    for name, value, was in (
        ("finalizers", meta.finalizers, kept.finalizers),
        ("ownerReferences", meta.owner_references, kept.owner_references),
    ):
        if (value or []) != (was or []):
            problems.append(errors.invalid_value(f"metadata.{name}", msgspec.to_builtins(value), ELSEWHERE))
    if (new.spec.finalizers or []) != (old.spec.finalizers or []):
        problems.append(errors.invalid_value("spec.finalizers", old.spec.finalizers, IMMUTABLE))
    if new.status != old.status:
        problems.append(errors.invalid_value("status", old.status, IMMUTABLE))
    problems += _changes("metadata.annotations", meta.annotations or {}, kept.annotations or {}, CHANGEABLE)
    problems += _changes("metadata.labels", meta.labels or {}, kept.labels or {}, ())
    return problems


def _changes(
    field: str, new: Mapping[str, str], old: Mapping[str, str], changeable: tuple[str, ...]
) -> list[FieldError]:
    """Return the error of each entry that was set, changed or removed, and may not be."""
    changed = [key for key in sorted({*new, *old}) if key not in changeable and new.get(key) != old.get(key)]
    return [errors.invalid_value(f"{field}[{key}]", new.get(key, old.get(key)), ELSEWHERE) for key in changed]


def row(project: Project, now: datetime) -> list[object]:
    """Return the table row of a project."""
    meta = project.metadata
    return [meta.name, (meta.annotations or {}).get(DISPLAY_NAME, ""), project.status.phase]


PROJECTS = Resource(
    group=GROUP,
    version=VERSION,
    kind="Project",
    plural="projects",
    singular="project",
    namespaced=False,
    type=Project,
    storage=ProjectStorage(),
    columns=(
        NAME,
        Column("Display Name", description="What people call the project."),
        Column("Status", description="Whether the project is in use or going."),
    ),
    row=row,
    fields=NAMESPACES.fields,
)
