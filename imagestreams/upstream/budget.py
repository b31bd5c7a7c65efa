"""How often a registry may be asked: as often as this server allows itself, and as the registry allows.

    ask ──► the registry said stop? ──► Limited, at once and without a request (a short stop is waited for)
     │
     └──► a place in the row: one request each `1 / per_second`, some of them at once after a pause
     │
     └──► the answer: 429, Retry-After and RateLimit-* are noted for all who ask

What is noted belongs to a host and a payer: registries count by account, or by address for those who have none. Some
count pulls alone (Docker Hub: GET of a manifest), so that a check by HEAD goes on when no pull is left.

While a stop lasts, those who are not let through are told what the registry said when it began: a limit that goes on
is told in the same words, whether the registry was asked or not.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from imagestreams.upstream.errors import Limited
from imagestreams.upstream.values import Deadline

PATIENCE = 3.0
"""The seconds that a request waits for a registry that said stop."""
LONGEST_STOP = 6 * 3600.0
FIRST_PAUSE = 2.0
GROWTH = 3
LONGEST_PAUSE = 300.0
FORGIVEN_AFTER = 30.0
"""The seconds of peace after a stop that take back one growth of the next pause."""
BELIEVED_SECONDS = 900.0
"""How long a remaining quota is taken for true: it may have grown again meanwhile."""
RESERVE = 0.1
"""The part of a quota that the schedule leaves to people."""
QUEUE_SECONDS = 1.0
"""How far ahead the schedule takes places in the row, so that people come in between."""
KEPT_PLACES = 4096
LONGEST_WORDS = 4096
"""How many characters are kept of what a registry said."""
WORDS_SECONDS = 3600.0
"""How long after a stop its words are those of another one of which nothing was said, as of a HEAD."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a host may be asked: requests a second, 0 for any number; some seconds of silence are saved up."""

    per_second: float = 0.0
    saved_seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to ask what: `counted` for a pull, `background` for the schedule; a payer is a name without secret."""

    host: str
    payer: str = ""
    counted: bool = False
    background: bool = False


class Verdict(Enum):
    """What is said to somebody who wants to ask."""

    GO = "go"
    LATER = "later"
    STOPPED = "stopped"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict and its seconds: before the request, before asking anew, or until the registry is open again."""

    verdict: Verdict
    seconds: float
    words: str = ""
    """What the registry said when it was closed, if anything."""


@dataclass(frozen=True, slots=True)
class News:
    """What an answer says: `stop` in seconds (0 for a 429 that names none, None for no stop), and the quota if any.

    `pulls_only` tells that a stop is for pulls; `words` is what was said of it, without secrets, if anything.
    """

    stop: float | None = None
    pulls_only: bool = False
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    words: str = ""

    @property
    def believed_seconds(self) -> float:
        """How long the quota is taken for true."""
        return min(self.reset or BELIEVED_SECONDS, BELIEVED_SECONDS)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a host and a payer; moments are seconds of the clock of the ledger."""

    stopped_until: float = 0.0
    pulls_until: float = 0.0
    strikes: int = 0
    limit: int = 0
    remaining: int = 0
    believed_until: float = 0.0
    words: str = ""

    def closed_for(self, asker: Asker, now: float) -> float:
        """Return the seconds for which the registry wants no such request."""
        until = max(self.stopped_until, self.pulls_until) if asker.counted else self.stopped_until
        return max(0.0, until - now)

    def reserved_for(self, asker: Asker, now: float) -> float:
        """Return the seconds for which what remains of the quota is for people."""
        is_low = self.remaining <= self.limit * RESERVE
        if asker.counted and asker.background and is_low and self.believed_until > now:
            return self.believed_until - now
        return 0.0

    def pulled(self) -> Standing:
        """Return what is known after a pull whose answer is not there yet."""
        return replace(self, remaining=max(0, self.remaining - 1))

    def after(self, news: News, now: float) -> Standing:
        """Return what is known when an answer came."""
        found = self
        if news.limit is not None and news.remaining is not None:
            until = now + news.believed_seconds
            found = replace(found, limit=news.limit, remaining=news.remaining, believed_until=until)
        return found if news.stop is None else found._stopped(news.stop, news.pulls_only, now, news.words)

    def _stopped(self, seconds: float, pulls_only: bool, now: float, words: str) -> Standing:
        until = max(self.stopped_until, self.pulls_until)
        strikes = max(0, self.strikes - int(max(0.0, now - until) / FORGIVEN_AFTER))
        # Those who were under way when the stop was told are no further reason.
        if not seconds and until <= now:
            strikes += 1
        pause = seconds or min(FIRST_PAUSE * GROWTH ** (max(strikes, 1) - 1), LONGEST_PAUSE)
        end = now + min(pause, LONGEST_STOP)
        found = replace(self, strikes=strikes, words=self._words(words[:LONGEST_WORDS], now - until))
        if pulls_only:
            return replace(found, pulls_until=max(self.pulls_until, end))
        return replace(found, stopped_until=max(self.stopped_until, end))

    def _words(self, said: str, past: float) -> str:
        """Return the words of a stop, some seconds past the end of the one before: the first while one lasts."""
        is_first = past >= 0 or not self.words
        return said if is_first and (said or past > WORDS_SECONDS) else self.words


def place_in_row(due: float, pace: Pace, *, background: bool, now: float) -> tuple[Ruling, float]:
    """Return what is said to the next one in the row of a host, and when the one after that is due.

    After silence some go at once; the schedule uses half of what was saved, and takes no place far ahead.
    """
    if pace.per_second <= 0:
        return Ruling(Verdict.GO, 0.0), due
    due = max(due, now - pace.saved_seconds)
    wait = max(0.0, due + (pace.saved_seconds / 2 if background else 0.0) - now)
    if background and wait > QUEUE_SECONDS:
        return Ruling(Verdict.LATER, wait), due
    return Ruling(Verdict.GO, wait), due + 1 / pace.per_second


class Ledger(Protocol):
    """Where it is noted who may ask; processes may share one."""

    def ask(self, asker: Asker, pace: Pace) -> Ruling:
        """Say whether somebody may ask, and count him if so."""

    def tell(self, asker: Asker, news: News) -> Standing:
        """Note what an answer says, and return what is known then, with moments as seconds from now."""

    def delay(self, host: str, *, background: bool) -> float:
        """Return the seconds until anybody may pull from a host."""


@dataclass(slots=True)
class _Host:
    due: float = 0.0
    standings: dict[str, Standing] = field(default_factory=dict)


class LocalLedger:
    """A ledger in the memory of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    def ask(self, asker: Asker, pace: Pace) -> Ruling:
        """Say whether somebody may ask, and count him if so."""
        with self._lock:
            now, host = self._clock(), self._host(asker.host)
            standing = host.standings.get(asker.payer)
            if standing is not None:
                if closed := standing.closed_for(asker, now):
                    return Ruling(Verdict.STOPPED, closed, standing.words)
                if reserved := standing.reserved_for(asker, now):
                    return Ruling(Verdict.RESERVED, reserved)
            ruling, host.due = place_in_row(host.due, pace, background=asker.background, now=now)
            if standing is not None and asker.counted and ruling.verdict is Verdict.GO:
                host.standings[asker.payer] = standing.pulled()
            return ruling

    def tell(self, asker: Asker, news: News) -> Standing:
        """Note what an answer says, and return what is known then, with moments as seconds from now."""
        with self._lock:
            now, host = self._clock(), self._host(asker.host)
            standing = host.standings.get(asker.payer, Standing()).after(news, now)
            host.standings[asker.payer] = standing
            while len(host.standings) > KEPT_PLACES:
                del host.standings[next(iter(host.standings))]
            return relative(standing, now)

    def delay(self, host: str, *, background: bool) -> float:
        """Return the seconds until anybody may pull from a host."""
        with self._lock:
            now = self._clock()
            standings = list(self._hosts[host].standings.values()) if host in self._hosts else []
        return shortest_delay(standings, Asker(host, counted=True, background=background), now)

    def _host(self, name: str) -> _Host:
        host = self._hosts.setdefault(name, _Host())
        self._hosts.move_to_end(name)
        while len(self._hosts) > KEPT_PLACES:
            self._hosts.popitem(last=False)
        return host


