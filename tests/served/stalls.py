"""A registry that can be made to stall, so that the moment within an import is certain."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import requests

from tests.registries import Distribution, Reply, Request, StandIn

PASSED_ON = ("Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version")
PATIENCE = 30


class Detour:
    """The way to a registry; while `gate` is closed, requests for manifests wait, and `reached` says that one does."""

    def __init__(self, registry: Distribution) -> None:
        self.reached = threading.Event()
        self.gate = threading.Event()
        self._registry = registry
        self._site = StandIn(self._pass)

    @property
    def host(self) -> str:
        """The name of this way in pull specs."""
        return self._site.host

    def __enter__(self) -> Self:
        self._site.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.gate.set()
        self._site.__exit__(kind, error, traceback)

    def _pass(self, request: Request) -> Reply:
        if "/manifests/" in request.path and not self.gate.is_set():
            self.reached.set()
            self.gate.wait()
        accepted = {"Accept": request.headers.get("accept", "*/*")}
        with requests.Session() as session:
            session.trust_env = False
            url = self._registry.base + request.path
            answer = session.request(request.method, url, params=request.query, headers=accepted, timeout=PATIENCE)
        headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        if request.method == "HEAD":
            headers["Content-Length"] = answer.headers["Content-Length"]
        return Reply(answer.status_code, answer.content, headers)
