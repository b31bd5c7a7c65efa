"""Which triggers a move of a tag concerns. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TagMove:
    """A tag points elsewhere since the write that gave its stream `version`; a removed tag has no image any more.

    An image is a digest and the reference it was found by; a tag that is only a reference has no digest.
    """

    namespace: str
    stream: str
    tag: str
    digest: str
    reference: str
    previous_digest: str
    previous_reference: str
    reason: str
    actor: str
    moved_at: datetime
    version: int

    @property
    def removed(self) -> bool:
        """Whether the tag points nowhere any more."""
        return not (self.digest or self.reference)


@dataclass(frozen=True, slots=True)
class Listener:
    """What a trigger listens to: moves behind the version `since`; those up to `resumed` came while it was paused."""

    uid: str
    namespace: str
    stream: str
    tag: str
    since: int
    resumed: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A trigger that a move concerns; `held` says that later moves may replace this one before it is told."""

    uid: str
    held: bool


def matches(listeners: Iterable[Listener], move: TagMove) -> list[Match]:
    """Return the triggers that a move concerns."""
    return [
        Match(listener.uid, listener.paused or move.version <= listener.resumed)
        for listener in listeners
        if (listener.namespace, listener.stream, listener.tag) == (move.namespace, move.stream, move.tag)
        and move.version > listener.since
    ]


def is_news(move: TagMove, told: tuple[str, str] | None) -> bool:
    """Return whether what was held through a pause is still worth telling.

    `told` is the image (digest, reference) that the trigger told last; one that told nothing yet knows the image from
    before the pause.
    """
    known = told if told is not None else (move.previous_digest, move.previous_reference)
    return (move.digest, move.reference) != known
