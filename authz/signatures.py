"""JSON Web Tokens (RFC 7519) signed with private keys: what one claims to be, and what it says once it is verified."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.utils import base64url_decode

RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
ALGORITHMS = RSA_ALGORITHMS | CURVES.keys()
"""What a token may be signed with: never a secret that is shared, and never nothing."""

LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192
LONGEST = 16 * 1024
LEEWAY = timedelta(seconds=60)
"""By how much the clock of an issuer may be ahead."""

LATEST = 253_402_300_799
"""The last second that a datetime knows."""

SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

Claims = Mapping[str, Any]

UNCHECKED: Any = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip
"""What is judged here, by the clock of the caller, and not by the library."""


@dataclass(frozen=True, slots=True)
class Pretence:
    """What a token says of itself, of which nothing is proved."""

    algorithm: str
    key_id: str
    issuer: str


def looks_signed(token: str) -> bool:
    """Return whether a text has the shape of a signed token."""
    return len(token) <= LONGEST and SHAPE.fullmatch(token) is not None


def pretence(token: str) -> Pretence | None:
    """Return who a token says has signed it and how; None for what cannot be verified here, whatever the key."""
    if not looks_signed(token):
        return None
    try:
        header, claims = (_object(part) for part in token.split(".")[:2])
    except (ValueError, msgspec.MsgspecError):
        return None
    found = [header.get("alg"), header.get("kid", ""), claims.get("iss")]
    if not all(isinstance(value, str) for value in found) or found[0] not in ALGORITHMS:
        return None
    return Pretence(*found)


def _object(part: str) -> dict[str, Any]:
    return msgspec.json.decode(base64url_decode(part), type=dict[str, Any])


def verified(token: str, key: PublicKey, *, algorithm: str) -> Claims | None:
    """Return the claims of a token whose signature is that of a key; None when it is not."""
    if not fits(key, algorithm):
        return None
    try:
        claims: Claims = jwt.decode(token, key, algorithms=[algorithm], options=UNCHECKED)
    except jwt.PyJWTError:
        return None
    return claims


def fits(key: PublicKey, algorithm: str) -> bool:
    """Return whether a key is of the kind and the strength that an algorithm takes."""
    if isinstance(key, rsa.RSAPublicKey):
        return algorithm in RSA_ALGORITHMS and LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS
    return CURVES.get(algorithm) == key.curve.name


def moment(value: object) -> datetime | None:
    """Return the time that a claim such as `exp` names; None when it names none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)


def has_begun(claims: Claims, *, now: datetime) -> bool:
    """Return whether a token counts already, by its `nbf` and `iat` where it has them."""
    for name in ("nbf", "iat"):
        if claims.get(name) is not None:
            begins = moment(claims[name])
            if begins is None or begins > now + LEEWAY:
                return False
    return True


def audiences(claims: Claims) -> tuple[str, ...]:
    """Return for whom a token is meant: `aud` is a text or a list of texts."""
    found = claims.get("aud")
    if isinstance(found, str):
        return (found,)
    return tuple(texts(found))


def texts(value: object) -> Sequence[str]:
    """Return the texts of a list; nothing of what is no list of texts."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return ()
