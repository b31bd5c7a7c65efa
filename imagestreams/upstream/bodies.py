"""The bodies of answers, read within limits: whole, or piece by piece while the connection is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import requests
import urllib3
import urllib3.exceptions

from imagestreams.upstream.errors import Malformed, Unreachable
from imagestreams.upstream.failures import failure_of, request_line
from imagestreams.upstream.values import Deadline
from imagestreams.upstream.watchdog import Watch

ERROR_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024

FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError)
"""What the libraries raise for a request that fails."""


class Body:
    """The body of one answer, at most `limit` bytes of it, until a deadline; decoded, should it be compressed."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, method: str, url: str, *, limit: int, deadline: Deadline) -> None:
        self._raw = raw
        self._method = method
        self._url = url
        self._limit = limit
        self._deadline = deadline

    def whole(self) -> bytes:
        """Return a successful answer; raises Malformed when it is too large."""
        return b"".join(self.pieces())

    def start(self) -> bytes:
        """Return what there is of an answer up to the limit."""
        found = bytearray()
        while len(found) < self._limit and (piece := self._next(self._limit - len(found))):
            found += piece
        return bytes(found)

    def pieces(self) -> Iterator[bytes]:
        """Yield a successful answer as it comes; raises Malformed when it is too large."""
        left = self._limit
        while piece := self._next(left + 1):
            left -= len(piece)
            if left < 0:
                raise Malformed(f"{self._line}: the answer is larger than {self._limit} bytes")
            yield piece

    def _next(self, most: int) -> bytes:
        piece = b""
        if self._deadline.remaining():
            # read1 returns what is there, so that a server which drips bytes cannot outlast the deadline.
            piece = self._raw.read1(min(CHUNK_BYTES, most), decode_content=True)
        # What ends at the deadline was cut there.
        if not piece and not self._deadline.remaining():
            raise Unreachable(f"{self._line}: context deadline exceeded while reading body")
        return piece

    @property
    def _line(self) -> str:
        return request_line(self._method, self._url)


class Stream:
    """A body that is read by whoever asked for it, who has to close it; raises UpstreamError while it is read."""

    def __init__(self, body: Body, held: ExitStack, watch: Watch, method: str, url: str) -> None:
        self._body = body
        self._watch = watch
        self._held = held
        self._method = method
        self._url = url

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body.pieces()
        except FAULTS as error:
            if self._watch.was_cut:
                raise Unreachable(f"{request_line(self._method, self._url)}: context deadline exceeded") from None
            # Not chained: what the libraries say may hold a signed URL or a header.
            raise failure_of(error, method=self._method, url=self._url) from None

    def close(self) -> None:
        """Give back the connection and the place at the host."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
