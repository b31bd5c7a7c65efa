"""What thousands of watches cost that nothing happens to, and how soon other requests are answered meanwhile."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.bench import memory, seed
from tests.bench.fanout import Readers
from tests.server import Server

REST_SECONDS = 5
GETS = 200


@dataclass(frozen=True, slots=True)
class Idle:
    """How many watches were open; KB (10³ bytes) and threads of each; milliseconds of reads before and beside them."""

    watches: int
    opening: float
    memory: float
    threads: float
    before: float
    beside: float
    slowest: float


def idle(server: Server, watches: int) -> Idle:
    """Open watches on a namespace in which nothing happens, let them rest, and read beside them."""
    url = f"{seed.API}/namespaces/{seed.NAMESPACES[0]}/imagestreams"
    with server.client() as client:
        version = client.get(f"{server.url}{url}?limit=1").json()["metadata"]["resourceVersion"]
        one = f"{server.url}{url}/{seed.stream_name(7)}"
        before = reads(client, one)
        held, threads = memory.of(server.family()).pss, count_threads(server)
        began = time.monotonic()
        with Readers(server, f"{url}?watch=1&resourceVersion={version}&timeoutSeconds=600", watches):
            opening = time.monotonic() - began
            time.sleep(REST_SECONDS)
            more, further = memory.of(server.family()).pss - held, count_threads(server) - threads
            beside = reads(client, one)
    return Idle(
        watches, opening, 1000 * more / watches, further / watches,
        statistics.median(before), statistics.median(beside), max(beside),
    )  # fmt: skip


def reads(client: requests.Session, url: str) -> list[float]:
    """Return how many milliseconds each of some reads took, one after the other."""
    times: list[float] = []
    for _ in range(GETS):
        began = time.monotonic()
        client.get(url, timeout=30).raise_for_status()
        times.append(1000 * (time.monotonic() - began))
    return times


def count_threads(server: Server) -> int:
    """Return how many threads the processes of a server have."""
    return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in server.family())
