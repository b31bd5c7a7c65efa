"""What is said at a tag whose import failed and that is tried again without anybody asking. Pure.

The condition `ImportSuccess` tells of the failure in the words that clients know; this one stands beside it. It names
the time of the next attempt while attempts come soon, and says that they follow the schedule from then on, so that a
registry that is away for long is no reason to write a stream again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from imagestreams import tags
from imagestreams.conditions import IMPORT_SUCCESS, is_same_failure
from imagestreams.imports import pace, plan
from imagestreams.imports.pace import Fault
from imagestreams.types import ImageStream, TagEventCondition
from registry_meta.kube.meta import timestamp

RETRYING = "ImportRetrying"
SOON, LATER = "Soon", "Scheduled"


def tell(
    stream: ImageStream, tag: str, *, fault: Fault, failures: int, due_at: datetime, interval: int, now: datetime
) -> bool:
    """Say at a tag, in place, when it is tried again; return whether that is new.

    `failures` is how many in a row there were, the last of the kind `fault`; `interval` is in seconds.
    """
    history = tags.history_of(stream, tag)
    if history is None or not plan.has_failed(stream, tag):
        return False
    [failure, *_] = [each for each in history.conditions or [] if each.type == IMPORT_SUCCESS]
    soon = pace.is_soon(fault, failures)
    condition = TagEventCondition(
        type=RETRYING,
        status="True",
        last_transition_time=timestamp(now),
        reason=SOON if soon else LATER,
        message=_soon(failures, due_at) if soon else _later(fault, interval),
        generation=failure.generation,
    )
    others = [each for each in history.conditions or [] if each.type != RETRYING]
    if _is_told(history.conditions, condition):
        return False
    history.conditions = [*others, condition]
    return True


def _soon(failures: int, due_at: datetime) -> str:
    return f"attempt {failures + 1} is made at {timestamp(due_at)}"


def _later(fault: Fault, interval: int) -> str:
    """Return when the next attempts are made; nothing that is different after each of them."""
    often = f"an attempt is made every {interval} seconds"
    return (
        often
        if fault is Fault.TRANSIENT
        else f"{often} at first, and less often with each failure, once a day at least"
    )


def _is_told(conditions: Iterable[TagEventCondition] | None, condition: TagEventCondition) -> bool:
    return any(is_same_failure(condition, other) for other in conditions or [])
