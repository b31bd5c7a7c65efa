"""How often somebody may guess."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authz.models import Guesses
from authz.oauth import guesses
from authz.oauth.guesses import FREE_OF_ADDRESS, FREE_OF_NAME, LONGEST_WAIT, Locked
from registry_meta.kube import meta

NOW = meta.parse_time("2026-01-02T03:04:05Z")
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


def fail(name: str, address: str, times: int) -> None:
    for _ in range(times):
        guesses.begin(name, address, now=NOW)


def seconds_left(name: str, address: str) -> int:
    with pytest.raises(Locked) as caught:
        guesses.begin(name, address, now=NOW)
    return caught.value.seconds


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (5, 0), (6, 1), (7, 2), (8, 4), (14, 256), (15, 300), (10**9, 300)]
)
def test_the_wait_doubles_up_to_five_minutes(failures: int, seconds: int) -> None:
    assert guesses.wait(failures, 5) == seconds


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["anna", "nobody"])
def test_a_name_is_locked_after_a_few_attempts_from_anywhere(name: str) -> None:
    for number in range(FREE_OF_NAME + 1):
        guesses.begin(name, f"203.0.113.{number}", now=NOW)

    assert seconds_left(name, "203.0.113.99") == 2  # one, and the part of a second that is left of it


@pytest.mark.django_db
def test_attempts_that_are_refused_do_not_lengthen_the_wait() -> None:
    fail("anna", HOME, FREE_OF_NAME + 1)

    for _ in range(5):
        seconds_left("anna", HOME)

    guesses.begin("anna", HOME, now=NOW + timedelta(seconds=2))


@pytest.mark.django_db
def test_an_address_that_tries_many_names_is_locked() -> None:
    for number in range(FREE_OF_ADDRESS + 1):
        guesses.begin(f"name-{number}", HOME, now=NOW)

    assert seconds_left("another", HOME)
    guesses.begin("another", ELSEWHERE, now=NOW)


@pytest.mark.django_db
def test_names_that_nobody_can_have_count_for_the_address_alone() -> None:
    guesses.begin("", HOME, now=NOW)

    assert [row.subject for row in Guesses.objects.all()] == [f"address {HOME}"]


@pytest.mark.django_db
def test_strangers_lock_nobody_out_who_has_logged_in_from_his_address() -> None:
    guesses.succeed(guesses.begin("anna", HOME, now=NOW), now=NOW)
    fail("anna", ELSEWHERE, FREE_OF_NAME + 1)
    assert seconds_left("anna", ELSEWHERE)

    guesses.begin("anna", HOME, now=NOW)


@pytest.mark.django_db
def test_whoever_shares_a_known_address_may_not_guess_for_ever_either() -> None:
    guesses.succeed(guesses.begin("anna", HOME, now=NOW), now=NOW)

    fail("anna", HOME, FREE_OF_NAME + 1)

    assert seconds_left("anna", HOME)


@pytest.mark.django_db
def test_no_lock_is_longer_than_five_minutes() -> None:
    moment = NOW
    for _ in range(30):
        guesses.begin("anna", HOME, now=moment)
        moment += timedelta(seconds=LONGEST_WAIT + 1)

    with pytest.raises(Locked) as caught:
        guesses.begin("anna", HOME, now=moment - timedelta(seconds=LONGEST_WAIT))
    assert caught.value.seconds <= LONGEST_WAIT


@pytest.mark.django_db
def test_a_right_password_forgets_what_the_name_had_and_keeps_what_the_address_had() -> None:
    fail("anna", HOME, 3)
    fail("ben", HOME, 2)

    guesses.succeed(guesses.begin("anna", HOME, now=NOW), now=NOW)

    assert {row.subject: row.failures for row in Guesses.objects.all()} == {
        f"address {HOME}": 5, "name anna": 0, "name ben": 2, f"pair {HOME} anna": 0,
    }  # fmt: skip


@pytest.mark.django_db
def test_an_hour_later_all_is_forgotten() -> None:
    fail("anna", HOME, 4)
    later = NOW + timedelta(hours=1, seconds=1)

    guesses.begin("anna", HOME, now=later)

    assert {row.failures for row in Guesses.objects.all()} == {1}
    assert guesses.sweep(later) == 0
    assert guesses.sweep(later + timedelta(hours=2)) == 2


@pytest.mark.django_db
def test_a_known_address_is_kept_for_a_month() -> None:
    guesses.succeed(guesses.begin("anna", HOME, now=NOW), now=NOW)

    guesses.sweep(NOW + timedelta(days=29))
    assert [row.subject for row in Guesses.objects.all()] == [f"pair {HOME} anna"]
    guesses.sweep(NOW + timedelta(days=31))
    assert not Guesses.objects.exists()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_the_addresses_of_one_customer_count_as_one(address: str, counted: str) -> None:
    assert guesses.network(address) == counted
