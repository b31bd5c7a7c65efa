"""Imports whose processes are killed at marked points, and what is left of each once all is over."""

from __future__ import annotations

# What fills the registry is shared with the recorded conversations and has no annotations.
# mypy: allow-untyped-calls
import json
import re
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.conformance.odd_registry import Memory
from tests.conformance.registry_content import index
from tests.processes import wait_until
from tests.served.api import IMAGES, Api, Json
from tests.served.consumers import Keeper
from tests.served.tables import rows
from tests.server import Server

HOOK = Path(__file__).parent / "deaths"
DIGEST = re.compile("sha256:[0-9a-f]{64}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
VARYING = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
PATIENCE = 90.0


class Deaths:
    """The directory in which a server looks where to die; use as a context."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="deaths-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def arm(self, server: Server) -> None:
        """Let the processes of a server, which does not run yet, look here."""
        server.environ.update(PYTHONPATH=str(HOOK), DEATHS=self._folder.name)

    def ask(self, point: str, stream: str) -> None:
        """Ask that a process dies at a point of the import of a stream."""
        (Path(self._folder.name) / f"{point}.{stream}").touch()

    def wait(self, point: str, stream: str) -> None:
        """Wait until a process has died there."""
        died = Path(self._folder.name) / f"died-{point}.{stream}"
        wait_until(died.exists, seconds=PATIENCE, what=f"a process has died at {point}")


class Shop:
    """Streams that bring in an index and a tag that is missing, a tag that follows the first, and who hears of it."""

    def __init__(self, server: Server, host: str, store: Memory, keeper: Keeper) -> None:
        self.api = Api(server)
        self._host = host
        self._store = store
        self._keeper = keeper

    def prepare(self, stream: str) -> list[tuple[str, str]]:
        """Push what a stream brings in and let its moves be told; return its tags and where they come from."""
        index(self._store, f"kills/{stream}", stream, seed=stream)
        self.api.trigger(stream, f"{stream}:index", f"{self._keeper.url}/{stream}")
        place = f"{self._host}/kills/{stream}"
        return [("index", f"{place}:{stream}"), ("gone", f"{place}:gone")]

    def wish(self, stream: str) -> None:
        """Make a stream that wishes its tags, so that a worker brings them in."""
        tags = [
            {"name": tag, "from": {"kind": "DockerImage", "name": source}, "importPolicy": POLICY}
            for tag, source in self.prepare(stream)
        ]
        tags.append(FOLLOWER)
        self.api.post(self.api.place("imagestreams"), {"metadata": {"name": stream}, "spec": {"tags": tags}})

    def demand(self, stream: str) -> None:
        """Import the tags of a stream by request, again and again until there is an answer."""
        images = [
            {"from": {"kind": "DockerImage", "name": source}, "to": {"name": tag}, "importPolicy": POLICY}
            for tag, source in self.prepare(stream)
        ]
        self.api.post(self.api.place("imagestreams"), {"metadata": {"name": stream}, "spec": {"tags": [FOLLOWER]}})
        body = {"metadata": {"name": stream}, "spec": {"import": True, "images": images}}
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.api.post(self.api.place("imagestreamimports"), body)
                return
            except requests.ConnectionError:
                assert time.monotonic() < end, "there is no answer"
                time.sleep(0.2)

    # --- what is left

    def settle(self, stream: str) -> None:
        """Wait until nothing is left to do for a stream."""
        server = self.api.server
        place = {"namespace": self.api.namespace}

        def is_over() -> bool:
            deliveries = rows(server, "imagestreams_delivery", stream=stream, **place)
            told = [row for row in deliveries if row["state"] == "delivered"]
            return not rows(server, "imagestreams_due_import", name=stream, **place) and bool(told)

        wait_until(is_over, seconds=PATIENCE, what=f"the import of {stream} is over")

    def state(self, stream: str) -> Json:
        """Return all that there is of a stream, in words that are the same for streams of the same past."""
        server, place = self.api.server, {"namespace": self.api.namespace, "stream": stream}
        found = self.api.get(self.api.place(f"imagestreams/{stream}"))
        digests = list(dict.fromkeys(DIGEST.findall(json.dumps(found["status"]))))
        images = [self.api.get(f"{IMAGES}/images/{digest}") for digest in digests]
        members = [entry["digest"] for image in images for entry in image.get("dockerImageManifests") or []]
        images += [self.api.get(f"{IMAGES}/images/{digest}") for digest in members]
        moves = rows(server, "imagestreams_tag_event", **place)
        deliveries = rows(server, "imagestreams_delivery", **place)
        state = {
            "stream": found,
            "images": images,
            "moves": [[row["tag"], row["digest"], row["previous_digest"], row["position"]] for row in moves],
            "deliveries": [[row["tag"], row["state"]] for row in deliveries],
            "imports": len(rows(server, "imagestreams_due_import", namespace=place["namespace"], name=stream)),
        }
        return _plain(state, stream)


POLICY = {"insecure": True, "importMode": "PreserveOriginal"}
FOLLOWER: Json = {"name": "stable", "from": {"kind": "ImageStreamTag", "name": "index"}}


def _plain(state: Json, stream: str) -> Json:
    """Return a state with its names, digests and times replaced by what they stand for."""
    text = json.dumps(_without(state))
    text = re.sub(rf"\b{stream}\b", "STREAM", MOMENT.sub("TIME", text))
    for number, digest in enumerate(dict.fromkeys(DIGEST.findall(text))):
        text = text.replace(digest, f"DIGEST-{number}")
    plain: Json = json.loads(text)
    return plain


def _without(value: Any) -> Any:
    """Return a value without what differs between any two objects."""
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in VARYING}
    return [_without(item) for item in value] if isinstance(value, list) else value
