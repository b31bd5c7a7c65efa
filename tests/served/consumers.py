"""Consumers of events: the example that users are given, and one that keeps what it was sent."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from examples.consumer import SIGNATURE_HEADER, is_signed
from tests.processes import Program, free_port, wait_until
from tests.registries import Reply, Request, StandIn
from tests.server import ROOT

PATIENCE = 30.0


@contextmanager
def example(key: str, folder: Path, *, port: int = 0) -> Iterator[Program]:
    """Run `examples/consumer.py` with a key; what it prints is in its log."""
    command = [sys.executable, str(ROOT / "examples" / "consumer.py"), "--port", str(port or free_port())]
    environ = {"PATH": os.environ["PATH"], "REGISTRY_META_KEY": key}
    program = Program(command, log=folder / "consumer.log", environ=environ)
    try:
        program.wait_ready(lambda: bool(program.log.read_text()))
        yield program
    finally:
        program.stop()


def address(program: Program) -> str:
    """Return the URL at which an example listens, as it says itself."""
    return program.log.read_text().splitlines()[0].rpartition(" ")[2]


def printed(program: Program) -> list[str]:
    """Return what an example printed of events."""
    return program.log.read_text().splitlines()[1:]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it was sent, and when it came, in seconds since 1970."""

    request: Request
    time: float

    @property
    def event(self) -> dict[str, Any]:
        """What it says."""
        event: dict[str, Any] = json.loads(self.request.body)
        return event

    @property
    def move(self) -> tuple[str, str]:
        """The digests before and after."""
        data = self.event["data"]
        return data["previousImage"], data["image"]

    @property
    def seconds(self) -> float:
        """How long after the move it came."""
        return self.time - datetime.fromisoformat(self.event["time"]).timestamp()

    def is_signed(self, key: str) -> bool:
        """Return whether it was signed with a key."""
        return is_signed(self.request.body, self.request.headers[SIGNATURE_HEADER.lower()], key.encode())


class Keeper:
    """Keeps events, and accepts them unless it is `refusing`; while `gate` is closed, they wait. Use as a context."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.refusing = False
        self.gate = threading.Event()
        self.gate.set()
        self._site = StandIn(self._take)

    def __enter__(self) -> Keeper:
        self._site.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._site.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self._site.base}/events"

    def wait(self, count: int = 1, *, seconds: float = PATIENCE) -> list[Arrival]:
        """Return what came once it is so many; raises ProcessError when it is not in time."""
        wait_until(lambda: len(self.arrivals) >= count, seconds=seconds, what=f"{count} events have come")
        return list(self.arrivals)

    def _take(self, request: Request) -> Reply:
        self.arrivals.append(Arrival(request, time.time()))
        self.gate.wait()
        return Reply(503 if self.refusing else 204)
