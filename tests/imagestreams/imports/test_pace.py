from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagestreams import intervals
from imagestreams.imports import pace
from imagestreams.imports.pace import LONGEST, SOON, Fault, Waiting

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY = 86400


def waits(fault: Fault, failures: int, *, interval: int = 900) -> list[float]:
    """Return the seconds after each of so many failures, without what spreads them."""
    delays = [pace.delay(fault, number, interval=interval, jitter=0.5) for number in range(1, failures + 1)]
    return [delay.total_seconds() for delay in delays]


def test_what_is_well_waits_for_its_interval() -> None:
    assert pace.delay(Fault.NONE, 0, interval=900, jitter=0.5) == timedelta(seconds=900)


def test_what_may_be_over_soon_is_tried_a_few_times_and_then_on_schedule() -> None:
    assert waits(Fault.TRANSIENT, 8) == [*SOON, 900, 900, 900]


def test_what_is_doubtful_is_tried_less_and_less_after_that() -> None:
    assert waits(Fault.DOUBTFUL, 14) == [*SOON, *(900 * 2**step for step in range(7)), DAY, DAY]


def test_what_is_permanent_is_tried_on_schedule_alone_and_less_and_less() -> None:
    assert waits(Fault.PERMANENT, 9) == [*(900 * 2**step for step in range(7)), DAY, DAY]


def test_nothing_waits_longer_than_its_interval_while_attempts_come_soon() -> None:
    assert waits(Fault.TRANSIENT, 6, interval=10) == [5, 10, 10, 10, 10, 10]


@given(
    fault=st.sampled_from(Fault),
    failures=st.integers(0, 10_000),
    interval=st.integers(1, intervals.LONGEST),
    jitter=st.floats(0, 1),
)
def test_a_tag_is_never_forgotten_and_never_asked_for_without_a_pause(
    fault: Fault, failures: int, interval: int, jitter: float
) -> None:
    failures = failures if fault else 0
    delay = pace.delay(fault, max(failures, 1) if fault else 0, interval=interval, jitter=jitter).total_seconds()

    assert min(interval, SOON[0]) * 0.7 < delay < max(interval, LONGEST) * 1.1


@pytest.mark.parametrize(
    ("failures", "wish", "seconds"), [(1, 0, 15), (2, 0, 30), (99, 0, 600), (1, 42, 42), (1, 1e9, 21600)]
)
def test_a_registry_is_left_alone_as_it_wishes_or_longer_and_longer(failures: int, wish: float, seconds: float) -> None:
    assert pace.host_pause(failures, wish=wish, jitter=0).total_seconds() == seconds


# --- whose turn it is


def waiting(row: int, host: str, *, stream: str = "", late: float = 0) -> Waiting:
    return Waiting(row, host, ("shop", stream or f"s{row}"), NOON - timedelta(seconds=late))


def test_those_due_longest_come_first() -> None:
    assert pace.fair([waiting(1, "a", late=1), waiting(2, "a", late=3), waiting(3, "a", late=2)], limit=2) == [2, 3]


def test_registries_take_turns() -> None:
    crowd = [waiting(number, "a", late=1000) for number in range(50)]

    assert pace.fair([*crowd, waiting(50, "b"), waiting(51, "c")], limit=4)[:3] == [0, 50, 51]


def test_a_stream_of_thousands_lets_others_in_between() -> None:
    crowd = [waiting(number, "a", stream="large", late=5) for number in range(1000)]

    chosen = pace.fair([*crowd, waiting(1000, "a", late=2), waiting(1001, "a", late=1)], limit=10)

    assert {1000, 1001} < set(chosen)


WAITING = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "z"]), st.integers(0, 600)), max_size=60
)


@given(drawn=WAITING, limit=st.integers(0, 70))
def test_whoever_there_is_room_for_has_a_turn_once(drawn: list[tuple[str, str, int]], limit: int) -> None:
    rows = [waiting(number, host, stream=stream, late=late) for number, (host, stream, late) in enumerate(drawn)]

    chosen = pace.fair(rows, limit=limit)

    assert len(chosen) == len(set(chosen)) == min(limit, len(rows))


@given(drawn=WAITING)
def test_nobody_waits_behind_more_of_his_registry_than_were_due_before_or_come_from_other_streams(
    drawn: list[tuple[str, str, int]],
) -> None:
    rows = [waiting(number, "a", stream=stream, late=late) for number, (_, stream, late) in enumerate(drawn)]
    order = pace.fair(rows, limit=len(rows))
    rank = {row: place for place, row in enumerate(order)}

    for each in rows:
        later = [other for other in rows if other.stream == each.stream and other.due_at > each.due_at]
        assert all(rank[each.row] < rank[other.row] for other in later)


# --- intervals


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1d", 86400), ("1d1s", 86401)]
)
def test_an_interval_is_numbers_with_units(text: str, seconds: int) -> None:
    assert intervals.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1.5h", "0s", "\u0665m", "5m ", "1w", "9" * 200 + "s"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        intervals.seconds(text)
