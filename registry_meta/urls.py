"""Which view answers which path; kinds are found by the catalog, not here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import path, re_path

from authz import issuer
from authz.authentication import BearerAuthentication
from authz.oauth.paths import PATHS as LOGIN
from authz.permission import RBACPermission
from registry_meta import exposition, probes
from registry_meta.kube import discovery, openapi
from registry_meta.kube.views import ApiView, PlainView

GUARDED: dict[str, Any] = {
    "authentication_classes": (BearerAuthentication,),
    "permission_classes": (RBACPermission,),
}


def plain(answer: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return the view of a path that is no resource."""
    view: Callable[..., HttpResponseBase] = PlainView.as_view(answer=answer, **GUARDED)
    return view


api = ApiView.as_view(**GUARDED)

urlpatterns = [
    re_path(r"^apis/[^/]+/[^/]+/.", api),
    re_path(r"^api/[^/]+/.", api),
    re_path(r"^api/?$", plain(discovery.core_versions)),
    re_path(r"^api/(?P<version>[^/]+)/?$", plain(discovery.resources)),
    re_path(r"^apis/?$", plain(discovery.groups)),
    re_path(r"^apis/(?P<group>[^/]+)/?$", plain(discovery.group)),
    re_path(r"^apis/(?P<group>[^/]+)/(?P<version>[^/]+)/?$", plain(discovery.resources)),
    path("openapi/v2", plain(openapi.v2)),
    path("openapi/v3", plain(openapi.index)),
    path("openapi/v3/api/<str:version>", plain(openapi.v3)),
    path("openapi/v3/apis/<str:group>/<str:version>", plain(openapi.v3)),
    re_path(r"^version/?$", plain(probes.version)),
    re_path(r"^\.well-known/openid-configuration/?$", plain(issuer.configuration)),
    re_path(r"^openid/v1/jwks/?$", plain(issuer.jwks)),
    path("metrics", plain(exposition.metrics)),
    re_path(r"^(?P<name>livez|readyz|healthz)$", probes.probe),
    re_path(r"^(?P<name>livez|readyz|healthz)/(?P<check>[^/]+)$", plain(probes.check)),
    *LOGIN,
    path("", plain(probes.index)),
    re_path(r"^.*$", plain(probes.not_found)),
]
