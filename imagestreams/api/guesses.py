"""Which images tags pointed to when they were last read: a guess at what to read with them the next time."""

from __future__ import annotations

import threading
from collections import OrderedDict

KEPT = 2000

Place = tuple[str, str, str]
"""The namespace and the name of a stream, and a tag."""


class Guesses:
    """The images of the tags that were read most recently, so many of them; whoever reads checks what he got."""

    def __init__(self, kept: int = KEPT) -> None:
        self._limit = kept
        self._images: OrderedDict[Place, str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, place: Place) -> str:
        """Return the digest of the image that a tag pointed to, or the empty string."""
        with self._lock:
            found = self._images.get(place, "")
            if found:
                self._images.move_to_end(place)
        return found

    def note(self, place: Place, digest: str) -> None:
        """Keep the image that a tag points to now; an empty digest is none."""
        with self._lock:
            self._images.pop(place, None)
            if digest:
                self._images[place] = digest
            if len(self._images) > self._limit:
                self._images.popitem(last=False)


guesses = Guesses()
