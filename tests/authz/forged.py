"""Tokens as those make them who want to be taken for somebody: libraries refuse to."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

import msgspec


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def unsigned(claims: Mapping[str, object], *, algorithm: str = "none", kid: str = "") -> str:
    """Return a token with an empty signature."""
    return f"{_content(claims, algorithm, kid)}."


def signed_with_secret(claims: Mapping[str, object], secret: bytes, *, kid: str) -> str:
    """Return a token signed by HS256, with the public key of another algorithm as the secret, for example."""
    content = _content(claims, "HS256", kid)
    return f"{content}.{encoded(hmac.digest(secret, content.encode(), hashlib.sha256))}"


def _content(claims: Mapping[str, object], algorithm: str, kid: str) -> str:
    header = {"alg": algorithm, "typ": "JWT", "kid": kid}
    return ".".join(encoded(msgspec.json.encode(part)) for part in (header, claims))
