"""What was tried with which credential, during one import: it is not tried again in vain, and can be told of."""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from imagestreams.upstream.challenge import Challenge
from imagestreams.upstream.errors import TOKEN, Denied, NotFound, Rejected, Unauthorized, Unreachable, UpstreamError
from imagestreams.upstream.supply import Offer
from imagestreams.upstream.values import Credential, Deadline, Repository

MOST_KEPT = 256
KNOWN_CODES = frozenset({"MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"})
"""The error codes of a repository that is there, and is shown."""

Refusal = tuple[Repository, Credential | None, str]
"""A repository, a credential, and for what it was refused: `manifests`, `blobs`, `tags`, or empty for everything."""


class Verdict(Enum):
    """What a registry said to a credential."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    HIDDEN = "NotFound"
    FAILED = "NotAsked"


def verdict(error: UpstreamError | None) -> Verdict:
    """Return what an answer, or the error in its place, says of the credential that was used."""
    if error is None:
        return Verdict.ACCEPTED
    if isinstance(error, Unauthorized | Denied):
        return Verdict.REFUSED
    # An identity token that has ended is answered 400 (RFC 6749 §5.2).
    if isinstance(error, Rejected) and error.answered_by == TOKEN and error.status == 400:
        return Verdict.REFUSED
    if isinstance(error, NotFound) and error.answered_by != TOKEN:
        return Verdict.ACCEPTED if KNOWN_CODES & set(error.codes) else Verdict.HIDDEN
    return Verdict.FAILED


@dataclass(slots=True)
class Attempt:
    """One credential at one repository; `request` is its line in messages, `challenge` what was to be answered.

    `is_sent` tells that an authorization went out; `is_recalled` that the error is one that came before.
    """

    repository: Repository
    credential: Credential | None
    part: str
    request: str = ""
    challenge: Challenge | None = None
    scope: str = ""
    is_sent: bool = False
    is_recalled: bool = False
    error: UpstreamError | None = None

    @property
    def verdict(self) -> Verdict:
        """What the registry said."""
        return verdict(self.error)


class Attempts:
    """The attempts of one import, for all its threads.

    A credential that was refused is not shown again for the same; one of which nothing is known yet is shown by one
    thread first, so that a wrong password does not lock an account. With `recalls` false, refusals are forgotten.
    """

    def __init__(self, *, recalls: bool = True) -> None:
        self._recalls = recalls
        self._lock = threading.Lock()
        self._kept: dict[tuple[object, ...], Attempt] = {}
        self._accepted: set[tuple[Repository, Offer]] = set()
        self._refused: dict[Refusal, Attempt] = {}
        self._turns: dict[tuple[Repository, Credential | None], threading.Lock] = defaultdict(threading.Lock)

    def all(self) -> list[Attempt]:
        """Return the attempts, those with the same outcome once."""
        with self._lock:
            return list(self._kept.values())

    def ordered(self, repository: Repository, credentials: Sequence[Offer]) -> list[Offer]:
        """Return credentials in the order in which to try them: those that were accepted first."""
        with self._lock:
            accepted = {one for one in credentials if (repository, one) in self._accepted}
        return sorted(credentials, key=lambda one: one not in accepted) if accepted else list(credentials)

    def prefer(self, repository: Repository, accepted: Offer) -> None:
        """Let what was accepted be tried first from now on."""
        with self._lock:
            self._accepted.add((repository, accepted))

    def recall(self, attempt: Attempt) -> None:
        """Raise the error of an attempt that was refused before, told of the request that it is for now."""
        with self._lock:
            keys = [(attempt.repository, attempt.credential, part) for part in ("", attempt.part)]
            before = next((self._refused[key] for key in keys if key in self._refused), None)
        if before is None or before.error is None:
            return
        error = copy.copy(before.error)
        error.text = error.text.replace(before.request, attempt.request)
        error.args = (error.text,)
        attempt.is_recalled = True
        raise error

    def note(self, attempt: Attempt, error: UpstreamError | None) -> None:
        """Remember how an attempt went."""
        if attempt.is_recalled:
            return
        attempt.error = error
        outcome, place = attempt.verdict, (attempt.repository, attempt.credential)
        with self._lock:
            key = (*place, outcome, error.status if error else None, error.answered_by if error else "")
            if key in self._kept or len(self._kept) < MOST_KEPT:
                self._kept.setdefault(key, attempt)
            if outcome is Verdict.ACCEPTED:
                self._accepted.add(place)
            elif outcome is Verdict.REFUSED and error is not None and self._recalls:
                self._remember(attempt, error)

    def _remember(self, attempt: Attempt, error: UpstreamError) -> None:
        """Keep a refusal that would come again; the 403 of a registry may be about one image alone."""
        if error.answered_by == TOKEN and error.status is not None:
            self._refused[attempt.repository, attempt.credential, ""] = attempt
        elif error.status == 401 and (attempt.repository, attempt.credential) not in self._accepted:
            self._refused[attempt.repository, attempt.credential, attempt.part] = attempt

    @contextmanager
    def turn(self, attempt: Attempt, deadline: Deadline) -> Iterator[None]:
        """Let one thread at a time show a credential that was neither accepted nor refused so far."""
        place = (attempt.repository, attempt.credential)
        with self._lock:
            lock = self._turns[place]
        if attempt.credential is None or self._is_known(attempt):
            yield
            return
        if not lock.acquire(timeout=deadline.remaining()):
            raise Unreachable(f"{attempt.request}: context deadline exceeded")
        try:
            if not self._is_known(attempt):
                yield
                return
        finally:
            lock.release()
        # Whoever was before has found out: all others go on side by side.
        yield

    def _is_known(self, attempt: Attempt) -> bool:
        """Return whether a credential was accepted, or refused for the same."""
        place = (attempt.repository, attempt.credential)
        with self._lock:
            return place in self._accepted or any((*place, part) in self._refused for part in ("", attempt.part))
