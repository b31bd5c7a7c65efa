from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagestreams.triggers.deliver import Result, answered, next_attempt
from imagestreams.triggers.webhook import Answer
from tests.imagestreams.triggers.builders import NOW

DAY = timedelta(hours=24)
JITTERS = st.floats(min_value=0, max_value=1)


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 2), (2, 4), (5, 32), (9, 512), (10, 900), (1000, 900)])
def test_the_span_doubles_up_to_a_quarter_of_an_hour(attempts: int, seconds: int) -> None:
    assert next_attempt(attempts, NOW, NOW, jitter=1) == NOW + timedelta(seconds=seconds)


def test_the_jitter_is_full() -> None:
    assert next_attempt(3, NOW, NOW, jitter=0) == NOW
    assert next_attempt(3, NOW, NOW, jitter=0.5) == NOW + timedelta(seconds=4)


def test_the_last_attempt_is_at_the_end_of_the_day() -> None:
    late = NOW + DAY - timedelta(seconds=1)

    assert next_attempt(50, NOW, late, jitter=1) == NOW + DAY
    assert next_attempt(51, NOW, NOW + DAY, jitter=1) is None


def test_a_delivery_that_waited_behind_others_gets_a_few_attempts() -> None:
    late = NOW + 3 * DAY

    assert [next_attempt(attempts, NOW, late, jitter=0) for attempts in (1, 4, 5)] == [late, late, None]


def test_the_consumer_is_left_alone_as_long_as_it_asks() -> None:
    assert next_attempt(1, NOW, NOW, jitter=0, retry_after=60) == NOW + timedelta(seconds=60)
    assert next_attempt(10, NOW, NOW, jitter=1, retry_after=60) == NOW + timedelta(seconds=900)


def test_no_consumer_asks_for_more_than_an_hour() -> None:
    assert next_attempt(1, NOW, NOW, jitter=0, retry_after=10**9 - 1) == NOW + timedelta(hours=1)


@given(attempts=st.integers(1, 10_000), age=st.integers(0, 200_000), jitter=JITTERS, wait=st.integers(0, 10_000))
def test_an_attempt_is_never_in_the_past(attempts: int, age: int, jitter: float, wait: int) -> None:
    now = NOW + timedelta(seconds=age)
    due = next_attempt(attempts, NOW, now, jitter=jitter, retry_after=wait)

    assert due is None or due >= now


@given(jitters=st.lists(JITTERS, min_size=1))
def test_every_delivery_comes_to_an_end(jitters: list[float]) -> None:
    now, attempts = NOW, 0
    while now < NOW + 2 * DAY:
        attempts += 1
        due = next_attempt(attempts, NOW, now, jitter=max(jitters[attempts % len(jitters)], 0.2))
        if due is None:
            break
        now = due

    assert NOW + DAY <= now < NOW + DAY + timedelta(minutes=15)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_acceptance(status: int) -> None:
    assert answered(Answer(status)).result is Result.ACCEPTED


@pytest.mark.parametrize("status", [100, 300, 302, 400, 401, 404, 408, 410, 429, 500, 503, 599, 999])
def test_anything_else_may_be_better_next_time(status: int) -> None:
    assert answered(Answer(status)).result is Result.FAILED


@pytest.mark.parametrize(("status", "seconds"), [(429, 7), (503, 7), (500, 0), (404, 0)])
def test_only_two_answers_name_a_time(status: int, seconds: int) -> None:
    assert answered(Answer(status, 7)).retry_after == seconds


def test_the_words_are_ours_and_not_the_consumers() -> None:
    assert answered(Answer(500)).message == "the consumer answered 500 Internal Server Error"
    assert answered(Answer(599)).message == "the consumer answered 599"
    assert answered(Answer(302)).message == "the consumer answered 302 Found, and redirects are not followed"
