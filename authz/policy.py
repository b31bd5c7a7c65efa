"""The policy in force: read once into memory, and kept current by one look at the counters for each request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db import connection

from authz.grants import KEYS, Grants, Row, grants
from authz.rules import Attributes, Decision
from registry_meta.kube import changes, marks
from registry_meta.kube.models import Change
from registry_meta.kube.request import Actor

MARK = "policy"
"""The counter that moves with every role, binding and group."""

TOKENS = "tokens"
"""The counter that moves when a token ends."""

marks.follow(MARK, TOKENS)

_KINDS = ", ".join(f"'{key}'" for key in KEYS)
PAGE = 500
"""How many objects are read at a time: what is kept of them is a small part of their documents."""

LOOK_SECONDS = 60.0
"""How often a process notes that nothing has changed: it can follow the log from there, although it is short."""

AFTER = (
    "SELECT namespace, name, document FROM kube_object"
    " WHERE resource = %s AND (namespace, name) > (%s, %s) ORDER BY namespace, name LIMIT %s"
)
SINCE = (
    "SELECT version, type, resource, namespace, name, document FROM kube_change"  # noqa: S608  # keys of our own
    f" WHERE version > %s AND resource IN ({_KINDS}) ORDER BY version"
)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the policy and the tokens have moved: what is remembered of older states no longer counts."""

    policy: int
    tokens: int


def freshness(seen: Mapping[str, int] | None = None) -> Freshness:
    """Return the counters: as a request has `seen` them, or now, in one statement."""
    values = marks.read() if seen is None else seen
    return Freshness(values[MARK], values[TOKENS])


class Memory:
    """The roles, bindings and groups that this process knows, shared by its threads."""

    def __init__(self, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        self._known: Grants | None = None
        self._looked = 0.0

    def at(self, version: int) -> Grants:
        """Return what is in force at a version of the policy or later."""
        known = self._known
        if known is not None and known.version == version:
            self._look(known)
            return known
        if connection.in_atomic_block:
            return self._apart(version)
        with self._lock:
            self._known = self._advanced(self._known)
            self._looked = time.monotonic()
            return self._known

    def _apart(self, version: int) -> Grants:
        """Return what a transaction sees: what it has written may be rolled back, and must not be remembered."""
        with self._lock:
            copied = None if self._known is None else self._known.copy()
        if copied is not None and (copied.version == version or _follow(copied, version)):
            return copied
        return _read(version)

    def _look(self, known: Grants) -> None:
        """Note now and then how long the log has become without a change to the policy."""
        now = time.monotonic()
        # The versions of this transaction will be those of others if it is rolled back.
        if now - self._looked < self._look_seconds or connection.in_atomic_block:
            return
        self._looked = now
        newest = changes.newest()
        if freshness().policy == known.version:
            known.until = max(known.until, newest)

    def _advanced(self, known: Grants | None) -> Grants:
        # Another thread may have been faster, and a restored database may have gone back.
        version = freshness().policy
        if known is None or version < known.version:
            return _read(version)
        return known if version == known.version or _follow(known, version) else _read(version)

    def forget(self) -> None:
        """Read everything anew at the next question."""
        with self._lock:
            self._known = None


memory = Memory()


def current(seen: Freshness | None = None) -> Grants:
    """Return the policy in force; `seen` spares the look at the counters to those who have just had it."""
    return memory.at((seen or freshness()).policy)


def decide(actor: Actor, asked: Attributes) -> Decision:
    """Return whether an actor may do something now, and why."""
    return current().decide(actor, asked)


def _read(version: int) -> Grants:
    """Read everything; what is written meanwhile may be in it already, and is taken in again from the log."""
    return grants(version, (row for key in KEYS for row in _every(key)))


def _every(key: str) -> Iterator[Row]:
    namespace = name = ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(AFTER, [key, namespace, name, PAGE])
            rows = cursor.fetchall()
        yield from ((key, *row) for row in rows)
        if len(rows) < PAGE:
            return
        namespace, name, _ = rows[-1]


def _follow(known: Grants, version: int) -> bool:
    """Take in the changes up to a version; return False when some of them are no longer in the log."""
    with connection.cursor() as cursor:
        cursor.execute(SINCE, [known.until])
        rows = cursor.fetchall()
    # A change from before what is known is of a database that went back.
    if version <= known.until:
        return False
    # The mark moves before rows are dropped, so it is read after them.
    if changes.newest("compacted") > known.until:
        return False
    for _, kind, key, namespace, name, document in rows:
        known.put(key, namespace, name, None if kind == Change.DELETED else document)
    known.version = known.until = max(version, rows[-1][0] if rows else 0)
    return True
