"""The body of a request on its way over the network: all of it, or an error.

Over HTTP/2 a body is read in one go: asked for a number of bytes, the web server would look for them for ever in a
stream that was reset. Over HTTP/1 that number is what bounds a body in chunks.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Protocol

from registry_meta.kube import errors

LONGEST = 8 * 1024 * 1024
"""The longest body (bytes) that is read in one go; the API takes less."""

PIECE = 1024 * 1024
KEY = "registry_meta.body"
"""Where the environ of a request has its Body."""

SHORT = "the body of the request ended before its Content-Length"


class Source(Protocol):
    """What the web server reads a body with (`wsgi.input`)."""

    def read(self, size: int | None = None, /) -> bytes:
        """Return so many bytes, fewer at the end of the body alone; all without a number, none of a broken body."""


class Body:
    """The body of one request, a `wsgi.input` itself; `content` is what `arrive` has read."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._source: Source = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH") or ""
        self.length: int | None = int(length) if length.isascii() and length.isdigit() else None
        self.speaks_http1 = not str(environ.get("SERVER_PROTOCOL", "")).startswith("HTTP/2")
        self._came = 0
        # Over HTTP/1 a body has a length or comes in chunks (RFC 9112, section 6.3).
        self._ended = self.length == 0 or (
            self.length is None and self.speaks_http1 and "HTTP_TRANSFER_ENCODING" not in environ
        )
        self._whole: io.BytesIO | None = None
        self.content: bytes | None = None

    @property
    def is_to_come(self) -> bool:
        """Whether a read may have to wait for the client."""
        return not self._ended and self.content is None

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, all that there are when no size is given; raises 400 or 413."""
        return self._read(size if size >= 0 else LONGEST)

    def readline(self, size: int = -1) -> bytes:
        """Return the next bytes: nobody reads bodies line by line."""
        return self.read(size)

    def arrive(self, most: int) -> None:
        """Read the body, and of a longer one no more than `most` bytes and one; raises 400 or 413."""
        if self.content is None:
            is_known_too_long = self.length is not None and self.length > most
            self.content = b"" if is_known_too_long else self._read(most + 1)

    def is_longer_than(self, most: int) -> bool:
        """Return whether a body that arrived has more bytes."""
        return (self.length or 0) > most or len(self.content or b"") > most

    def drain(self, most: int) -> None:
        """Read what is left over HTTP/1, where others wait for the connection; not of more than `most` bytes."""
        if not self.speaks_http1 or (self.length is not None and self.length > most):
            return
        try:
            while not self._ended and self._came < most:
                self._read(PIECE)
        except errors.StatusError:
            return

    def _read(self, size: int) -> bytes:
        if not self.speaks_http1:
            self._whole = self._whole or io.BytesIO(self._collected())
            return self._whole.read(size)
        if self.length is not None:
            size = min(size, self.length - self._came)
        if self._ended or size <= 0:
            return b""
        found = self._source.read(size)
        self._came += len(found)
        self._ended = len(found) < size or self._came == self.length
        if self.length is not None and len(found) < size:
            raise errors.bad_request(SHORT)
        return bytes(found)

    def _collected(self) -> bytes:
        if self.length is not None and self.length > LONGEST:
            raise errors.too_large(LONGEST)
        found = b"" if self.length == 0 else bytes(self._source.read())
        self._ended = True
        if self.length is not None and len(found) != self.length:
            raise errors.bad_request(SHORT)
        return found


def body_of(environ: dict[str, Any]) -> Body:
    """Return the body of a request, the same each time."""
    known = environ.get(KEY)
    if not isinstance(known, Body):
        known = environ[KEY] = Body(environ)
    return known
