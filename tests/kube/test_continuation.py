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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "é",
        "=" * 9,
        MADE[:-2],
        MADE + "AAAA",
        encoded(SIGNED[MAC_BYTES:]),
        encoded(SIGNED.replace(b'"rv":7', b'"rv":8')),
        encoded(SIGNED.replace(b"ruby", b"perl")),
        encoded(bytes([SIGNED[0] ^ 1]) + SIGNED[1:]),
        encoded(bytes(MAC_BYTES) + SIGNED[MAC_BYTES:]),
    ],
)
def test_a_token_that_was_not_made_here_is_refused(text: str) -> None:
    assert refusal(text) == (400, f"continue key is not valid: {text}")


def test_a_token_of_another_server_is_refused() -> None:
    with override_settings(SECRET_KEY="another"):  # of a test
        foreign = token(7, ("team", "ruby"))

    assert refusal(foreign)[0] == 400
    assert foreign != MADE
