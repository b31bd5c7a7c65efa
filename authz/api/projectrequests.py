"""The kind ProjectRequest: a project for whoever asks, who then is its administrator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction

from authz import policy
from authz.api.namespaces import NAMESPACES
from authz.api.projects import (
    DESCRIPTION,
    DISPLAY_NAME,
    FINALIZER,
    GROUP,
    PROJECTS,
    VERSION,
    Project,
    ProjectSpec,
    make_namespace,
    project_problems,
)
from authz.api.rolebindings import ROLE_BINDINGS, RoleBinding
from authz.rules import GROUP as RBAC
from authz.rules import Attributes, RoleRef, Subject
from registry_meta.kube import errors, store
from registry_meta.kube.meta import GroupResource, KubeObject, ObjectMeta
from registry_meta.kube.pagination import ListOptions
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource

REQUESTER = "openshift.io/requester"
ROLE = "admin"
"""The cluster role that the requester holds in his project, and the name of the binding."""

SINGULAR = GroupResource(GROUP, "project")
REASON = "the project was requested"
REFUSED = "You may not request a new project via this API."

RESERVED = ("openshift", "kubernetes", "kube")
"""Names of the cluster itself, and with a hyphen how its others begin."""


class ProjectRequest(KubeObject):
    """Asks for a project by name, and says what people are to call it and what it is for."""

    display_name: str = ""
    description: str = ""


class ProjectRequestStorage:
    """Makes projects for those who may request them."""

    lists_status = True  # a list is a question, and its answer the Status
    creates = PROJECTS.kind

    def list(self, options: ListOptions, *, context: Context) -> dict[str, Any]:
        """Return success to those who may request a project; raises 403 with the words of the setting to the rest."""
        asked = Attributes("create", "", GROUP, VERSION, PROJECT_REQUESTS.plural)
        if policy.decide(context.actor, asked).allowed:
            return errors.success()
        message = settings.ENVIRONMENT.project_request_message
        details: dict[str, object] = {"group": GROUP, "kind": "projectrequest"}
        if message:
            details["causes"] = [{"message": message}]
        raise errors.StatusError(403, "Forbidden", message or REFUSED, details=details)

    def create(self, obj: ProjectRequest, *, context: Context) -> dict[str, Any]:
        """Return the new project of the actor; raises 403 for a reserved name, 409 for one that is taken."""
        name = obj.metadata.name
        if not name and obj.metadata.generate_name:
            raise errors.internal_error("metadata.name was not generated")
        project = _project(obj, requester=context.actor.username)
        problems = project_problems(project.metadata)
        if problems:
            raise errors.invalid(context.resource.group_kind, name, problems)
        why = _reserved(name)
        if why:
            raise errors.forbidden(SINGULAR, name, why)
        # A project without its administrator would be of no use to anybody.
        with transaction.atomic():
            stored = make_namespace(project, context=replace(context, resource=NAMESPACES, word=SINGULAR))
            if not context.dry_run:
                _bind(name, context=context)
        made: dict[str, Any] = msgspec.json.decode(stored.document)
        return {"kind": PROJECTS.kind, "apiVersion": PROJECTS.api_version, **made}


def _project(request: ProjectRequest, *, requester: str) -> Project:
    """Return the project that is asked for; of the request's own metadata only the name counts."""
    words = {DESCRIPTION: request.description, DISPLAY_NAME: request.display_name, REQUESTER: requester}
    return Project(
        metadata=ObjectMeta(name=request.metadata.name, annotations=words), spec=ProjectSpec(finalizers=[FINALIZER])
    )


def _reserved(name: str) -> str:
    """Return why a name is not given to people; empty when it is."""
    if name in RESERVED:
        return f'cannot request a project with the name "{name}"'
    beginning = next((f"{word}-" for word in RESERVED if name.startswith(f"{word}-")), "")
    return f'cannot request a project starting with "{beginning}"' if beginning else ""


def _bind(namespace: str, *, context: Context) -> None:
    """Make the requester the administrator of his project: he need not hold what he is given here."""
    binding = RoleBinding(
        metadata=ObjectMeta(name=ROLE),
        role_ref=RoleRef(api_group=RBAC, kind="ClusterRole", name=ROLE),
        subjects=[Subject(kind="User", api_group=RBAC, name=context.actor.username)],
    )
    place = Context(context.actor, ROLE_BINDINGS, context.now, namespace=namespace, reason=REASON)
    store.create(ROLE_BINDINGS, binding, context=place, strategy=ROLE_BINDINGS.storage.strategy)


PROJECT_REQUESTS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ProjectRequest",
    plural="projectrequests",
    singular="projectrequest",
    namespaced=False,
    type=ProjectRequest,
    storage=ProjectRequestStorage(),
    columns=None,
)
