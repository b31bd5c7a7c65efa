"""How often something is tried that may succeed a little later."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from imagestreams.upstream.errors import Limited, Transient
from imagestreams.upstream.values import Deadline

PAUSES = (0.3, 1.0)
"""The seconds before the second and the third try."""
LONGEST_PAUSE = 3
"""The most seconds that a server may ask to wait between two tries of one call."""
SPREAD = 0.3
"""By which part of itself a pause may be longer, so that those who failed together do not come back together."""

Value = TypeVar("Value")


def retried(attempt: Callable[[], Value], *, deadline: Deadline) -> Value:
    """Return what an attempt gives; tried again, a little later, while the failure may be over by then.

    When there are no more tries, the failure is what the registry said itself, if it said anything.
    """
    told: Transient | None = None
    for pause in (*PAUSES, None):
        try:
            return attempt()
        except Limited as error:
            told = told if error.status is None and told is not None else error
            wait: float = error.retry_after
        except Transient as error:
            told, wait = error, error.retry_after
        if pause is None or not told.is_worth_retrying or wait > LONGEST_PAUSE:
            raise told
        wait = max(pause, wait) * (1 + SPREAD * random.random())  # noqa: S311 - spreads load
        if wait >= deadline.remaining():
            raise told
        time.sleep(wait)
    raise AssertionError("the last try returns or raises")
