"""What the server has before cases meet it: an object of every kind, and images behind tags."""

from __future__ import annotations

from typing import Any

import requests

from tests.contract.examples import EXAMPLES, Document, digest_name, plain_name

NAMESPACE = "fuzz"
IMAGE = "apis/image.openshift.io/v1"
CLIENT = "openshift-challenging-client"
"""Every server has it at first."""

PATIENCE = 30
WORDS = ("a", "b", "c")
NAMES = tuple(map(plain_name, WORDS))
DIGESTS = tuple(map(digest_name, WORDS))
POINTERS = (
    "",
    "/",
    "/metadata",
    "/metadata/name",
    "/metadata/labels",
    "/metadata/labels/a~1b",
    "/metadata/annotations",
    "/metadata/finalizers/-",
    "/metadata/ownerReferences/0",
    "/spec",
    "/spec/tags/0",
    "/spec/tags/-",
    "/spec/lookupPolicy",
    "/status",
    "/data",
    "/data/key",
    "/rules/0",
    "/subjects",
    "/x~2",
    "no pointer",
)


def names_at(path: str) -> tuple[str, ...]:
    """Return the names that objects at a path have, or would have."""
    plural = path.split("/{name}", 1)[0].rpartition("/")[2]
    if plural == "images":
        return DIGESTS
    if plural in ("imagestreamtags", "imagetags"):
        return tuple(f"{name}:{tag}" for name in NAMES for tag in ("latest", "other"))
    if plural == "imagestreamimages":
        return tuple(f"{name}@{digest}" for name in NAMES for digest in DIGESTS)
    if plural == "imagesignatures":
        return tuple(f"{digest}@signature" for digest in DIGESTS)
    return NAMES


def fill(session: requests.Session, url: str) -> None:
    """Make what is missing of the namespace, of an object of every kind under each name, and of the images' tags."""
    _post(session, f"{url}/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    # Tokens name it, and cases delete it.
    _post(
        session, f"{url}/apis/oauth.openshift.io/v1/oauthclients", {"metadata": {"name": CLIENT}, "grantMethod": "auto"}
    )
    for key, place in _places(session, url).items():
        for word in WORDS if key in EXAMPLES else ():
            example = EXAMPLES[key]
            name = example.name(word)
            body = {"metadata": {"name": name, "labels": {"word": word}}, **example.content(NAMESPACE)}
            _post(session, f"{url}/{place}", body | example.of_name(name))
    for word in WORDS:
        _post(session, f"{url}/{IMAGE}/namespaces/{NAMESPACE}/imagestreammappings", mapping(word))


def mapping(word: str) -> Document:
    """Return what brings an image to a tag."""
    reference = f"registry.example.com/team/app@{digest_name(word)}"
    config = {"kind": "DockerImage", "apiVersion": "1.0", "Created": "2026-01-02T03:04:05Z", "Architecture": "amd64"}
    image: dict[str, Any] = {
        "metadata": {"name": digest_name(word)},
        "dockerImageReference": reference,
        "dockerImageMetadata": config | {"Size": 123, "Config": {"Env": ["A=b"], "Labels": {"l": "v"}}},
        "dockerImageLayers": [{"name": digest_name("layer"), "size": 100, "mediaType": "application/octet-stream"}],
    }
    return {"metadata": {"name": plain_name(word)}, "image": image, "tag": "latest"}


def _places(session: requests.Session, url: str) -> dict[str, str]:
    """Return the path of each kind's collection, as discovery tells it, by the kind's plural in its group."""
    groups = session.get(f"{url}/apis", timeout=PATIENCE).json()["groups"]
    prefixes = {"": "api/v1"} | {group["name"]: f"apis/{group['preferredVersion']['groupVersion']}" for group in groups}
    places: dict[str, str] = {}
    for group, prefix in prefixes.items():
        for resource in session.get(f"{url}/{prefix}", timeout=PATIENCE).json()["resources"]:
            name = resource["name"]
            within = f"{prefix}/namespaces/{NAMESPACE}" if resource["namespaced"] else prefix
            places[f"{name}.{group}" if group else name] = f"{within}/{name}"
    return places


def _post(session: requests.Session, url: str, body: Document) -> None:
    answer = session.post(url, json=body, timeout=PATIENCE)
    if answer.status_code not in (201, 409):
        raise RuntimeError(f"{url} answered {answer.status_code}: {answer.text}")
