"""What a repository of half a million tags costs: the import of one tag, and that of the repository."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from imagestreams.upstream import media
from tests.bench import memory, seed
from tests.registries import Reply, Request, StandIn
from tests.server import Server

TAGS = 500_000
REPOSITORY = "bench/huge"
LOOK_SECONDS = 0.02

CONFIG = json.dumps({"os": "linux", "architecture": "amd64", "config": {}}).encode()
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": media.digest(CONFIG),
            "size": len(CONFIG),
        },
        "layers": [],
    }
).encode()


@dataclass(frozen=True, slots=True)
class Cost:
    """The seconds of an import, and the most memory (MB) that the server held more than before."""

    seconds: float
    added: float


def registry() -> StandIn:
    """Return a registry that lists half a million tags in one page, and has an image behind each of them."""
    names = [f"build-{number:06d}" for number in range(TAGS // 2)]
    names += [f"{number // 10_000}.{number // 100 % 100}.{number % 100}" for number in range(TAGS // 2)]
    page = json.dumps({"name": REPOSITORY, "tags": names})
    headers = {"Content-Type": media.OCI_MANIFEST, "Docker-Content-Digest": media.digest(MANIFEST)}

    def answer(request: Request) -> Reply | None:
        kind, _, reference = request.path.removeprefix(f"/v2/{REPOSITORY}/").partition("/")
        if request.path == "/v2/":
            return Reply(200, "{}")
        if kind == "tags":
            return Reply(200, page)
        if kind == "manifests":
            return Reply(200, MANIFEST, headers)
        return Reply(200, CONFIG) if reference == media.digest(CONFIG) else None

    return StandIn(answer)


def costs(server: Server) -> tuple[Cost, Cost]:
    """Return what the import of one tag costs, and that of the first tags of the repository.

    Raises RuntimeError when something was not imported, or not told of.
    """
    with registry() as stand_in:
        source = f"{stand_in.host}/{REPOSITORY}"
        image = {"from": {"kind": "DockerImage", "name": f"{source}:9.9.9"}, "to": {"name": "one"}}
        policy = {"importPolicy": {"insecure": True}}
        one = _cost(server, "huge-one", {"images": [{**image, **policy}]})
        listed = {"from": {"kind": "DockerImage", "name": source}, **policy}
        return one, _cost(server, "huge-all", {"repository": listed})


def _cost(server: Server, name: str, what: dict[str, object]) -> Cost:
    body = {
        "kind": "ImageStreamImport",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": name},
        "spec": {"import": True, **what},
    }
    url = f"{server.url}{seed.API}/namespaces/{quote(seed.NAMESPACES[1])}/imagestreamimports"
    with server.client() as client, _watched(server) as peak:
        started = time.monotonic()
        answer = client.post(url, json=body, timeout=300)
        seconds = time.monotonic() - started
    answer.raise_for_status()
    status = answer.json()["status"]
    repository = status.get("repository", {})
    images = [*status.get("images", []), *repository.get("images", [])]
    told = len(repository.get("images", [])) + len(repository.get("additionalTags", []))
    if not all("image" in image for image in images) or told not in (0, TAGS):
        raise RuntimeError(f"not everything was imported, and {told} tags were told of: {answer.text[:1000]}")
    return Cost(seconds, max(peak) - peak[0])


@contextmanager
def _watched(server: Server) -> Iterator[list[float]]:
    """Look at the memory of the server again and again, and yield what was seen, the first before anything else."""
    family = server.family()
    seen = [memory.of(family).pss]
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            seen.append(memory.of(family).pss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
