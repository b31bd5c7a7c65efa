"""Continue tokens are read back as they were made, and only then."""

from __future__ import annotations

import base64

import pytest
from django.test import override_settings

from registry_meta.kube.continuation import LATEST, MAC_BYTES, read_token, token
from registry_meta.kube.errors import StatusError

MADE = token(7, ("team", "ruby"))
SIGNED = base64.urlsafe_b64decode(MADE + "=" * (-len(MADE) % 4))


def refusal(text: str) -> tuple[int, str]:
    with pytest.raises(StatusError) as caught:
        read_token(text)
    return caught.value.code, caught.value.message


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize("version", [7, LATEST, 2**62])
def test_a_token_says_what_was_put_into_it(version: int) -> None:
    read = read_token(token(version, ("team", 'rub"y:é')))

    assert (read.rv, read.start) == (version, ("team", 'rub"y:é'))


FORGED = {
    "nothing": "",
    "words": "nonsense",
    "not ASCII": "é",
    "padding": "=" * 9,
    "cut short": MADE[:-2],
    "lengthened": MADE + "AAAA",
    "no signature": encoded(SIGNED[MAC_BYTES:]),
    "another version": encoded(SIGNED.replace(b'"rv":7', b'"rv":8')),
    "another start": encoded(SIGNED.replace(b"ruby", b"perl")),
    "a bit of the signature": encoded(bytes([SIGNED[0] ^ 1]) + SIGNED[1:]),
    "an empty signature": encoded(bytes(MAC_BYTES) + SIGNED[MAC_BYTES:]),
}


# Of random texts several processes that run the tests would make different names.
@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
def test_a_token_that_was_not_made_here_is_refused(text: str) -> None:
    assert refusal(text) == (400, f"continue key is not valid: {text}")


def test_a_token_of_another_server_is_refused() -> None:
    with override_settings(SECRET_KEY="another"):  # of a test
        foreign = token(7, ("team", "ruby"))

    assert refusal(foreign)[0] == 400
    assert foreign != MADE
