"""The objects that a deletion of a collection has deleted, kept out of memory until they are told."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

IN_MEMORY = 1024 * 1024
PIECE = 64 * 1024


class Deleted:
    """Documents in the order of their deletion, in a temporary file once they are many; each is one line of JSON."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # closed once it is told
        self._count = 0
        self.version = 0
        self.continue_ = ""
        self.remaining: int | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, document: str) -> None:
        """Keep the document of an object, as it was."""
        self._file.write(document.encode() + b"\n")
        self._count += 1

    def close(self) -> None:
        """Give the documents up."""
        self._file.close()

    def documents(self) -> list[str]:
        """Return the documents all at once, and give them up."""
        with self._file:
            self._file.seek(0)
            return [line.rstrip(b"\n").decode() for line in self._file]

    def items(self) -> Iterator[bytes]:
        """Yield the documents as the items of a list, in pieces of some size, and give them up."""
        with self._file:
            self._file.seek(0)
            piece = bytearray()
            for number, line in enumerate(self._file):
                piece += b"," if number else b""
                piece += line.rstrip(b"\n")
                if len(piece) >= PIECE:
                    yield bytes(piece)
                    piece.clear()
            yield bytes(piece)
