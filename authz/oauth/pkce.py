"""Proof that who redeems a code is who asked for it (RFC 7636); pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

S256 = "S256"
PLAIN = "plain"
METHODS = (PLAIN, S256)

WORD = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""What a verifier and a challenge look like."""


def problem(challenge: str, method: str) -> str:
    """Return what is wrong with the challenge of a request; nothing when it is usable."""
    if method not in METHODS:
        return "code_challenge_method must be S256 or plain"
    if not WORD.fullmatch(challenge):
        return "code_challenge must have 43 to 128 letters, digits, dashes, dots, underscores and tildes"
    return ""


def proves(verifier: str, *, challenge: str, method: str) -> bool:
    """Return whether a verifier answers a challenge; where there was none, there must be no verifier either."""
    if not challenge:
        return not verifier
    if not WORD.fullmatch(verifier):
        return False
    answer = verifier if method == PLAIN else transformed(verifier)
    return hmac.compare_digest(answer, challenge)


def transformed(verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
