"""Which HTTP methods a path of the API has: what the `Allow` header of a 405 says (RFC 9110, section 15.5.6)."""

from __future__ import annotations

from registry_meta.kube.request import RequestInfo
from registry_meta.kube.resource import Resource

ITEM = {"get": "GET", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
COLLECTION = {"list": "GET", "create": "POST", "deletecollection": "DELETE"}
SPANNING = {"list": "GET"}
SUBRESOURCE = {**ITEM, "create": "POST"}
"""What the verbs are at the path of an object, of a collection, of one in all namespaces, and below an object."""


def allowed(info: RequestInfo, resource: Resource | None) -> list[str]:
    """Return the methods of the path of a request for a kind; none where there is no such path."""
    if resource is None:
        return []
    if info.subresource:
        sub = resource.subresource(info.subresource)
        return _methods(SUBRESOURCE, sub.verbs if sub is not None else ())
    if info.name and info.verb not in ("list", "watch"):  # a list may have a name, by its field selector
        return _methods(ITEM, resource.verbs)
    is_spanning = resource.namespaced and not info.namespace
    return _methods(SPANNING if is_spanning else COLLECTION, resource.verbs)


def _methods(known: dict[str, str], verbs: tuple[str, ...]) -> list[str]:
    return [method for verb, method in known.items() if verb in verbs]
