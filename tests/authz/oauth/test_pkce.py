"""Proof that who redeems a code is who asked for it."""

from __future__ import annotations

import pytest

from authz.oauth import pkce

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_standard_is_proved() -> None:
    assert pkce.transformed(VERIFIER) == CHALLENGE
    assert pkce.proves(VERIFIER, challenge=CHALLENGE, method="S256")
    assert pkce.proves(VERIFIER, challenge=VERIFIER, method="plain")


@pytest.mark.parametrize(
    ("verifier", "challenge", "method"),
    [
        ("", CHALLENGE, "S256"),
        (VERIFIER[:-1] + "x", CHALLENGE, "S256"),
        (CHALLENGE, CHALLENGE, "S256"),
        (VERIFIER, CHALLENGE, "plain"),
        (VERIFIER + "é", CHALLENGE, "S256"),
        ("short", pkce.transformed("short"), "S256"),
        (VERIFIER, "", ""),
    ],
)
def test_nothing_else_is(verifier: str, challenge: str, method: str) -> None:
    assert not pkce.proves(verifier, challenge=challenge, method=method)


def test_without_a_challenge_nothing_is_to_be_proved() -> None:
    assert pkce.proves("", challenge="", method="")


@pytest.mark.parametrize(
    ("challenge", "method"),
    [("a" * 42, "S256"), ("a" * 129, "plain"), ("a" * 42 + "+", "S256"), (CHALLENGE, "s256"), (CHALLENGE, "none")],
)
def test_a_challenge_that_proves_little_is_refused(challenge: str, method: str) -> None:
    assert pkce.problem(challenge, method)
    assert not pkce.problem(CHALLENGE, "S256")
