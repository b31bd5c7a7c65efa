"""When a tag is looked at again, by how the last look went, and whose turn it is when there are too many. Pure.

all went well ─────────────▶ after its interval
transient, doubtful ───────▶ soon, a few times, each time later; then after its interval,
                             and what is doubtful less and less often
permanent ─────────────────▶ after its interval, each time after twice as long, up to a day
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest

SOON = (5.0, 15.0, 45.0, 120.0, 300.0)
"""The seconds before each of the attempts that follow a failure which may be over soon."""
LONGEST = 86400.0
"""The most seconds that failures put off a look at a tag whose interval is no longer."""
HOST_PAUSES = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""The seconds for which a registry that fails again and again is left alone, each time longer."""
LONGEST_WISH = 6 * 3600.0
"""The most seconds for which a registry is left alone because it wishes so."""


class Fault(StrEnum):
    """What kind of failure an import ended with, by what can be expected of another attempt."""

    NONE = ""
    TRANSIENT = "Transient"
    """The network, or a registry that is busy or broken: another attempt may succeed."""
    DOUBTFUL = "Doubtful"
    """An answer that makes no sense, a certificate that is not trusted: somebody will mend it, or not."""
    PERMANENT = "Permanent"
    """Not there, not allowed: another attempt fails until somebody changes something."""


def is_retried(fault: Fault) -> bool:
    """Return whether a failure is followed by attempts that nobody has to ask for."""
    return fault in (Fault.TRANSIENT, Fault.DOUBTFUL)


def is_soon(fault: Fault, failures: int) -> bool:
    """Return whether the attempt after so many failures in a row comes before the schedule."""
    return is_retried(fault) and failures <= len(SOON)


def delay(fault: Fault, failures: int, *, interval: int, jitter: float) -> timedelta:
    """Return how long a tag is left alone after a look at it, the last of so many failures in a row.

    `interval` is in seconds; `jitter` from 0 to 1 spreads what would come at once.
    """
    if is_soon(fault, failures):
        return timedelta(seconds=min(SOON[failures - 1], interval) * (0.75 + jitter / 2))
    return timedelta(seconds=_rest(fault, failures, interval) * (0.95 + jitter / 10))


def _rest(fault: Fault, failures: int, interval: int) -> float:
    doublings = {Fault.PERMANENT: failures - 1, Fault.DOUBTFUL: failures - len(SOON) - 1}.get(fault, 0)
    return max(min(interval * 2.0 ** min(max(doublings, 0), 32), LONGEST), float(interval))


def first(*, interval: int, jitter: float) -> timedelta:
    """Return how long after it was scheduled a tag is looked at: many that come at once are spread at once."""
    return timedelta(seconds=interval * (0.5 + jitter / 2))


def host_pause(failures: int, *, wish: float, jitter: float) -> timedelta:
    """Return how long a registry is left alone: as long as it wishes, or longer with each failure in a row."""
    seconds = min(wish, LONGEST_WISH) if wish > 0 else HOST_PAUSES[min(max(failures, 1), len(HOST_PAUSES)) - 1]
    return timedelta(seconds=seconds * (1 + jitter / 10))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A tag whose time has come: the row, its registry, its stream, and since when it is due."""

    row: int
    host: str
    stream: tuple[str, str]
    due_at: datetime


def fair(waiting: Iterable[Waiting], *, limit: int) -> list[int]:
    """Return the rows that are next: by turns between hosts, and within a host those due longest.

    Each further tag of a stream counts as due a second later, so that a stream of thousands lets others in between.
    """
    hosts: dict[str, list[Waiting]] = {}
    for each in sorted(waiting, key=lambda one: one.due_at):
        hosts.setdefault(each.host, []).append(each)
    lines = [_in_line(line) for line in hosts.values()]
    turns = (each.row for turn in zip_longest(*lines) for each in turn if each is not None)
    return [row for row, _ in zip(turns, range(limit), strict=False)]


def _in_line(line: list[Waiting]) -> list[Waiting]:
    before: Counter[tuple[str, str]] = Counter()
    ranked: list[tuple[datetime, int, Waiting]] = []
    for place, each in enumerate(line):
        ranked.append((each.due_at + timedelta(seconds=before[each.stream]), place, each))
        before[each.stream] += 1
    return [each for _, _, each in sorted(ranked, key=lambda entry: entry[:2])]
