"""Whether what is read costs the same in a large store as in a small one, and what works on much of it.

The small store is the one that every bench begins with, of 2,000 streams; the large one has 20,000 streams of ten tags
and 100,000 images. The two are minutes apart, and the machine is not as fast in the one as in the other: so single
reads take turns with those of the calibration application, and what is compared is by how much they take longer.
Memory is compared after the same requests, sent so often that more of them change nothing.
"""

from __future__ import annotations

import statistics
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
ROUNDS = 9
READS = 60
"""Reads of a round, each beside one of the calibration application."""

TURNS = 9
PASSES = 3
REST_SECONDS = 15
TRIMMED = 60
"""After so many seconds the worker has given back the memory that it does not use."""

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


@dataclass(frozen=True, slots=True)
class Taken:
    """What a read took (ms), and how many times as long as one of the calibration application beside it."""

    milliseconds: float
    ratio: float


def one(server: Server, read: Read, *, calibration_url: str) -> Taken:
    """Return the medians of what a small answer takes, in rounds of which the median counts."""
    url = f"{server.url}{seed.API}/{read.path}"
    with server.client() as client:
        rounds = sorted((_round(client, url, calibration_url) for _ in range(ROUNDS)), key=lambda taken: taken.ratio)
    return rounds[ROUNDS // 2]


def _round(client: requests.Session, url: str, calibration_url: str) -> Taken:
    made, bare = [], []
    for _ in range(READS):
        bare.append(timing.once(client, calibration_url)[0])
        made.append(timing.once(client, url)[0])
    milliseconds = statistics.median(made)
    return Taken(milliseconds, milliseconds / statistics.median(bare))


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


def exercise(server: Server) -> None:
    """Send everything that reads much, so often that the processes hold what they will ever hold for it."""
    for _ in range(PASSES):
        for read in READ_MANY:
            many(server, read)


def memory_of(server: Server) -> dict[str, float]:
    """Return what the processes of a server hold (PSS, MB) by role, once the threads that have no work are gone."""
    time.sleep(REST_SECONDS)
    pids = server.pids()
    return {"supervisor": memory.of(server.family()[:1]).pss, **{role: memory.of(pids[role]).pss for role in pids}}


def growth(before: dict[str, float], after: dict[str, float]) -> tuple[float, str]:
    """Return by how much memory has grown (MB), and what each role adds to that."""
    grown = {role: after[role] - before[role] for role in before}
    return sum(grown.values()), ", ".join(f"{role} {more:+.1f}" for role, more in grown.items())


def import_one(server: Server) -> float:
    """Return the milliseconds that the import of one tag takes."""
    return importing.import_tags(server, tags=1) * 1000
