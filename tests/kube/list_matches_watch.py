"""The promise that ties lists to watches: a list and the changes behind it make the next list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from tests.watching import Frame, watching

Objects = dict[tuple[str, str], dict[str, Any]]


def list_matches_watch(client: requests.Session, url: str, act: Callable[[], None], *, selector: str = "") -> None:
    """Assert that a list, with the changes that `act` makes as a watch tells them, equals the list afterwards."""
    query = {"labelSelector": selector} if selector else {}
    before = client.get(url, params=query).json()
    state = objects(before["items"])

    act()

    after = client.get(url, params=query).json()
    target = int(after["metadata"]["resourceVersion"])
    start = before["metadata"]["resourceVersion"]
    with watching(client, url, resourceVersion=start, timeoutSeconds=2, **query) as watch:
        for frame in watch:
            if version_of(frame) > target:
                break
            apply(frame, state)
    assert state == objects(after["items"])


def apply(frame: Frame, state: Objects) -> None:
    """Change the state as a frame says; an object is added once, and only what is there changes or goes."""
    document = frame["object"]
    place = place_of(document)
    if frame["type"] == "ADDED":
        assert place not in state, f"{place} was added twice"
    else:
        assert place in state, f"{frame['type']} of {place}, which was not there"
    if frame["type"] == "DELETED":
        del state[place]
    else:
        state[place] = bare(document)


def objects(items: list[dict[str, Any]]) -> Objects:
    """Return the items of a list by namespace and name."""
    return {place_of(item): bare(item) for item in items}


def bare(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without what items of a list may leave out."""
    return {key: value for key, value in document.items() if key not in ("kind", "apiVersion")}


def place_of(document: dict[str, Any]) -> tuple[str, str]:
    """Return where an object lives."""
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


def version_of(frame: Frame) -> int:
    """Return the version of a change."""
    return int(frame["object"]["metadata"]["resourceVersion"])
