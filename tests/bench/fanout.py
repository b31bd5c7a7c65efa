"""How long a change takes to reach many watchers."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.bench import seed
from tests.server import Server

ROOT = Path(__file__).resolve().parents[2]
CHANGES = 10
PAUSE = 0.3
MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Fanout:
    """Milliseconds from the moment a write was sent until watchers had its frame: of half of them, and the last."""

    median: float
    last: float


def fanout(server: Server, watchers: int) -> Fanout:
    """Open watches on the streams of a namespace, change one of them some times, and say how long it took."""
    allow_files(watchers + 200)
    namespace, name = seed.NAMESPACES[0], seed.stream_name(0)
    with server.client() as client:
        collection = f"{seed.API}/namespaces/{namespace}/imagestreams"
        version = client.get(f"{server.url}{collection}?limit=1").json()["metadata"]["resourceVersion"]
        path = f"{collection}?watch=1&resourceVersion={version}&timeoutSeconds=600"
        command = [sys.executable, "-m", "tests.bench.watchers", "127.0.0.1", str(server.port), str(server.ca)]
        command += [str(server.data_dir / "admin.token"), path, str(watchers)]
        reader = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            expect_open(reader)
            time.sleep(1)
            delays = [
                delay
                for number in range(CHANGES)
                for delay in one_change(client, f"{server.url}{collection}/{name}", reader, f"{version}-{number}")
            ]
        finally:
            assert reader.stdin is not None
            reader.stdin.close()
            reader.terminate()
            reader.wait()
    return Fanout(statistics.median(delays), max(delays))


def expect_open(reader: subprocess.Popen[str]) -> None:
    """Wait until every watch is open; raises RuntimeError when the process ends before."""
    assert reader.stdout is not None
    if reader.stdout.readline().strip() != "open":
        raise RuntimeError("the watches could not be opened")


def one_change(client: requests.Session, url: str, reader: subprocess.Popen[str], mark: str) -> list[float]:
    """Change the stream once and return the delay of each watcher in milliseconds."""
    assert reader.stdin is not None
    assert reader.stdout is not None
    text = f"fanout-{mark}-end"
    reader.stdin.write(text + "\n")
    reader.stdin.flush()
    time.sleep(PAUSE)
    started = time.monotonic()
    patch = {"metadata": {"annotations": {"bench": text}}}
    client.patch(url, json=patch, headers={"Content-Type": MERGE}).raise_for_status()
    line = reader.stdout.readline()
    if not line:
        raise RuntimeError("the watches ended")
    return [1000 * (at - started) for at in json.loads(line)]


def allow_files(count: int) -> None:
    """Let this process and its children have so many open files, where the machine allows it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(count * 2, 4096), most), most))
