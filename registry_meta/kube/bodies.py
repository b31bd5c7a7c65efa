"""The body of a request: its bytes, its form, and the plain JSON that it spells."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from registry_meta.kube import decode, errors
from registry_meta.kube.arrival import body_of
from registry_meta.kube.negotiation import JSON
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.protobuf import decode_protobuf

LIMIT = 3 * 1024 * 1024
DELETE_OPTIONS_VERSIONS = ("v1", "meta.k8s.io/v1")
PROTOBUF = "protobuf"
INPUT_TYPES = {
    "application/json": "json",
    "application/yaml": "yaml",
    "application/vnd.kubernetes.protobuf": PROTOBUF,
}


def media_type(request: Request) -> str:
    """Return the media type of a body, without its parameters; empty when the client names none."""
    return (request.META.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()


def form_of(request: Request) -> str:
    """Return how a body of an object is written, `json` when the client does not say; raises 415."""
    form = INPUT_TYPES.get(media_type(request) or JSON)
    if form is None:
        raise errors.unsupported_media_type(list(INPUT_TYPES))
    return form


def read(request: Request) -> bytes:
    """Return the bytes of a body; raises 400 or 413."""
    body = body_of(request.META)
    body.arrive(LIMIT)
    if body.is_longer_than(LIMIT):
        raise errors.too_large(LIMIT)
    return body.content or b""


def tree_of(request: Request, kind: str, api_version: str) -> tuple[dict[str, Any], list[str]]:
    """Return a body as plain JSON with the names of its duplicate fields; raises 400, 413 or 415.

    `kind` and `api_version` say what a body of protobuf is if it does not say so itself.
    """
    form = form_of(request)
    body = read(request)
    if form == PROTOBUF:
        return decode_protobuf(body, kind, api_version), []
    parsed = decode.parse(body, form)
    if not isinstance(parsed.tree, dict):
        raise errors.bad_request(f"the object provided is unrecognized (must be of type {kind})")
    return parsed.tree, parsed.duplicates


def delete_options(request: Request, api_version: str) -> DeleteOptions:
    """Return how to delete, from the body or else from the query; raises 400, 413 or 415.

    A body may be of a version that has the kind DeleteOptions, `api_version` of what is deleted among them.
    """
    body = read(request)
    if not body:
        return DeleteOptions.of_query(request.GET)
    form = form_of(request)
    tree: Any = decode_protobuf(body, "DeleteOptions", "v1") if form == PROTOBUF else decode.parse(body, form).tree
    if not isinstance(tree, dict) or (tree.get("kind") or "DeleteOptions") != "DeleteOptions":
        raise errors.bad_request("the body of a deletion must be DeleteOptions")
    version = tree.get("apiVersion") or api_version
    if version not in (*DELETE_OPTIONS_VERSIONS, api_version):
        raise errors.bad_request(f'no kind "DeleteOptions" is registered for version "{version}"')
    tree = {key: value for key, value in tree.items() if key not in ("kind", "apiVersion")}
    options, _ = decode.convert(tree, DeleteOptions, kind="DeleteOptions", version="v1")
    return options
