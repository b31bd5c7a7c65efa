"""How long a request may take: what is not done by then is given up between two statements, and rolled back."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError

from registry_meta.kube import errors

DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", re.ASCII)
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_TEXT = 100
LATE = "request did not complete within the allotted timeout"

QUERY_CANCELED = "57014"  # a code of SQLSTATE

ENDINGS = ("ROLLBACK", "RELEASE")
"""How the statements begin that put an end to what was given up."""


def allotted(text: str | None, *, most: float) -> float:
    """Return the seconds that the query parameter `timeout` (a duration of Go) gives, `most` of them; raises 400."""
    if not text:
        return most
    if len(text) > LONGEST_TEXT or not DURATION.fullmatch(text):
        raise errors.bad_request(
            f"invalid timeout specified in the request URL - {text[:LONGEST_TEXT]!r} is no duration"
        )
    asked = sum(float(number) * SECONDS[unit] for number, unit in PART.findall(text))
    return min(asked, most) if asked > 0 else most


def was_cancelled(error: BaseException) -> bool:
    """Return whether the database gave up a statement that took too long (`statement_timeout` of PostgreSQL)."""
    return isinstance(error, OperationalError) and getattr(error.__cause__, "sqlstate", "") == QUERY_CANCELED


class Deadline:
    """The moment by which a request is to be answered; a wrapper of database statements, none of which begins later."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds until then."""
        return max(0.0, self._at - time.monotonic())

    def check(self) -> None:
        """Raise 504 when the time is up."""
        if time.monotonic() >= self._at:
            raise errors.timed_out(LATE)

    @contextmanager
    def turn(self, turns: threading.Semaphore) -> Iterator[None]:
        """Have one of the turns; raises 504 when none comes up in time."""
        if not turns.acquire(timeout=self.left):
            raise errors.timed_out(LATE)
        try:
            yield
        finally:
            turns.release()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Run a statement that begins in time (see Django's `connection.execute_wrapper`)."""
        if not sql.startswith(ENDINGS):
            self.check()
        return execute(sql, params, many, context)
