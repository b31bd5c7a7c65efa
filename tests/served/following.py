"""A client that follows a collection whatever happens to the server: it resumes where it was cut off."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Any, Self

import requests

from tests.served.api import Api

READ_SECONDS = 2.0
"""How long a watch lasts at most, so that a follower notices when it is no longer wanted."""


class Follower:
    """Watches from a version on, in a thread, and keeps the type, name and version of each event. Use as a context."""

    def __init__(self, api: Api, path: str) -> None:
        self.events: list[tuple[str, str, int]] = []
        self.resumed = 0
        self.errors: list[dict[str, Any]] = []
        self._url = api.url(path)
        self._session = api.server.client()
        self._version = str(api.get(path)["metadata"]["resourceVersion"])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def names(self) -> list[str]:
        """Return the names of the events so far."""
        return [name for _, name, _ in self.events]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._session.close()

    def _follow(self) -> None:
        while not self._ended.is_set() and not self.errors:
            try:
                self._watch()
            except requests.RequestException:
                self.resumed += 1
                self._ended.wait(0.05)

    def _watch(self) -> None:
        query = {"watch": "1", "resourceVersion": self._version, "timeoutSeconds": str(int(READ_SECONDS))}
        with self._session.get(self._url, params=query, stream=True, timeout=READ_SECONDS * 5) as response:
            response.raise_for_status()
            for line in response.iter_lines(chunk_size=None):
                if line.strip():
                    self._take(json.loads(line))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "ERROR":
            self.errors.append(frame["object"])
            return
        metadata = frame["object"]["metadata"]
        self._version = metadata["resourceVersion"]
        self.events.append((frame["type"], metadata["name"], int(self._version)))
