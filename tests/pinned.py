"""Connections that lead to one web process each, so that a test can ask every one of them."""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.server import Server

MOST_TRIED = 64
ESTABLISHED = "01"
PATIENCE = 60


class Pinned:
    """An open connection to one web process; the server keeps it, so every request of it goes there."""

    def __init__(self, server: Server) -> None:
        self._server = server
        context = ssl.create_default_context(cafile=str(server.ca))
        self._connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=PATIENCE, context=context)
        self._connection.connect()
        self.port: int = self._connection.sock.getsockname()[1]

    def send(self, method: str, path: str, token: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the document of an answer."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.will_close:
            raise RuntimeError("the server closed a connection that had to stay open")
        return answer.status, json.loads(text)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


class EachProcess:
    """One connection to each web process of a server: `with EachProcess(server) as each:`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stack = ExitStack()
        self.connections: list[Pinned] = []

    def __enter__(self) -> Self:
        try:
            self._connect()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _connect(self) -> None:
        """Open connections until each process that serves has one."""
        serving = {pid for pid in self._server.pids()["web"] if _listens(pid, self._server.port)}
        found: dict[int, Pinned] = {}
        for _ in range(MOST_TRIED):
            pinned = Pinned(self._server)
            self._stack.callback(pinned.close)
            # An answer proves that the connection was accepted, and not only queued.
            pinned.send("GET", "/version", "")
            owner = next((pid for pid in serving if pinned.port in _peers(pid, self._server.port)), 0)
            found.setdefault(owner, pinned)
            if set(found) >= serving:
                break
        self.connections = [found[pid] for pid in serving]


def _rows(port: int) -> list[tuple[str, str, int]]:
    """Return the inode, the state and the peer's port of each socket of a local port."""
    rows = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            rows.append((fields[9], fields[3], int(fields[2].rpartition(":")[2], 16)))
    return rows


def _inodes(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _listens(pid: int, port: int) -> bool:
    mine = _inodes(pid)
    return any(inode in mine for inode, state, _ in _rows(port) if state == "0A")


def _peers(pid: int, port: int) -> set[int]:
    mine = _inodes(pid)
    return {peer for inode, state, peer in _rows(port) if state == ESTABLISHED and inode in mine}
