"""Whether a request may be served: asked before its path and body are looked at."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from authz import policy
from authz.grants import Grants
from authz.refusal import refusal
from authz.rules import Attributes
from registry_meta.kube.catalog import catalog
from registry_meta.kube.request import RequestInfo
from registry_meta.kube.views import ApiView

PROJECTS = ("project.openshift.io", "projects")


class RBACPermission(BasePermission):
    """Lets a request pass when a role of its actor covers it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True, or raise the 403 that says what is not allowed."""
        if not isinstance(view, ApiView):
            return False
        if _checks_rights(view.info):
            return True
        asked = attributes(view.info)
        grants = request.auth if isinstance(request.auth, Grants) else policy.current()
        decision = grants.decide(request.user, asked)
        if not decision.allowed:
            raise refusal(request.user, asked, decision)
        return True


def _checks_rights(info: RequestInfo) -> bool:
    """Return whether what a request needs is said by its body: then its storage refuses what is not allowed."""
    resource = catalog.find(info.group, info.version, info.resource) if info.is_resource else None
    is_creation = info.verb == "create" and not info.name and not info.subresource
    return resource is not None and is_creation and bool(getattr(resource.storage, "checks_rights", False))


def attributes(info: RequestInfo) -> Attributes:
    """Return the question that a request is; a project is in the namespace of its name, as a namespace is."""
    if not info.is_resource:
        return Attributes(info.verb, path=info.path)
    namespace = info.namespace
    if (info.group, info.resource) == PROJECTS and not namespace and info.verb not in ("list", "watch"):
        namespace = info.name
    return Attributes(info.verb, namespace, info.group, info.version, info.full_resource, info.name)
