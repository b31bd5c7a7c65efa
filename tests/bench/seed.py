"""Fills a server: namespaces of image streams with one image each."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.server import Server

NAMESPACES = ("bench-0", "bench-1", "bench-2", "bench-3")
STREAMS = 500
LAYERS = 10
WORKERS = 8
API = "/apis/image.openshift.io/v1"


def digest(text: str) -> str:
    """Return a digest made of a text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def stream_name(number: int) -> str:
    """Return the name of a seeded stream."""
    return f"stream-{number:04d}"


def seed(server: Server) -> None:
    """Make the namespaces, and in each of them the streams, through the API."""
    with server.client() as client:
        for namespace in NAMESPACES:
            make_namespace(client, server, namespace)
    sessions = threading.local()

    def fill(place: tuple[str, int]) -> None:
        if not hasattr(sessions, "client"):
            sessions.client = server.client()
        push(sessions.client, server.url, *place)

    places = [(namespace, number) for namespace in NAMESPACES for number in range(STREAMS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(fill, places):
            pass


def make_namespace(client: requests.Session, server: Server, name: str) -> None:
    """Create a namespace."""
    body = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
    client.post(f"{server.url}/api/v1/namespaces", json=body).raise_for_status()


def push(client: requests.Session, url: str, namespace: str, number: int) -> None:
    """Create a stream and tag an image of ten layers in it, as an image registry does after a push."""
    base = f"{url}{API}/namespaces/{namespace}"
    client.post(f"{base}/imagestreams", json=stream(number)).raise_for_status()
    client.post(f"{base}/imagestreammappings", json=mapping(namespace, number)).raise_for_status()


def stream(number: int) -> dict[str, Any]:
    """Return the document of a stream."""
    return {
        "kind": "ImageStream",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": stream_name(number), "labels": {"app": "bench"}},
    }


def mapping(namespace: str, number: int) -> dict[str, Any]:
    """Return the document that brings an image into a stream under the tag `latest`."""
    name = stream_name(number)
    image = digest(f"{namespace}/{name}")
    layers = [
        {
            "name": digest(f"{image} {layer}"),
            "size": 1000 + layer,
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
        }
        for layer in range(LAYERS)
    ]
    return {
        "kind": "ImageStreamMapping",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": name},
        "tag": "latest",
        "image": {
            "metadata": {"name": image},
            "dockerImageReference": f"registry.example.com/{namespace}/{name}@{image}",
            "dockerImageLayers": layers,
            "dockerImageMetadata": {"kind": "DockerImage", "apiVersion": "1.0", "Architecture": "amd64"},
            "dockerImageMetadataVersion": "1.0",
        },
    }
