"""Whether what is read costs the same in a large store as in a small one, and what works on much of it.

The small store is the one that every bench begins with, of 2,000 streams; the large one has 20,000 streams of ten tags
and 100,000 images.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import requests

from tests.bench import importing, memory, seed, timing
from tests.bench.bulk import NEEDLE, Bulk
from tests.server import Server

NAMESPACES = tuple(f"scale-{number}" for number in range(9))
STREAMS = 2000
TAGS = 10
IMAGES_A_NAMESPACE = 11_000
BATCH = 5000
READS = 200
TURNS = 9
DELETED = 600.0
"""How long the deletion of a namespace may take (seconds) before the bench gives up."""


@dataclass(frozen=True, slots=True)
class Read:
    """A request that is measured: its path behind the API's, its query, and what is asked of it (ms)."""

    name: str
    path: str
    query: dict[str, str]
    most: float | None = None


STREAM = f"namespaces/{seed.NAMESPACES[0]}/imagestreams/{seed.stream_name(7)}"
TAG = f"namespaces/{seed.NAMESPACES[0]}/imagestreamtags/{seed.stream_name(7)}:latest"
PAGE = {"limit": "500"}
FIRST_PAGE = 50.0

READ_ONE = [Read("GET stream", STREAM, {}), Read("GET tag", TAG, {})]
READ_MANY = [
    Read("first 500 images", "images", PAGE, FIRST_PAGE),
    Read("first 500 streams", "imagestreams", PAGE, FIRST_PAGE),
    Read("first 500 streams of a namespace", f"namespaces/{seed.NAMESPACES[1]}/imagestreams", PAGE, FIRST_PAGE),
    Read("first 500 streams' tags", "imagestreamtags", PAGE),
    Read("streams with a rare label", "imagestreams", {"labelSelector": "team=needle"}),
    Read("streams of a name", "imagestreams", {"fieldSelector": f"metadata.name={seed.stream_name(7)}"}),
]
TAGS_OF_ONE = Read("tags of a namespace of 2000 streams", f"namespaces/{NAMESPACES[0]}/imagestreamtags", {})


def fill(server: Server) -> None:
    """Add the streams and images that make a large store of a small one."""
    bulk = Bulk(server)
    with server.client() as client:
        for namespace in NAMESPACES:
            seed.make_namespace(client, server, namespace)
    for namespace in NAMESPACES:
        digests = [seed.digest(f"{namespace} {number}") for number in range(IMAGES_A_NAMESPACE)]
        streams = [
            bulk.stream(
                namespace,
                f"{namespace}-{number:04d}",
                {f"v{tag}": [digests[(number * 5 + tag) % len(digests)]] for tag in range(TAGS)},
                labels={"app": "scale", **({"team": "needle"} if number % NEEDLE == NEEDLE // 2 else {})},
            )
            for number in range(STREAMS)
        ]
        for start in range(0, len(digests), BATCH):
            bulk.add([bulk.image(digest, layers=seed.LAYERS) for digest in digests[start : start + BATCH]], [])
        bulk.add([], streams)
    bulk.settle()


def one(server: Server, read: Read) -> float:
    """Return the median of the milliseconds that a small answer takes."""
    with server.client() as client:
        timing.median(client, f"{server.url}{seed.API}/{read.path}", turns=READS // 4, **read.query)
        return timing.median(client, f"{server.url}{seed.API}/{read.path}", turns=READS, **read.query)


def many(server: Server, read: Read) -> float:
    """Return the median of the milliseconds of a list, of whose kind something was written since it was read last."""
    url = f"{server.url}{seed.API}/{read.path}"
    with server.client() as client:
        times = []
        for turn in range(TURNS):
            write(client, server, turn)
            times.append(timing.once(client, url, **read.query)[0])
    return sorted(times)[TURNS // 2]


def write(client: requests.Session, server: Server, turn: int) -> None:
    """Change a stream and an image, so that the server reads again what it remembers."""
    patch = {"Content-Type": "application/merge-patch+json"}
    image = seed.digest(f"{seed.NAMESPACES[0]}/{seed.stream_name(7)}")
    body = {"metadata": {"annotations": {"touched": f"{turn} {time.monotonic()}"}}}
    for path in (STREAM, f"images/{image}"):
        client.patch(f"{server.url}{seed.API}/{path}", json=body, headers=patch).raise_for_status()


def watch_start(server: Server) -> float:
    """Return the milliseconds until a watch that begins now has told of a write that came behind its beginning."""
    url = f"{server.url}{seed.API}/imagestreams"
    taken = []
    with server.client() as client, server.client() as writer:
        for turn in range(TURNS):
            version = writer.get(url, params={"limit": "1"}).json()["metadata"]["resourceVersion"]
            write(writer, server, turn)
            query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "60"}
            started = time.monotonic()
            with client.get(url, params=query, stream=True) as answer:
                next(answer.iter_lines())
                taken.append((time.monotonic() - started) * 1000)
    return sorted(taken)[TURNS // 2]


def delete_namespace(server: Server) -> Iterator[tuple[str, float]]:
    """Yield the time (s) of the deletion of a namespace of 2,000 streams, and of the slowest GET meanwhile (ms)."""
    name = NAMESPACES[1]
    url = f"{server.url}/api/v1/namespaces/{name}"
    with server.client() as client:
        started = time.monotonic()
        client.delete(url).raise_for_status()
        slowest = 0.0
        while client.get(url).status_code != 404:
            slowest = max(slowest, timing.once(client, f"{server.url}{seed.API}/{STREAM}")[0])
            if time.monotonic() - started > DELETED:
                raise RuntimeError(f"the namespace {name} was not deleted within {DELETED:.0f} seconds")
            time.sleep(0.1)
        yield "s", time.monotonic() - started
        yield "ms", slowest


def memory_of(server: Server) -> memory.Memory:
    """Return what all processes of a server hold."""
    return memory.of(server.family())


def import_one(server: Server) -> float:
    """Return the milliseconds that the import of one tag takes."""
    return importing.import_tags(server, tags=1) * 1000