def relative(standing: Standing, now: float) -> Standing:
    """Return what is known, with its moments as seconds from now."""
    return replace(
        standing,
        stopped_until=max(0.0, standing.stopped_until - now),
        pulls_until=max(0.0, standing.pulls_until - now),
        believed_until=max(0.0, standing.believed_until - now),
    )


def shortest_delay(standings: list[Standing], asker: Asker, now: float) -> float:
    """Return the seconds until the first of several payers may ask; payers of whom nothing is known are not there."""
    delays = [max(one.closed_for(asker, now), one.reserved_for(asker, now)) for one in standings]
    return min(delays, default=0.0)


Observer = Callable[[str, Standing], None]
"""Who is told what is known of a host whenever there is news of it; moments are seconds from now."""


class Budget:
    """Lets requests through as the ledger says, and notes what the answers to them say."""

    def __init__(self, ledger: Ledger, *, pace: Pace, observe: Observer | None = None) -> None:
        self._ledger = ledger
        self._pace = pace
        self._observe = observe

    def admit(self, asker: Asker, *, deadline: Deadline) -> None:
        """Wait for a place in the row; raises Limited, before anything is sent, when there is none in time."""
        while True:
            ruling = self._ledger.ask(asker, self._pace)
            left = deadline.remaining()
            if ruling.verdict is Verdict.GO:
                if ruling.seconds > left:
                    raise _limited(asker, ruling)
                time.sleep(ruling.seconds)
                return
            is_short = ruling.verdict is Verdict.LATER or ruling.seconds <= PATIENCE
            if ruling.verdict is Verdict.RESERVED or not is_short or ruling.seconds >= left:
                raise _limited(asker, ruling)
            time.sleep(_spread(ruling.seconds))

    def heard(self, asker: Asker, news: News | None) -> str:
        """Note what an answer said about the next ones; return the words for a stop, as others are told of it."""
        if news is None:
            return ""
        standing = self._ledger.tell(asker, news)
        if self._observe is not None:
            self._observe(asker.host, standing)
        return standing.words or _closed(asker.host)

    def delay(self, host: str, *, background: bool = True) -> float:
        """Return the seconds for which an import from a host would be Limited whoever pays, spread a little, else 0."""
        seconds = self._ledger.delay(host, background=background)
        return _spread(seconds) if seconds else 0.0


def _spread(seconds: float) -> float:
    """Return a little more than some seconds, so that not all who wait come at once."""
    return seconds + random.random() * min(1.0 + seconds / 10, 60.0)  # noqa: S311 - spreads load


def _limited(asker: Asker, ruling: Ruling) -> Limited:
    seconds = math.ceil(ruling.seconds)
    # The words name no number: a condition of a tag is written anew whenever its words change.
    text = ruling.words or _closed(asker.host)
    if ruling.verdict is Verdict.RESERVED:
        text = f"toomanyrequests: what is left of the quota at {asker.host} is kept for imports on request"
    return Limited(text, retry_after=seconds, codes=["TOOMANYREQUESTS"], status=None)


def _closed(host: str) -> str:
    return f"toomanyrequests: {host} allows no more requests for now"
