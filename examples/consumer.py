"""A consumer of image events: verifies each request, ignores repeats, and prints what moved.

    REGISTRY_META_KEY=… python3 examples/consumer.py [--port 9090] [--seen FILE]

It needs nothing but Python's standard library. The key is the one in the Secret that the ImageTrigger names. Speak to
it over loopback, or put it behind something that ends TLS.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

SIGNATURE_HEADER = "X-Registry-Meta-Signature-256"
CONTENT_TYPE = "application/cloudevents+json"
TYPE = "io.registry-meta.image.tag.moved.v1"
LARGEST_BODY = 1024 * 1024
SECONDS = 10


def is_signed(body: bytes, header: str, key: bytes) -> bool:
    """Return whether a signature header fits a body, in a time that does not tell how nearly it does."""
    expected = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), header.encode())


class Seen:
    """The ids of events that were acted on, kept in a file if one is named, so that repeats do nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = Lock()
        self._ids = set(path.read_text().split()) if path is not None and path.exists() else set()

    def add(self, event_id: str) -> bool:
        """Remember an id; return whether it is new."""
        with self._lock:
            if event_id in self._ids:
                return False
            self._ids.add(event_id)
            if self._path is not None:
                with self._path.open("a") as kept:
                    print(event_id, file=kept)
            return True


def describe(event: dict[str, object]) -> str:
    """Return a line that says what moved."""
    data = event["data"]
    if not isinstance(data, dict):
        raise ValueError("the event has no data")
    before = data["previousImage"] or data["previousReference"] or "nothing"
    after = data["image"] or data["reference"]
    place = f"{data['namespace']}/{data['stream']}:{data['tag']}"
    return f"{place} moved from {before} to {after} ({data['reason']}, by {data['actor']})"


class Consumer(BaseHTTPRequestHandler):
    """Answers 204 to an event, 401 to what is not signed with the key, and 400 to what is no event."""

    key = b""
    seen = Seen()
    timeout = SECONDS

    def do_POST(self) -> None:
        """Take one event."""
        body = self._body()
        if body is None:
            self._answer(413)
        elif not is_signed(body, self.headers.get(SIGNATURE_HEADER, ""), self.key):
            self._answer(401)
        else:
            self._answer(self._take(body))

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return None
        return self.rfile.read(int(length))

    def _take(self, body: bytes) -> int:
        """Act on a signed body and return the status of the answer."""
        try:
            event = json.loads(body)
            line = describe(event)
            is_known = event["specversion"] == "1.0" and event["type"] == TYPE
            event_id = str(event["id"])
        except (ValueError, KeyError, TypeError):
            return 400
        if not is_known:
            return 400
        if self.seen.add(event_id):
            print(line, flush=True)
        return 204

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of requests as such."""


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=9090)
    parser.add_argument("--seen", type=Path, help="a file that remembers events across restarts")
    arguments = parser.parse_args()
    Consumer.key = os.environ.get("REGISTRY_META_KEY", "").encode()
    if not Consumer.key:
        print("set REGISTRY_META_KEY to the key that events are signed with", file=sys.stderr)
        return 2
    Consumer.seen = Seen(arguments.seen)
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Consumer)
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
