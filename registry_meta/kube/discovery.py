"""Discovery: which groups, versions and kinds there are, in the plain and the aggregated form."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from registry_meta.kube.catalog import catalog
from registry_meta.kube.negotiation import JSON, clauses
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.resource import Resource, Subresource

AGGREGATED = "apidiscovery.k8s.io"
AGGREGATED_VERSIONS = ("v2", "v2beta1")


def groups(request: HttpRequest) -> HttpResponseBase:
    """Answer /apis."""
    version = _aggregated(request)
    if version:
        named = [group for group in catalog.groups() if group]
        return _aggregated_answer(request, version, named)
    documents = [_group(group) for group in catalog.groups() if group]
    return JsonResponse({"kind": "APIGroupList", "apiVersion": "v1", "groups": documents})


def core_versions(request: HttpRequest) -> HttpResponseBase:
    """Answer /api."""
    version = _aggregated(request)
    if version:
        return _aggregated_answer(request, version, [""])
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": request.get_host()}
    return JsonResponse({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]})


def group(request: HttpRequest, group: str) -> HttpResponseBase:
    """Answer /apis/GROUP."""
    if group not in catalog.groups():
        return no_page()
    return JsonResponse({"kind": "APIGroup", "apiVersion": "v1", **_group(group)})


def resources(request: HttpRequest, version: str, group: str = "") -> HttpResponseBase:
    """Answer /api/v1 and /apis/GROUP/VERSION."""
    if version not in catalog.groups().get(group, []):
        return no_page()
    listed: list[dict[str, Any]] = []
    for resource in catalog.of(group, version):
        if resource.is_listed:
            listed.append(_plain(resource))
        listed += [_plain_subresource(resource, sub) for sub in resource.subresources if sub.verbs]
    listed.sort(key=lambda entry: entry["name"])
    group_version = f"{group}/{version}" if group else version
    return JsonResponse(
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}
    )


def no_page() -> HttpResponse:
    """Return the answer of a path outside everything that is served."""
    return HttpResponse("404 page not found\n", status=404, content_type="text/plain; charset=utf-8")


def _group(name: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in catalog.groups()[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _plain(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if isinstance(resource.storage, ObjectStorage):
        entry["storageVersionHash"] = resource.storage_version_hash
    return entry


def _plain_subresource(resource: Resource, sub: Subresource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": f"{resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": sub.answered_kind,
        "verbs": list(sub.verbs),
    }
    if sub.group is not None:
        entry |= {"group": sub.group, "version": sub.version or resource.version}
    return entry


def _aggregated(request: HttpRequest) -> str:
    """Return the version of the aggregated form that the client accepts first, or the empty string for the plain."""
    for clause in clauses(request.headers.get("Accept", "")):
        if clause.media_type not in (JSON, "*/*", "application/*"):
            continue
        if not clause.get("as"):
            return ""
        wanted = (clause.get("g"), clause.get("as"))
        if wanted == (AGGREGATED, "APIGroupDiscoveryList") and clause.get("v") in AGGREGATED_VERSIONS:
            return clause.get("v")
    return ""


def _aggregated_answer(request: HttpRequest, version: str, names: list[str]) -> HttpResponse:
    document = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"{AGGREGATED}/{version}",
        "metadata": {},
        "items": [_aggregated_group(name) for name in names],
    }
    body = msgspec.json.encode(document)
    tag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    matches = request.headers.get("If-None-Match") == tag
    response = HttpResponse(b"" if matches else body, status=304 if matches else 200)
    response.headers["Content-Type"] = f"{JSON};g={AGGREGATED};v={version};as=APIGroupDiscoveryList"
    response.headers["ETag"] = tag
    response.headers["Vary"] = "Accept"
    response.headers["Cache-Control"] = "public"
    return response


def _aggregated_group(name: str) -> dict[str, Any]:
    versions = [
        {
            "version": version,
            "resources": [_aggregated_resource(resource) for resource in catalog.of(name, version)],
            "freshness": "Current",
        }
        for version in catalog.groups()[name]
    ]
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _aggregated_resource(resource: Resource) -> dict[str, Any]:
    # Clients take an empty kind as the sign that there is nothing but what lies below.
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": kind if resource.is_listed else {"group": "", "version": "", "kind": ""},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular if resource.is_listed else "",
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = [
        {
            "subresource": sub.name,
            "responseKind": {
                "group": resource.group if sub.group is None else sub.group,
                "version": sub.version or resource.version,
                "kind": sub.answered_kind,
            },
            "verbs": list(sub.verbs),
        }
        for sub in sorted(resource.subresources, key=lambda sub: sub.name)
        if sub.verbs
    ]
    if subresources:
        entry["subresources"] = subresources
    return entry
