"""Watches as tests read them: open one, act, and take the frames that come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

Frame = dict[str, Any]
PATIENCE = 20


class Watching:
    """An open watch; iterating over it gives frames until the server ends it."""

    def __init__(self, response: requests.Response) -> None:
        self._lines = response.iter_lines(chunk_size=None)

    def __iter__(self) -> Iterator[Frame]:
        for line in self._lines:
            if line.strip():
                frame: Frame = json.loads(line)
                yield frame

    def take(self, count: int) -> list[Frame]:
        """Return the next so many frames; fewer when the watch ends before."""
        return self.until(lambda frames: len(frames) >= count)

    def until(self, enough: Callable[[list[Frame]], bool]) -> list[Frame]:
        """Return the next frames up to the one that makes a condition on them true, or to the end of the watch."""
        frames: list[Frame] = []
        for frame in self:
            frames.append(frame)
            if enough(frames):
                break
        return frames


@contextmanager
def watching(client: requests.Session, url: str, **query: str | int) -> Iterator[Watching]:
    """Open a watch on a collection for as long as the context lasts, at most `PATIENCE` seconds."""
    parameters: dict[str, str | int] = {"watch": "1", "timeoutSeconds": PATIENCE, **query}
    with client.get(url, params=parameters, stream=True, timeout=PATIENCE + 5) as response:
        response.raise_for_status()
        yield Watching(response)


def steps(frames: list[Frame]) -> list[tuple[str, str]]:
    """Return the type of each frame and the name of its object."""
    return [(frame["type"], frame["object"].get("metadata", {}).get("name", "")) for frame in frames]
