"""The keys that sign tokens of accounts: which of them signs, for how long each verifies, and how they are kept."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from authz import signingkeys
from authz.models import SigningKey
from registry_meta.kube import meta, resealing

pytestmark = pytest.mark.django_db

NOW = meta.parse_time("2026-01-02T03:04:05Z")
HOUR = timedelta(hours=1)


def shown(*, now: datetime = NOW) -> list[str]:
    return [state for _, state in signingkeys.states(now)]


def test_the_first_start_makes_a_key_and_later_ones_keep_it() -> None:
    first = signingkeys.signer(now=NOW)

    assert signingkeys.signer(now=NOW) == first
    assert shown() == ["signing"]


def test_a_private_key_is_stored_sealed() -> None:
    row = signingkeys.make(signs_from=NOW, now=NOW)

    assert row.private_key.startswith("sealed:")
    assert "PRIVATE" not in row.private_key + row.public_key
    assert "PRIVATE" not in repr(signingkeys.signer(now=NOW))


def test_a_new_key_is_published_before_it_signs() -> None:
    old = signingkeys.signer(now=NOW)
    new = signingkeys.make(signs_from=NOW + HOUR, now=NOW)

    assert [key["kid"] for key in signingkeys.published()["keys"]] == [new.kid, old.kid]
    assert (shown(), signingkeys.signer(now=NOW).kid) == (["next", "signing"], old.kid)
    later = NOW + HOUR
    assert (shown(now=later), signingkeys.signer(now=later).kid) == (["signing", "verifying"], new.kid)


def test_published_keys_hold_nothing_private() -> None:
    signingkeys.signer(now=NOW)

    (key,) = signingkeys.published()["keys"]

    assert re.fullmatch("[0-9a-f]{64}", key["kid"])
    assert set(key) == {"use", "kty", "kid", "alg", "n", "e"}


def test_an_old_key_goes_when_its_last_token_has_ended() -> None:
    old = signingkeys.signer(now=NOW)
    signingkeys.cover(old, NOW + 3 * HOUR)
    signingkeys.cover(old, NOW + 2 * HOUR)
    new = signingkeys.make(signs_from=NOW, now=NOW + timedelta(seconds=1))

    assert signingkeys.sweep(NOW + 3 * HOUR) == 0
    assert signingkeys.sweep(NOW + 3 * HOUR + signingkeys.KEPT_LONGER + timedelta(seconds=1)) == 1
    assert [row.kid for row in SigningKey.objects.all()] == [new.kid]


def test_tokens_given_out_within_an_hour_write_the_key_once(django_assert_num_queries: Any) -> None:
    signingkeys.cover(signingkeys.signer(now=NOW), NOW + HOUR)
    key = signingkeys.signer(now=NOW)

    with django_assert_num_queries(0):
        signingkeys.cover(key, NOW + 2 * HOUR)


def test_the_key_that_signs_and_the_next_one_are_not_swept() -> None:
    signingkeys.signer(now=NOW)
    signingkeys.make(signs_from=NOW + 900 * HOUR, now=NOW)

    assert signingkeys.sweep(NOW + 500 * HOUR) == 0


def test_a_key_whose_tokens_have_no_end_is_kept() -> None:
    signingkeys.cover(signingkeys.signer(now=NOW), None)
    signingkeys.make(signs_from=NOW, now=NOW + timedelta(seconds=1))

    assert signingkeys.sweep(NOW + 10_000 * HOUR) == 0


def test_keys_come_under_a_new_encryption_key(settings: Settings) -> None:
    before = signingkeys.signer(now=NOW)
    old, new = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = (new, old)

    outcome = resealing.reseal()

    settings.ENCRYPTION_KEYS = (new,)
    assert (outcome.texts, resealing.missing_keys()) == (1, {})
    after = signingkeys.signer(now=NOW)
    assert after.private_key.private_numbers() == before.private_key.private_numbers()


def test_a_key_that_cannot_be_read_is_told_of_and_dropped_on_demand(settings: Settings) -> None:
    lost = signingkeys.signer(now=NOW)
    settings.ENCRYPTION_KEYS = (Fernet.generate_key().decode(),)

    assert list(resealing.missing_keys().values()) == [1]
    outcome = resealing.reseal()
    assert outcome.unreadable_texts == [(signingkeys.SEALED, lost.kid)]
    resealing.drop_unreadable(outcome, now=NOW)
    assert signingkeys.signer(now=NOW).kid != lost.kid


def test_the_command_rotates_at_once_or_later_and_drops(capsys: pytest.CaptureFixture[str]) -> None:
    first = signingkeys.signer(now=meta.now()).kid

    call_command("rotate-signing-key", "--now")
    second = signingkeys.signer(now=meta.now()).kid
    call_command("rotate-signing-key")
    call_command("rotate-signing-key", "--drop", second)

    assert second != first
    assert signingkeys.signer(now=meta.now()).kid == first
    lines = [line.partition("  ") for line in capsys.readouterr().out.splitlines()[-2:]]
    assert (lines[0][2][:11], lines[1][0], lines[1][2]) == ("signs from ", first, "signs")


def test_dropping_the_only_key_makes_another() -> None:
    only = signingkeys.signer(now=meta.now()).kid

    call_command("rotate-signing-key", "--drop", only)

    assert [row.kid for row in SigningKey.objects.all()] != [only]
    assert SigningKey.objects.count() == 1


def test_a_key_that_is_not_there_cannot_be_dropped() -> None:
    with pytest.raises(CommandError, match="there is no signing key nonsense"):
        call_command("rotate-signing-key", "--drop", "nonsense")
