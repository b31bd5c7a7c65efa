"""The mint of a process: credentials of cloud registries, kept while they count and made anew before they end.

made ───────────────── due ──────────── over
     kept for everybody    one makes the     nobody may use it: all wait
                           next, the others  for the one who makes the next
                           use this one
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from imagestreams.minting.identities import Ambient, Identity
from imagestreams.minting.minter import Minter
from imagestreams.upstream.errors import TOKEN, Denied, Permanent, Transient, Unauthorized, Unreachable, UpstreamError
from imagestreams.upstream.values import Credential, Deadline

logger = logging.getLogger(__name__)

KEPT = 1024
DUE_AFTER = 0.8
"""The part of its life after which the next credential is made."""

MARGIN_SECONDS = 60.0
MARGIN = 0.1
"""A credential is no longer used for the last minute of its life, or the last tenth of a short one."""

RENEWALS_APART_SECONDS = 300.0
"""Refusals lead to another credential no more often: where the second is refused, so will be the third."""

REFUSED_SECONDS = 60.0
SHORTEST_REST = 5.0
LONGEST_REST = 300.0

Minters = Callable[[Identity], Minter]
Key = tuple[Identity, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """A credential with the moments of its life."""

    credential: Credential
    due: float
    over: float


@dataclass(slots=True)
class _Place:
    """What is known for one identity and reach, and the lock of the one who makes what is next."""

    identity: Identity
    making: threading.Lock = field(default_factory=threading.Lock)
    kept: Kept | None = None
    failure: UpstreamError | None = None
    rests_until: float = 0.0
    failures: int = 0
    renews_from: float = 0.0


class Outcome(StrEnum):
    """What came of making a credential."""

    MADE = "Made"
    REFUSED = "Refused"
    FAILED = "Failed"


Tell = Callable[[Identity, Outcome], None]
Trust = Callable[[Mapping[str, str]], None]


def quiet(identity: Identity, outcome: Outcome) -> None:
    """Tell nobody what came of it."""


def trustless(authorities: Mapping[str, str]) -> None:
    """Trust nobody in addition."""


class Mint:
    """Gives credentials to all threads of a process; for each identity and reach one thread makes them.

    `tell` hears what came of each try, and `trust` which authorities to trust with single hosts.
    """

    def __init__(
        self,
        minters: Minters,
        *,
        tell: Tell = quiet,
        trust: Trust = trustless,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._minters = minters
        self._tell = tell
        self.trust = trust
        self._clock = clock
        self._lock = threading.Lock()
        self._places: OrderedDict[Key, _Place] = OrderedDict()

    def offer(self, identity: Identity, host: str, *, origin: object = None) -> Coin:
        """Return what gives the credentials of an identity for a registry; nothing is asked yet."""
        return Coin(identity, host, self, origin)

    def credential(self, identity: Identity, host: str, *, deadline: Deadline) -> Credential:
        """Return the credential of the moment; raises UpstreamError, for a while the one that was raised before."""
        minter = self._minters(identity)
        place = self._place((identity, minter.reach(host)))
        kept, now = place.kept, self._clock()
        if kept is None or now >= kept.over:
            with _alone(place, deadline):
                return self._next(place, minter, host, deadline)
        if now >= kept.due and now >= place.rests_until and place.making.acquire(blocking=False):
            try:
                return self._ahead(place, kept, minter, host, deadline)
            finally:
                place.making.release()
        return kept.credential

    def renewed(self, identity: Identity, host: str, refused: Credential, *, deadline: Deadline) -> Credential | None:
        """Return the credential in place of one that a registry refused; None when others were refused just now."""
        minter = self._minters(identity)
        place = self._place((identity, minter.reach(host)))
        with _alone(place, deadline):
            kept, now = place.kept, self._clock()
            if kept is not None and kept.credential == refused:
                if now < max(place.renews_from, place.rests_until):
                    return None
                place.renews_from = now + RENEWALS_APART_SECONDS
                # What is kept stays if this fails: it may be good for other repositories.
                return self._make(place, minter, host, deadline).credential
            return self._next(place, minter, host, deadline)

    def _place(self, key: Key) -> _Place:
        with self._lock:
            place = self._places.pop(key, None) or _Place(key[0])
            self._places[key] = place
            while len(self._places) > KEPT:
                self._places.popitem(last=False)
        return place

    def _next(self, place: _Place, minter: Minter, host: str, deadline: Deadline) -> Credential:
        """Return what is kept, else what is made now; the caller holds the lock."""
        now = self._clock()
        if place.kept is not None and now < place.kept.over:
            return place.kept.credential
        if place.failure is not None and now < place.rests_until:
            raise copy.copy(place.failure)
        return self._make(place, minter, host, deadline).credential

    def _ahead(self, place: _Place, kept: Kept, minter: Minter, host: str, deadline: Deadline) -> Credential:
        """Return the next credential, or the one that still counts when there is none; the caller holds the lock."""
        if place.kept is not kept and place.kept is not None:
            return place.kept.credential
        try:
            return self._make(place, minter, host, deadline).credential
        except UpstreamError:
            return kept.credential

    def _make(self, place: _Place, minter: Minter, host: str, deadline: Deadline) -> Kept:
        try:
            minted = minter.mint(host, deadline=deadline)
        except UpstreamError as error:
            failure = _told(error)
            if deadline.remaining():
                # Another caller may have the time that this one lacked.
                self._note(place, failure)
            self._tell(place.identity, Outcome.FAILED if isinstance(failure, Transient) else Outcome.REFUSED)
            logger.warning("no credential was made for %s: %s", host, failure.text)
            raise failure from None
        now, life = self._clock(), max(0.0, minted.seconds)
        over = now + life - min(MARGIN_SECONDS, life * MARGIN)
        place.kept = Kept(minted.credential, min(now + life * DUE_AFTER, over), over)
        place.failure, place.failures = None, 0
        self._tell(place.identity, Outcome.MADE)
        logger.info("a credential was made for %s, for %d seconds", host, life)
        return place.kept

    def _note(self, place: _Place, failure: UpstreamError) -> None:
        rest = REFUSED_SECONDS
        if isinstance(failure, Transient):
            rest = max(SHORTEST_REST * 2**place.failures, float(failure.retry_after))
        place.failures += 1
        place.failure, place.rests_until = failure, self._clock() + min(rest, LONGEST_REST)


@dataclass(frozen=True, slots=True)
class Coin:
    """What gives the credentials of one identity for one registry: a Supply of the registry client.

    `origin` says where the identity is kept.
    """

    identity: Identity
    host: str
    mint: Mint = field(repr=False, compare=False)
    origin: object = field(default=None, compare=False)

    @property
    def is_ambient(self) -> bool:
        """Whether it is this server's own identity."""
        return isinstance(self.identity, Ambient)

    def credential(self, *, deadline: Deadline) -> Credential:
        """Return the credential of the moment."""
        return replace(self.mint.credential(self.identity, self.host, deadline=deadline), origin=self.origin)

    def renewed(self, refused: Credential, *, deadline: Deadline) -> Credential | None:
        """Return another one in place of one that was refused; None when another would be no better."""
        found = self.mint.renewed(self.identity, self.host, refused, deadline=deadline)
        return replace(found, origin=self.origin) if found is not None else None


@contextmanager
def _alone(place: _Place, deadline: Deadline) -> Iterator[None]:
    if not place.making.acquire(timeout=deadline.remaining()):
        raise Unreachable("context deadline exceeded while waiting for a credential")
    try:
        yield
    finally:
        place.making.release()


def _told(error: UpstreamError) -> UpstreamError:
    """Return the error as that of a credential: what will not get better is a credential that there is not."""
    if isinstance(error, Permanent) and not isinstance(error, Unauthorized | Denied):
        return Unauthorized(error.text, status=error.status, answered_by=TOKEN)
    return error
