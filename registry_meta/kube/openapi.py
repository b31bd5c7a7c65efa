"""OpenAPI: what every kind looks like, for `kubectl explain`, `apply` and validation on the client's side.

The documents are written on first use, from the catalog, and kept for the life of the process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from registry_meta.kube import errors, meta, openapi_gnostic
from registry_meta.kube.catalog import catalog
from registry_meta.kube.negotiation import JSON, clauses
from registry_meta.kube.openapi_documents import version_2, version_3
from registry_meta.kube.openapi_schemas import Definitions
from registry_meta.kube.resource import Resource

PROTOBUF_2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# The at sign is not allowed in a media type, and Go refuses to parse an answer that has one.
PROTOBUF_2_ANSWER = PROTOBUF_2.replace("@", ".")
ANY = ("*/*", "application/*")
YEAR = timedelta(days=365)
STARTED = meta.now()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document ready to be sent, and the hash that names its content."""

    body: bytes
    media_type: str
    hash: str

    @classmethod
    def of(cls, body: bytes, media_type: str = JSON) -> Rendered:
        """Return a document with the hash of its bytes."""
        return cls(body, media_type, hashlib.sha512(body).hexdigest().upper())


def index(request: HttpRequest) -> HttpResponse:
    """Answer /openapi/v3: where the document of each group and version is."""
    if not _accepts(request, JSON):
        return HttpResponse(status=406)
    return _answer(request, _index())


def v3(request: HttpRequest, version: str, group: str = "") -> HttpResponse:
    """Answer /openapi/v3/apis/GROUP/VERSION and /openapi/v3/api/VERSION; raises 404 for what is not served."""
    if version not in catalog.groups().get(group, []):
        raise errors.no_such_path()
    if not _accepts(request, JSON):
        return HttpResponse(status=406)
    document = _documents()[group, version]
    asked = request.GET.get("hash")
    if asked and asked != document.hash:
        location = _location(group, version, document)
        return HttpResponse(status=301, headers={"Location": location, "Vary": "Accept"})
    response = _answer(request, document)
    if asked:
        response.headers["Cache-Control"] = "public, immutable"
        response.headers["Expires"] = http_date((meta.now() + YEAR).timestamp())
    return response


def v2(request: HttpRequest) -> HttpResponse:
    """Answer /openapi/v2 in JSON or, as the tools of Kubernetes ask for it, in Protocol Buffers."""
    for clause in clauses(request.headers.get("Accept", "") or JSON):
        if clause.media_type in (JSON, *ANY):
            return _answer(request, _swagger())
        if clause.media_type in (PROTOBUF_2, PROTOBUF_2_ANSWER):
            return _answer(request, _swagger_protobuf())
    return HttpResponse(status=406)


def _accepts(request: HttpRequest, media_type: str) -> bool:
    accept = request.headers.get("Accept", "")
    return not accept or any(clause.media_type in (media_type, *ANY) for clause in clauses(accept))


def _answer(request: HttpRequest, document: Rendered) -> HttpResponse:
    """Return a document, or 304 when the client has it already."""
    tag = f'"{document.hash}"'
    known = {given.strip().removeprefix("W/") for given in request.headers.get("If-None-Match", "").split(",")}
    matches = bool(known & {tag, "*"})
    response = HttpResponse(b"" if matches else document.body, status=304 if matches else 200)
    response.headers["Content-Type"] = document.media_type
    response.headers["ETag"] = tag
    response.headers["Vary"] = "Accept"
    response.headers["Last-Modified"] = http_date(STARTED.timestamp())
    return response


def _location(group: str, version: str, document: Rendered) -> str:
    return f"/openapi/v3/{_group_path(group, version)}?hash={document.hash}"


def _group_path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _versions() -> list[tuple[str, str]]:
    return [(group, version) for group, versions in catalog.groups().items() for version in versions]


def _served() -> list[Resource]:
    return [kind for group, version in _versions() for kind in catalog.of(group, version)]


@cache
def _index() -> Rendered:
    paths = {
        _group_path(group, version): {"serverRelativeURL": _location(group, version, document)}
        for (group, version), document in _documents().items()
    }
    return Rendered.of(msgspec.json.encode({"paths": paths}))


@cache
def _documents() -> Mapping[tuple[str, str], Rendered]:
    """Return the version 3 documents by group and version; the index needs the hashes of all."""
    definitions = Definitions(_served())
    return {
        (group, version): Rendered.of(msgspec.json.encode(version_3(catalog.of(group, version), definitions)))
        for group, version in _versions()
    }


@cache
def _swagger() -> Rendered:
    return Rendered.of(msgspec.json.encode(version_2(_served(), Definitions(_served()))))


@cache
def _swagger_protobuf() -> Rendered:
    body = openapi_gnostic.encode(msgspec.json.decode(_swagger().body))
    return Rendered.of(body, PROTOBUF_2_ANSWER)
