"""Requests that take too long: given up between two statements, with nothing written."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from registry_meta.kube.deadline import Deadline, allotted
from registry_meta.kube.errors import StatusError
from registry_meta.kube.models import Counter
from tests.authz.conftest import Api
from tests.imagestreams.asking import STREAMS, opened


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, 60), ("", 60), ("32s", 32), ("1m0.5s", 60), ("1h", 60), ("1.5s", 1.5), ("10ms", 0.01), ("0s", 60)],
)
def test_a_duration_is_read_as_go_writes_it(text: str | None, seconds: float) -> None:
    assert allotted(text, most=60) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", "-5s", "s", "5 s", "5d", "\u0665s", "1s" * 51])
def test_what_is_no_duration_is_a_bad_request(text: str) -> None:
    with pytest.raises(StatusError) as refused:
        allotted(text, most=60)

    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")
    assert "invalid timeout specified in the request URL" in refused.value.message


def test_who_gets_no_turn_in_time_is_told_so() -> None:
    turns = threading.BoundedSemaphore(1)
    with turns, pytest.raises(StatusError) as refused, Deadline(0.01).turn(turns):
        raise AssertionError("there was no turn")

    assert (refused.value.code, refused.value.reason) == (504, "Timeout")
    with Deadline(1).turn(turns):
        assert not turns.acquire(blocking=False)


@pytest.mark.django_db(transaction=True)
def test_what_is_given_up_is_rolled_back() -> None:
    late = Deadline(0)

    @transaction.atomic
    def write() -> None:
        Counter.objects.create(name="late", value=1)
        with connection.execute_wrapper(late), transaction.atomic():
            Counter.objects.update(value=2)

    with pytest.raises(StatusError):
        write()

    assert not Counter.objects.filter(name="late").exists()


@pytest.mark.django_db
def test_a_request_that_is_late_is_answered_so() -> None:
    api: Api = opened()

    status, body = api.get(f"{STREAMS}?timeout=1ns")

    assert (status, body["reason"]) == (504, "Timeout")
    assert body["message"] == "Timeout: request did not complete within the allotted timeout"
    assert api.get(f"{STREAMS}?timeout=30s")[0] == 200
