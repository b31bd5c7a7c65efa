"""How long the import of a repository with many tags takes, from a registry on this machine."""

from __future__ import annotations

import tempfile
import time
import uuid
from pathlib import Path

from tests.bench import seed
from tests.conformance import peers, registry_content
from tests.processes import answers, free_port
from tests.server import Server

TAGS = 50
REPOSITORY = "bench/imported"


def import_tags(server: Server, *, tags: int = TAGS) -> float:
    """Return the seconds that one ImageStreamImport takes, of tags that the server has not seen."""
    with tempfile.TemporaryDirectory(prefix="bench-registry-") as folder:
        port = free_port()
        registry = peers.distribution(Path(folder) / "registry", port, closed=False)
        try:
            registry.wait_ready(lambda: answers(port))
            store = registry_content.Registry(f"http://127.0.0.1:{port}")
            name = f"{REPOSITORY}-{uuid.uuid4().hex[:8]}"
            for number in range(tags):
                registry_content.image(store, name, f"v{number}", seed=f"{name} {number}", layers=seed.LAYERS)
            return timed_import(server, f"127.0.0.1:{port}/{name}", tags=tags)
        finally:
            registry.stop()


def timed_import(server: Server, repository: str, *, tags: int) -> float:
    """Import every tag of a repository once; raises RuntimeError unless all of them came in."""
    body = {
        "kind": "ImageStreamImport",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": "imported"},
        "spec": {
            "import": True,
            "repository": {
                "from": {"kind": "DockerImage", "name": repository},
                "importPolicy": {"insecure": True},
            },
        },
    }
    with server.client() as client:
        url = f"{server.url}{seed.API}/namespaces/{seed.NAMESPACES[1]}/imagestreamimports"
        started = time.monotonic()
        answer = client.post(url, json=body, timeout=120)
        seconds = time.monotonic() - started
    answer.raise_for_status()
    images = answer.json()["status"]["repository"].get("images", [])
    imported = [image for image in images if image["status"].get("status") == "Success"]
    if len(imported) != tags:
        raise RuntimeError(f"{len(imported)} of {tags} tags were imported: {answer.text[:1000]}")
    return seconds
