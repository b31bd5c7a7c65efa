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
from types import TracebackType
from typing import Self

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


class Readers:
    """So many watches of one collection, open in a process of their own; `arrivals` tells what reached them."""

    def __init__(self, server: Server, path: str, count: int) -> None:
        allow_files(count + 200)
        command = [sys.executable, "-m", "tests.bench.watchers", "127.0.0.1", str(server.port), str(server.ca)]
        command += [str(server.data_dir / "admin.token"), path, str(count)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        if self._line() != "open":
            self.close()
            raise RuntimeError("the watches could not be opened")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def expect(self, text: str) -> None:
        """Have the readers look for a text from now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def arrivals(self) -> list[float]:
        """Return when the text had reached each of the watches (seconds of the monotonic clock)."""
        line = self._line()
        if not line:
            raise RuntimeError("the watches ended")
        times: list[float] = json.loads(line)
        return times

    def close(self) -> None:
        """Close the watches."""
        self._process.terminate()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def fanout(server: Server, watchers: int) -> Fanout:
    """Open watches on the streams of a namespace, change one of them some times, and say how long it took."""
    namespace, name = seed.NAMESPACES[0], seed.stream_name(0)
    with server.client() as client:
        collection = f"{seed.API}/namespaces/{namespace}/imagestreams"
        version = client.get(f"{server.url}{collection}?limit=1").json()["metadata"]["resourceVersion"]
        path = f"{collection}?watch=1&resourceVersion={version}&timeoutSeconds=600"
        with Readers(server, path, watchers) as readers:
            time.sleep(1)
            delays = [
                delay
                for number in range(CHANGES)
                for delay in one_change(client, f"{server.url}{collection}/{name}", readers, f"{version}-{number}")
            ]
    return Fanout(statistics.median(delays), max(delays))


def one_change(client: requests.Session, url: str, readers: Readers, mark: str) -> list[float]:
    """Change the stream once and return the delay of each watcher in milliseconds."""
    text = f"fanout-{mark}-end"
    readers.expect(text)
    time.sleep(PAUSE)
    started = time.monotonic()
    patch = {"metadata": {"annotations": {"bench": text}}}
    client.patch(url, json=patch, headers={"Content-Type": MERGE}).raise_for_status()
    return [1000 * (at - started) for at in readers.arrivals()]


def allow_files(count: int) -> None:
    """Let this process and its children have so many open files, where the machine allows it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(count * 2, 4096), most), most))
