"""Requests that are sent away, because too many are under way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings
from django.test import Client, override_settings

from registry_meta.kube.errors import StatusError
from registry_meta.kube.inflight import WATCH_RETRY_SECONDS, Gate, Places, gate
from registry_meta.kube.request import SYSTEM

PATH = "/api/v1/namespaces/default/secrets"
ONE = replace(settings.ENVIRONMENT, max_requests_inflight=1)
SOMEBODY = ("system:authenticated",)


@pytest.fixture
def full() -> Iterator[None]:
    """A process that lets in one request, and has it."""
    gate.enter("get", SOMEBODY, limit=1)
    with override_settings(ENVIRONMENT=ONE):
        yield
    gate.leave("get")


def test_a_request_that_leaves_makes_room() -> None:
    door = Gate()
    door.enter("get", SOMEBODY, limit=1)
    with pytest.raises(StatusError) as refused:
        door.enter("create", SOMEBODY, limit=1)
    door.leave("get")

    door.enter("create", SOMEBODY, limit=1)

    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")


def test_there_may_be_no_limit() -> None:
    door = Gate()

    for _ in range(3):
        door.enter("get", SOMEBODY, limit=0)


def test_masters_are_let_in_when_it_is_full() -> None:
    door = Gate()
    door.enter("get", SOMEBODY, limit=1)

    door.enter("get", SYSTEM.groups, limit=1)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_full_process_asks_to_come_back(full: None, method: str) -> None:
    answer = Client().generic(method, PATH)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert answer.json() == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "Too many requests, please try again later.", "reason": "TooManyRequests",
        "details": {"retryAfterSeconds": 1}, "code": 429,
    }  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("path", [f"{PATH}?watch=1", "/readyz"])
def test_watches_and_probes_need_no_room(full: None, path: str) -> None:
    assert Client().get(path).status_code != 429


@pytest.mark.django_db
@override_settings(ENVIRONMENT=ONE)
def test_every_answer_gives_its_room_back() -> None:
    codes = [Client().generic(method, PATH).status_code for method in ("GET", "POST", "OPTIONS", "GET")]

    assert codes == [403] * 4


def test_a_watch_has_a_place_until_its_frames_end() -> None:
    places = Places()
    frames = places.take(iter([b"a", b"b"]), limit=1)

    with pytest.raises(StatusError) as refused:
        places.take(iter([b"c"]), limit=1)
    assert list(frames) == [b"a", b"b"]

    assert (refused.value.code, refused.value.retry_after) == (429, WATCH_RETRY_SECONDS)
    assert places.taken == 0
    assert list(places.take(iter([b"c"]), limit=1)) == [b"c"]


def test_a_watch_that_nobody_began_gives_its_place_back_once() -> None:
    places = Places()
    frames = places.take((frame for frame in [b"a"]), limit=2)
    other = places.take((frame for frame in [b"a"]), limit=2)

    frames.close()
    frames.close()
    assert places.taken == 1
    del other

    assert places.taken == 0


def test_a_watch_that_fails_gives_its_place_back() -> None:
    def failing() -> Iterator[bytes]:
        yield b"a"
        raise LookupError

    places = Places()
    with pytest.raises(LookupError):
        list(places.take(failing(), limit=1))

    assert places.taken == 0
