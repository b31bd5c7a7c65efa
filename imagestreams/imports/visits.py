"""Looking at the tags on a schedule: one cheap question each, and an import where there is news.

    claim ─▶ by registry ─▶ HEAD ─┬─ the digest of last time ─▶ the row is put back, nothing else is written
                                  └─ another, none, or a failure ─▶ an import of those tags of the stream

Each registry has a thread of its own, so that a slow one holds up nobody else; within it, the same question of several
streams with the same credentials is asked once. A registry that asks for it, or fails several times, is left alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings
from django.db import connection

from imagestreams import metrics
from imagestreams.api.imagestreams import find_stream
from imagestreams.credentials import Keyring, Login
from imagestreams.imports import background, errands, pauses, plan, schedule
from imagestreams.imports.errands import Errand
from imagestreams.imports.keyrings import keyring_of
from imagestreams.imports.outgoing import upstream_client
from imagestreams.imports.pace import Fault
from imagestreams.imports.sources import Sources
from imagestreams.models import ScheduledTag
from imagestreams.reference import PullSpec
from imagestreams.upstream.errors import UpstreamError
from registry_meta.kube import meta
from registry_meta.kube.errors import StatusError

logger = logging.getLogger(__name__)

IMPORTS = 4
"""The most imports side by side of what one registry has moved."""
ENOUGH = 3
"""After how many failures in a row a registry is left alone that has not answered yet."""
ENOUGH_AFTER_ANSWERS = 10
"""After how many it is left alone that has: what is broken there may be a part of it, and the rest has its turn."""
SETTLED_AT_ONCE = 50
"""How many rows are put back in one transaction, which others wait for."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Question:
    """What a registry is asked: for which tag of which repository, with which credentials.

    Two namespaces with the same credentials ask the same: it does not count who of them asks.
    """

    namespace: str = field(compare=False)
    spec: PullSpec
    reference: str
    insecure: bool
    logins: tuple[Login, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The digest that a registry gave, if any, or how it failed; neither when it was not asked any more."""

    digest: str | None = None
    failure: UpstreamError | None = None
    was_asked: bool = True

    @property
    def is_limited(self) -> bool:
        """Whether the registry is to be asked later."""
        return self.failure is not None and errands.limit(self.failure) > 0

    @property
    def is_put_off(self) -> bool:
        """Whether nothing was asked, so that there is nothing to tell of the tag."""
        return not self.was_asked or (self.is_limited and self.failure is not None and self.failure.status is None)


NOT_ASKED = Reply(was_asked=False)


class Health:
    """Whether a registry may be asked on; threads share it."""

    def __init__(self, *, patience: int) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._patience = patience
        self.has_answered = False
        self.has_enough = False
        self.wish = 0.0
        """The seconds for which the registry wishes to be left alone."""

    def well(self) -> None:
        """Note that the registry answered, whatever it said."""
        with self._lock:
            self._in_a_row = 0
            self.has_answered = True

    def ill(self, wish: float) -> None:
        """Note that the registry failed, or that it wishes to be left alone for some seconds."""
        with self._lock:
            self._in_a_row += 1
            self.wish = max(self.wish, wish)
            patience = ENOUGH_AFTER_ANSWERS if self.has_answered else self._patience
            self.has_enough = self.has_enough or wish > 0 or self._in_a_row >= patience

    def note(self, failure: UpstreamError | None) -> None:
        """Note how a question was answered."""
        if failure is not None and errands.fault(failure) is Fault.TRANSIENT:
            self.ill(errands.limit(failure))
        else:
            self.well()


class Visit:
    """A look at tags of one registry, whose rows are held; afterwards all of them are put back."""

    def __init__(self, host: str, rows: Sequence[ScheduledTag]) -> None:
        self._host = host
        self._rows = rows
        self._is_recovering = pauses.is_recovering(host)
        self._health = Health(patience=1 if self._is_recovering else ENOUGH)
        self._places: dict[str, tuple[Keyring, Sources]] = {}
        self._refused: set[int] = set()
        """The rows for which the registry itself said that it is to be left alone: their tags tell of it."""

    def make(self) -> None:
        """Ask, put back what has not moved, and import the rest."""
        asked = self._questions()
        # Nothing of the database is kept while the registry is waited for.
        connection.close()
        replies = self._each(list(asked), self._ask, side_by_side=settings.ENVIRONMENT.upstream_concurrency)
        pairs = zip(asked.values(), replies, strict=True)
        replied = [(row, reply) for rows, reply in pairs for row in rows]
        simple = {row.pk for rows in asked.values() for row in rows}
        news = self._settle(replied) + [row for row in self._rows if row.pk not in simple]
        streams = _by_stream(news)
        was_done = self._each(streams, self._import, side_by_side=IMPORTS)
        unasked = [row for row, reply in replied if reply.is_put_off]
        unasked += [row for rows, done in zip(streams, was_done, strict=True) if not done for row in rows]
        self._conclude(unasked)

    def _each(self, items: list[Item], do: Callable[[Item], Result], *, side_by_side: int) -> list[Result]:
        """Do something with each item; of a registry that failed lately one goes ahead of the others."""
        ahead = 1 if self._is_recovering and not self._health.has_answered else 0
        first = [do(item) for item in items[:ahead]]
        rest = items[ahead:]
        if len(rest) <= 1:
            return first + [do(item) for item in rest]
        with ThreadPoolExecutor(min(side_by_side, len(rest)), thread_name_prefix="schedule") as pool:
            return first + list(pool.map(do, rest))

    # --- asking

    def _questions(self) -> dict[Question, list[ScheduledTag]]:
        """Return what is to be asked, each once, with the rows that want to know."""
        found: dict[Question, list[ScheduledTag]] = {}
        for row in self._rows:
            question = self._question(row)
            if question is not None:
                found.setdefault(question, []).append(row)
        return found

    def _question(self, row: ScheduledTag) -> Question | None:
        """Return the question that tells whether a tag has moved, or None when only an import does.

        What failed is brought in anew, so that this is told.
        """
        if not row.reference or row.failures:
            return None
        spec = PullSpec.parse(row.pullspec).with_client_defaults().repository()
        try:
            logins = tuple(self._place(row.namespace)[0].logins(spec))
        except Exception:  # the import tells of it, and the others have their turn
            logger.exception("the pull secrets of %s cannot be read", row.namespace)
            return None
        return Question(row.namespace, spec, row.reference, row.insecure, logins)

    def _place(self, namespace: str) -> tuple[Keyring, Sources]:
        """Return the credentials of a namespace and where its images are looked for, read from the database once.

        The threads that ask read nothing there: each would keep a connection of the pool for itself.
        """
        if namespace not in self._places:
            ring = keyring_of(namespace)
            self._places[namespace] = (ring, Sources(upstream_client(background=True), ring))
        return self._places[namespace]

    def _ask(self, question: Question) -> Reply:
        if self._health.has_enough:
            return NOT_ASKED
        _, sources = self._places[question.namespace]
        try:
            digest = sources.repository(question.spec, insecure=question.insecure).head(question.reference)
        except UpstreamError as error:
            self._health.note(error)
            return Reply(failure=error)
        except Exception:  # the import tells of it, and the others have their turn
            logger.exception("asking %s broke off", self._host)
            return Reply()
        self._health.note(None)
        return Reply(digest)

    def _settle(self, replied: Iterable[tuple[ScheduledTag, Reply]]) -> list[ScheduledTag]:
        """Put back the rows for which there is no news, or no registry, and return those that want an import."""
        same: list[ScheduledTag] = []
        failed: list[ScheduledTag] = []
        news: list[ScheduledTag] = []
        digests: dict[int, str] = {}
        for row, reply in replied:
            if reply.is_put_off:
                continue
            if reply.is_limited:
                self._refused.add(row.pk)
                news.append(row)
            elif reply.failure is not None and self._health.has_enough and _is_transient(reply.failure):
                failed.append(row)
            elif reply.digest and reply.digest == (row.digest or row.standing):
                same.append(row)
                digests[row.pk] = reply.digest
            else:
                # What is wrong is told in the words of an import, and some registries know no HEAD.
                news.append(row)
        for start in range(0, len(same), SETTLED_AT_ONCE):
            part = same[start : start + SETTLED_AT_ONCE]
            schedule.unchanged(part, digests, usual=background.intervals().usual, now=meta.now())
        metrics.CHECKS.labels("Unchanged").inc(len(same))
        if failed:
            schedule.failed(failed, Fault.TRANSIENT, usual=background.intervals().usual, now=meta.now())
            metrics.CHECKS.labels(Fault.TRANSIENT).inc(len(failed))
        return news

    # --- importing

    def _import(self, rows: list[ScheduledTag]) -> bool:
        """Import tags of one stream; return False when the registry may not be asked any more.

        What it refused is brought in even then, so that this is told; the budget of the registry lets nothing through.
        """
        if self._health.has_enough and not self._refused & {row.pk for row in rows}:
            return False
        try:
            self._bring_in(rows)
        except StatusError as error:
            logger.info("a look at %s/%s is put off: %s", rows[0].namespace, rows[0].stream, error)
            fault = Fault.TRANSIENT if error.reason in ("Conflict", "NotFound") else Fault.PERMANENT
            schedule.failed(rows, fault, usual=background.intervals().usual, now=meta.now())
        except Exception:
            logger.exception("a look at %s/%s broke off", rows[0].namespace, rows[0].stream)
            schedule.failed(rows, Fault.DOUBTFUL, usual=background.intervals().usual, now=meta.now())
        finally:
            connection.close()
        return True

    def _bring_in(self, rows: list[ScheduledTag]) -> None:
        stream = find_stream(rows[0].namespace, rows[0].stream)
        what = plan.again(stream, {row.tag: bool(row.interval) for row in rows}) if stream is not None else None
        wished = {tag.name for tag in what.tags} if what is not None else set()
        schedule.remove([row for row in rows if row.tag not in wished])
        if stream is None or what is None:
            return
        errand = background.bring_in(stream, what, held=[row for row in rows if row.tag in wished])
        logger.info("looked at %d tags of %s/%s: %s", len(what.tags), rows[0].namespace, rows[0].stream, _words(errand))
        self._note(errand)

    def _note(self, errand: Errand) -> None:
        """Note how the registry answered an import, whose images are one answer."""
        failures = [fetched.failure for _, fetched in errand.images()]
        ill = [failure for failure in failures if failure is not None and _is_transient(failure)]
        if ill and (len(ill) == len(failures) or errand.wait()):
            self._health.ill(errand.wait())
        else:
            self._health.well()

    def _conclude(self, unasked: Sequence[ScheduledTag]) -> None:
        """Leave the registry alone if it had enough, else take it for well; put back what it was not asked for."""
        now = meta.now()
        if self._health.has_enough:
            until = pauses.pause(self._host, wish=self._health.wish, now=now)
            logger.info("%s is left alone until %s", self._host, until)
            schedule.put_off(unasked, until=until, now=now)
            metrics.CHECKS.labels("PutOff").inc(len(unasked))
        elif self._is_recovering and self._health.has_answered:
            pauses.lift(self._host)


def _by_stream(rows: Iterable[ScheduledTag]) -> list[list[ScheduledTag]]:
    streams: dict[tuple[str, str], list[ScheduledTag]] = {}
    for row in rows:
        streams.setdefault((row.namespace, row.stream), []).append(row)
    return list(streams.values())


def _is_transient(failure: UpstreamError) -> bool:
    return errands.fault(failure) is Fault.TRANSIENT


def _words(errand: Errand) -> str:
    faults = sorted({errands.fault_of(fetched) for _, fetched in errand.images()} - {Fault.NONE})
    return ", ".join(faults) or "well"
