"""Whether each page of a long list costs the same: pages behind the first are read as of its snapshot."""

from __future__ import annotations

import statistics
import uuid

import requests

from tests.bench import seed, timing
from tests.bench.bulk import Bulk
from tests.server import Server

OBJECTS = 5000
LIMIT = 500
TURNS = 5
NAMESPACE = "bench-pages"


def fill(server: Server) -> None:
    """Make a namespace with as many streams as are listed."""
    bulk = Bulk(server)
    with server.client() as client:
        seed.make_namespace(client, server, NAMESPACE)
    image = seed.digest(f"{seed.NAMESPACES[0]}/{seed.stream_name(0)}")
    bulk.add(
        [], [bulk.stream(NAMESPACE, f"s{number:05d}", {"latest": [image]}, labels={}) for number in range(OBJECTS)]
    )
    bulk.settle()


def times(server: Server, *, writes: int) -> list[float]:
    """Return the milliseconds of each page, with so many writes to the kind between the first page and the others."""
    url = f"{server.url}{seed.API}/namespaces/{NAMESPACE}/imagestreams"
    with server.client() as client:
        runs = [list(_walk(client, url, writes=writes)) for _ in range(TURNS)]
    return [statistics.median(column) for column in zip(*runs, strict=True)]


def _walk(client: requests.Session, url: str, *, writes: int) -> list[float]:
    taken, go_on, count = [], "", 0
    _touch(client, url, 1)  # else the first page is one that the server remembers
    while True:
        query = {"limit": str(LIMIT), **({"continue": go_on} if go_on else {})}
        milliseconds, answer = timing.once(client, url, **query)
        taken.append(milliseconds)
        if not go_on:
            _touch(client, url, writes)
        document = answer.json()
        count += len(document["items"])
        go_on = document["metadata"].get("continue", "")
        if not go_on:
            break
    if count != OBJECTS:
        raise RuntimeError(f"the pages have {count} objects instead of {OBJECTS}")
    return taken


def _touch(client: requests.Session, url: str, writes: int) -> None:
    patch = {"Content-Type": "application/merge-patch+json"}
    for number in range(writes):
        name = f"s{(number * 37) % OBJECTS:05d}"
        body = {"metadata": {"annotations": {"touched": uuid.uuid4().hex}}}
        client.patch(f"{url}/{name}", json=body, headers=patch).raise_for_status()
