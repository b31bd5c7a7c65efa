"""Ten thousand scheduled tags of a thousand repositories: how soon all are looked at, at what cost, and beside what."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

from tests.bench import seed
from tests.conformance import registry_content
from tests.processes import Program, answers, free_port
from tests.server import Server

REPOSITORIES = 1000
TAGS = 10
NAMESPACE = "bench-scheduled"
PATIENCE = 900.0
"""Seconds: the time in which all tags are to be looked at once."""
READS = 200
PAUSE = 0.02

CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {folder}/content}}}}
http: {{addr: 127.0.0.1:{port}}}
"""
TABLE = "imagestreams_scheduled_tag"


@dataclass(frozen=True, slots=True)
class Looked:
    """How long it took to import the tags once and to look at all of them again (seconds), and what that cost.

    Requests are those that the registry counted for each tag; reads of a stream, in milliseconds, were made before and
    beside the looks.
    """

    tags: int
    imported: float
    looked: float
    requests: float
    before: float
    beside: float
    slowest: float
    written: int


class Counted:
    """CNCF Distribution on this machine, which writes a line for each request."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "log"
        self._content = folder / "content"
        (folder / "config.yml").write_text(CONFIGURATION.format(folder=folder, port=self.port))
        self._program = Program(["docker-registry", "serve", folder / "config.yml"], log=self._log)
        self._program.wait_ready(lambda: answers(self.port))

    @property
    def requests(self) -> int:
        """How many requests there were so far."""
        return self._log.read_bytes().count(b'HTTP/1.1"')

    def fill(self) -> None:
        """Push the tags of one repository, and let all the others have the same content."""
        store = registry_content.Registry(f"http://127.0.0.1:{self.port}")
        for number in range(TAGS):
            registry_content.image(store, repository(0), f"v{number}", seed=f"scheduled {number}")
        repositories = self._content / "docker/registry/v2/repositories"
        for number in range(1, REPOSITORIES):
            (repositories / repository(number)).symlink_to(repositories / repository(0))

    def stop(self) -> None:
        """End the registry."""
        self._program.stop()


def repository(number: int) -> str:
    """Return the name of a repository."""
    return f"bench/scheduled-{number:04d}"


def looks(server: Server) -> Looked:
    """Let a server import all tags, then let all of them be due at once, and watch."""
    with tempfile.TemporaryDirectory(prefix="bench-scheduled-") as folder:
        registry = Counted(Path(folder))
        try:
            registry.fill()
            imported = _imported(server, registry)
            return _looked(server, registry, imported)
        finally:
            registry.stop()


def _imported(server: Server, registry: Counted) -> float:
    """Make the streams and return how long the server took until all tags were there."""
    with server.client() as client:
        seed.make_namespace(client, server, NAMESPACE)
    sessions = threading.local()

    def make(number: int) -> None:
        if not hasattr(sessions, "client"):
            sessions.client = server.client()
        source = f"127.0.0.1:{registry.port}/{repository(number)}"
        policy = {"scheduled": True, "insecure": True}
        tags = [
            {"name": f"v{tag}", "from": {"kind": "DockerImage", "name": f"{source}:v{tag}"}, "importPolicy": policy}
            for tag in range(TAGS)
        ]
        body = {"metadata": {"name": f"app-{number:04d}"}, "spec": {"tags": tags}}
        url = f"{server.url}{seed.API}/namespaces/{NAMESPACE}/imagestreams"
        sessions.client.post(url, json=body).raise_for_status()

    began = time.monotonic()
    with ThreadPoolExecutor(seed.WORKERS) as pool:
        list(pool.map(make, range(REPOSITORIES)))
    total = REPOSITORIES * TAGS
    _wait(lambda: _count(server, "digest <> ''") == total, what="all tags are imported")
    return time.monotonic() - began


def _looked(server: Server, registry: Counted, imported: float) -> Looked:
    total = REPOSITORIES * TAGS
    url = f"{server.url}{seed.API}/namespaces/{NAMESPACE}/imagestreams"
    with server.client() as client:
        before = [_read(client, f"{url}/app-0007") for _ in range(READS)]
        version, asked = _version(client, url), registry.requests
        with _reading(server, f"{url}/app-0007") as beside:
            began = time.monotonic()
            _execute(server, f"UPDATE {TABLE} SET due_at = settled_at")  # a constant
            _wait(lambda: _count(server, "due_at <= settled_at OR holder <> ''") == 0, what="all tags are looked at")
            looked = time.monotonic() - began
        written = _version(client, url) - version
    return Looked(
        total, imported, looked, (registry.requests - asked) / total, statistics.median(before),
        statistics.median(beside), max(beside), written,
    )  # fmt: skip


def _version(client: requests.Session, url: str) -> int:
    return int(client.get(url, params={"limit": "1"}).json()["metadata"]["resourceVersion"])


def _read(client: requests.Session, url: str) -> float:
    began = time.monotonic()
    client.get(url, timeout=30).raise_for_status()
    return 1000 * (time.monotonic() - began)


@contextmanager
def _reading(server: Server, url: str) -> Iterator[list[float]]:
    """Read again and again while the block runs; how long each read took (milliseconds) is in the list."""
    times: list[float] = []
    over = threading.Event()

    def read() -> None:
        with server.client() as client:
            while not over.wait(PAUSE):
                times.append(_read(client, url))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join()


def _wait(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {PATIENCE:.0f} seconds")
        time.sleep(0.25)


def _count(server: Server, where: str) -> int:
    return int(_execute(server, f"SELECT count(*) FROM {TABLE} WHERE {where}"))  # constants


def _execute(server: Server, statement: str) -> int:
    """Run a statement in the database of a server, and return the number that it gives, or of rows that it changed."""
    if "DATABASE_URL" in server.environ:
        with psycopg.connect(server.environ["DATABASE_URL"]) as database:
            done = database.execute(statement.encode())
            row = done.fetchone() if done.description else None
            return int(row[0]) if row else done.rowcount
    with closing(sqlite3.connect(server.data_dir / "registry-meta.sqlite3", timeout=30)) as lite, lite:
        found = lite.execute(statement)
        one = found.fetchone() if found.description else None
        return int(one[0]) if one else found.rowcount
