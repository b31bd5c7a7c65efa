"""Which tag of an upstream repository a tag that follows a rule stands for, and why. Pure.

    tags as listed ──Tally──▶ the best few ──to_ask──▶ whose content is looked up ──decide──▶ Election

What was elected last is the mark. The tag never goes below it, whatever a registry lists, unless the rule is changed so
that the mark is none of its tags any more, or the rule names the mark as one that may be left (`allow-lower`).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from imagestreams.follow import ALLOW_LOWER, Order, Rule
from registry_meta.kube.meta import timestamp

KEPT = 20
"""How many tags are kept of those that are old enough, and of those that are not."""

ASKED = 3
"""Of how many of each the content is looked up."""

CONFIRMED = 3
"""How often a list must have come that is far shorter than the one before."""


class Reason(StrEnum):
    """Why a tag stands where it stands, in one word."""

    NEWEST = "Newest"
    WAITING = "Waiting"
    START = "Start"
    NO_MATCH = "NoMatch"
    GONE = "Gone"
    LIST_SHRANK = "ListShrank"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A tag that is listed: since when it has been seen, and whether it was there at the first listing."""

    tag: str
    since: datetime
    existing: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What a tag points to: since when that has been seen, and whether it is the first that was seen there."""

    digest: str
    since: datetime
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """What was elected last; without a digest where the tag was followed whatever it pointed to."""

    tag: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Election:
    """What a tag stands for: an upstream tag, or one of its digests; `stays` where nothing is to be fetched.

    Without a tag there is none to stand for. `wakes_at` is when another tag will be old enough.
    """

    tag: str
    reason: Reason
    message: str
    digest: str = ""
    stays: bool = False
    wakes_at: datetime | None = None

    @property
    def is_elected(self) -> bool:
        """Whether the tag is what the rule wants, as far as the registry lists it."""
        return bool(self.tag) and self.reason in (Reason.NEWEST, Reason.WAITING)


Rank = tuple[Any, bool, int, str]
"""What orders tags from lower to higher; where the rule sees no difference, the mark is highest, then short names."""

_Ranked = tuple[Rank, Sighting]


class Tally:
    """Takes the tags of a repository one by one and keeps the highest; its size does not depend on how many there are.

    `known` are the sightings of mark and start, as far as there are any. A mark that the rule would not elect is none.
    """

    def __init__(
        self, rule: Rule, *, now: datetime, mark: Mark | None = None, start: str = "", known: Sequence[Sighting] = ()
    ) -> None:
        sightings = {seen.tag: seen for seen in known}
        self.rule = rule
        self.now = now
        self.start = start
        is_valid = mark is not None and self._key(mark.tag, sightings.get(mark.tag)) is not None
        self.mark = mark if is_valid else None
        self.floor = self.mark.tag if self.mark is not None else start
        """The tag that nothing may be below: the mark, or where it starts."""
        self._least = self._key(self.floor, sightings.get(self.floor)) if self.floor else None
        self._at_floor: _Ranked | None = None
        self._old: list[_Ranked] = []
        self._young: list[_Ranked] = []
        self._below: tuple[Rank, str] | None = None

    @property
    def below(self) -> str:
        """The highest tag below the mark, where the rule does not allow to go there."""
        return self._below[1] if self._below is not None and self.rule.allow_lower != self.floor else ""

    def add(self, seen: Sighting) -> None:
        """Take a tag that is listed."""
        key = self._key(seen.tag, seen)
        if key is None:
            return
        rank = (key, seen.tag == self.floor, -len(seen.tag), seen.tag)
        if seen.tag == self.floor:
            self._at_floor = (rank, seen)
            return
        if self._least is not None and key < self._least:
            if self._below is None or rank > self._below[0]:
                self._below = (rank, seen.tag)
            if self.rule.allow_lower != self.floor:
                return
        _keep_highest(self._old if self._is_old(seen) else self._young, rank, seen)

    def ranked(self) -> list[Sighting]:
        """Return the tags that may be elected, the highest first."""
        found = [*self._old, *self._young, *([self._at_floor] if self._at_floor is not None else [])]
        if self._least is not None and (self._at_floor is not None or self.rule.allow_lower != self.floor):
            found = [each for each in found if each[0][0] >= self._least]
        return [seen for _, seen in sorted(found, key=lambda each: each[0], reverse=True)]

    def to_ask(self) -> list[str]:
        """Return the tags whose content must be known: none where age is of no matter."""
        if not self.rule.min_age:
            return []
        ranked = self.ranked()
        old = [seen.tag for seen in ranked if self._is_old(seen)][:ASKED]
        young = [seen.tag for seen in ranked if not self._is_old(seen)][:ASKED]
        marked = [self.mark.tag] if self.mark is not None and self._at_floor is not None else []
        return list(dict.fromkeys([*young, *old, *marked]))

    def admitted(self, seen: Sighting, contents: Mapping[str, Content]) -> datetime | None:
        """Return from when on a tag may be elected with the content that it has; None where that is not known."""
        if not self.rule.min_age or (self.mark is None and seen.tag == self.start):
            return self.now
        content = contents.get(seen.tag)
        if content is None:
            return None
        if self.mark is not None and seen.tag == self.mark.tag and self.mark.digest in ("", content.digest):
            return self.now
        if self._is_trusted(seen) and content.is_first:
            return self.now
        return max(seen.since, content.since) + self.rule.min_age

    def _key(self, tag: str, seen: Sighting | None) -> Any:
        value = self.rule.value(tag)
        if value is None or self.rule.order is not Order.NEWEST:
            return value
        return None if seen is None else (seen.since, value)

    def _is_trusted(self, seen: Sighting) -> bool:
        return self.rule.trust_existing and seen.existing

    def _is_old(self, seen: Sighting) -> bool:
        return seen.tag == self.floor or self._is_trusted(seen) or seen.since + self.rule.min_age <= self.now


def _keep_highest(heap: list[_Ranked], rank: Rank, seen: Sighting) -> None:
    """Put a tag among the highest, in place, unless it is lower than all of them or there already."""
    if len(heap) == KEPT and rank < heap[0][0]:
        return
    if any(rank == other for other, _ in heap):
        return
    heapq.heappush(heap, (rank, seen))
    if len(heap) > KEPT:
        heapq.heappop(heap)


def decide(tally: Tally, contents: Mapping[str, Content], *, doubted: bool = False) -> Election:
    """Return what is elected; a list is `doubted` while it is far shorter than it was and that is not confirmed."""
    mark, waiting = tally.mark, list[tuple[datetime, str]]()
    if doubted and mark is not None:
        message = (
            f"{mark.tag} stays, for the registry lists far fewer tags than before; that must be seen {CONFIRMED} times"
        )
        return Election(mark.tag, Reason.LIST_SHRANK, message, stays=True)
    for seen in tally.ranked():
        moment = tally.admitted(seen, contents)
        is_admitted = moment is not None and moment <= tally.now
        if moment is not None and not is_admitted:
            waiting.append((moment, seen.tag))
        if is_admitted or (mark is not None and seen.tag == mark.tag):
            return _elected(seen.tag, contents, tally.rule, stays=not is_admitted, waiting=waiting)
    return _none(tally, waiting)


def _elected(
    tag: str, contents: Mapping[str, Content], rule: Rule, *, stays: bool, waiting: list[tuple[datetime, str]]
) -> Election:
    digest = contents[tag].digest if rule.min_age and tag in contents else ""
    reason = Reason.WAITING if waiting else Reason.NEWEST
    message = f"{tag} is elected by {rule}{_waits(waiting, rule, elected=tag)}"
    return Election(tag, reason, message, digest, stays=stays, wakes_at=_first(waiting))


def _none(tally: Tally, waiting: list[tuple[datetime, str]]) -> Election:
    """Return what there is where no listed tag may be elected."""
    rule, later, wakes_at = tally.rule, _waits(waiting, tally.rule), _first(waiting)
    if tally.mark is not None:
        tag, why = tally.mark.tag, f"{tally.mark.tag} stays, which is not listed any more"
        if tally.below:
            why += f"; {tally.below} is lower, and is elected only with {ALLOW_LOWER}: {tag}"
        return Election(tag, Reason.GONE, why + later, stays=True, wakes_at=wakes_at)
    if tally.start:
        why = f"{tally.start} is where it starts, and no other tag is elected by {rule}"
        return Election(tally.start, Reason.START, why + later, wakes_at=wakes_at)
    if waiting:
        return Election("", Reason.WAITING, f"no tag is elected by {rule} yet{later}", wakes_at=wakes_at)
    return Election("", Reason.NO_MATCH, f"no tag is elected by {rule}: none that is listed fits")


def _first(waiting: list[tuple[datetime, str]]) -> datetime | None:
    return min(waiting)[0] if waiting else None


def _waits(waiting: list[tuple[datetime, str]], rule: Rule, *, elected: str = "") -> str:
    """Say which tag may be elected next: the one that is there first, so that later ones change nothing."""
    if not waiting:
        return ""
    moment, tag = min(waiting)
    what = "its new image" if tag == elected else tag
    return f"; {what} waits until {timestamp(_whole(moment))} (min-age {rule.min_age_text})"


def _whole(moment: datetime) -> datetime:
    """Return a moment or the next whole second after it."""
    return moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)
