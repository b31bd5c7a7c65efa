"""The passwords that are kept here."""

from __future__ import annotations

import statistics
import time

import pytest

from authz.models import Password
from authz.oauth import passwords
from authz.oauth.passwords import WAITING, BadPassword, Busy
from registry_meta.kube import meta

NOW = meta.parse_time("2026-01-02T03:04:05Z")
RIGHT = "correct horse"


@pytest.fixture(autouse=True)
def quick_hashes() -> None:
    """Here hashes are what they are in a server."""


@pytest.mark.django_db
def test_a_password_is_kept_as_a_salted_hash() -> None:
    assert passwords.put("anna", RIGHT, now=NOW)
    assert passwords.put("ben", RIGHT, now=NOW)

    first, second = Password.objects.order_by("name")
    assert first.encoded.startswith("scrypt$16384$")
    assert first.encoded != second.encoded
    assert RIGHT not in first.encoded


@pytest.mark.django_db
def test_only_the_password_of_the_name_is_right() -> None:
    passwords.put("anna", RIGHT, now=NOW)

    answers = [
        passwords.is_right(*given)
        for given in [("anna", RIGHT), ("anna", "wrong"), ("anna", ""), ("ben", RIGHT), ("Anna", RIGHT), ("", RIGHT)]
    ]

    assert answers == [True, False, False, False, False, False]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["a\0b", "x" * 10_000, "system:admin", "anna\n", "../x"])
def test_names_that_nobody_can_have_have_no_password(name: str) -> None:
    assert not passwords.is_right(name, RIGHT)
    assert passwords.name_problems(name)
    with pytest.raises(BadPassword):
        passwords.put(name, RIGHT, now=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_a_password_that_is_short_or_endless_is_not_set(password: str) -> None:
    with pytest.raises(BadPassword, match="8 to 1024"):
        passwords.put("anna", password, now=NOW)
    assert not Password.objects.exists()


@pytest.mark.django_db
def test_a_name_that_nobody_has_takes_as_long_as_a_wrong_password() -> None:
    passwords.put("anna", RIGHT, now=NOW)

    def seconds(name: str) -> float:
        began = time.thread_time()
        passwords.is_right(name, "wrong password")
        return time.thread_time() - began

    known = statistics.median(seconds("anna") for _ in range(5))
    unknown = statistics.median(seconds("nobody") for _ in range(5))
    impossible = statistics.median(seconds("a:b") for _ in range(5))
    assert unknown == pytest.approx(known, rel=0.4)
    assert impossible == pytest.approx(known, rel=0.4)


@pytest.mark.django_db
def test_a_stamp_is_current_until_the_password_changes() -> None:
    passwords.put("anna", RIGHT, now=NOW)
    stamp = passwords.stamp("anna")
    assert passwords.is_current("anna", stamp)

    assert not passwords.put("anna", "another one", now=NOW)
    assert not passwords.is_current("anna", stamp)
    assert passwords.remove("anna")
    assert not passwords.is_current("anna", passwords.stamp("anna"))
    assert not passwords.remove("anna")


@pytest.mark.django_db
def test_a_crowd_at_the_door_is_sent_away() -> None:
    taken = 0
    while WAITING.acquire(blocking=False):
        taken += 1
    try:
        with pytest.raises(Busy):
            passwords.is_right("anna", RIGHT)
    finally:
        for _ in range(taken):
            WAITING.release()
    assert not passwords.is_right("anna", RIGHT)
