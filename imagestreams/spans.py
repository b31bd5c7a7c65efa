"""From when to when something was used, put together from single moves. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stay:
    """A tag came to an image at `since`; the next move of the tag, if there was one, was at `until` and to `next`."""

    namespace: str
    stream: str
    tag: str
    reference: str
    since: datetime
    until: datetime | None = None
    next: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """The tag."""
        return self.namespace, self.stream, self.tag


def joined(stays: Iterable[Stay], image: str) -> list[Stay]:
    """Return how long tags stayed at an image, from single moves by tag and in order.

    A move from the image to itself, under another pull spec, ends nothing: the stay goes on, with the later pull spec.
    """
    found: list[Stay] = []
    for stay in stays:
        before = found[-1] if found else None
        if before is not None and before.place == stay.place and before.until is not None and before.next == image:
            found[-1] = replace(stay, since=before.since)
        else:
            found.append(stay)
    return found


def overlaps(
    since: datetime, until: datetime | None, *, begin: datetime | None = None, end: datetime | None = None
) -> bool:
    """Return whether a use reaches into the time from `begin` to `end`; what is None is open."""
    return (end is None or since <= end) and (begin is None or until is None or until > begin)
