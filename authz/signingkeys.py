"""The keys that sign the tokens of service accounts, which all hosts share through the database.

    made ──its time comes──▶ signing ──another signs──▶ verifying ──its last token ended──▶ dropped
     └ published from here on                            └ at once, with its tokens, by `rotate-signing-key --drop`

Which of them signs follows from the clock: the newest whose time has come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.db import transaction
from django.db.models import Q
from jwt.algorithms import RSAAlgorithm

from authz import tokens
from authz.models import SigningKey
from authz.signatures import PublicKey
from registry_meta.kube import meta, resealing, sealing

ALGORITHM = "RS256"
"""What every verifier knows: OpenID Connect demands it of all of them."""

BITS = 2048
EXPONENT = 65537

PUBLISHED_BEFORE = timedelta(hours=1)
"""For how long a new key is published before it signs: as long as others may keep the list of keys."""

KEPT_BESIDE = timedelta(hours=1)
"""For how long a key stays at least when another signs, whatever the clocks of other hosts say."""

KEPT_LONGER = timedelta(hours=1)
"""For how long a key stays beyond the end of its last token, so that tokens given out within an hour write once."""

SEALED = resealing.Column(table="authz_signing_key", name="kid", text="private_key", what="signing keys")
"""Where the private keys lie, for the command that brings them under a new encryption key."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a key is needed no longer whose tokens have no end."""

NEXT, SIGNING, VERIFYING = "next", "signing", "verifying"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and its name."""

    kid: str
    algorithm: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    needed_until: datetime | None = None


class Memory:
    """The public keys by name, as of a value of the counter of tokens."""

    def __init__(self) -> None:
        self._known: tuple[int, dict[str, tuple[str, PublicKey]]] = (-1, {})

    def at(self, counter: int) -> dict[str, tuple[str, PublicKey]]:
        """Return the algorithm and public key of each name."""
        known, keys = self._known
        if known != counter:
            keys = {row.kid: (row.algorithm, _public(row.public_key)) for row in SigningKey.objects.all()}
            self._known = (counter, keys)
        return keys

    def forget(self) -> None:
        """Read everything anew at the next question."""
        self._known = (-1, {})


memory = Memory()


def begin() -> None:
    """Make the first key; the server calls it at each start, after the migrations."""
    signer(now=meta.now())


def signer(*, now: datetime) -> Signer:
    """Return the key that signs now, made if there is none."""
    row = _signing(SigningKey.objects.all(), now=now) or make(signs_from=now, now=now)
    return Signer(row.kid, row.algorithm, _private(row.private_key, row.kid), row.needed_until)


def cover(key: Signer, expires_at: datetime | None) -> None:
    """Keep a key until a token that it signs has ended, for good when the token never does."""
    needed = NEVER if expires_at is None else expires_at
    if key.needed_until is not None and key.needed_until >= needed:
        return
    # A little longer, so that not each token writes the same row.
    until = needed if needed == NEVER else needed + KEPT_LONGER
    shorter = Q(needed_until=None) | Q(needed_until__lt=until)
    SigningKey.objects.filter(shorter, kid=key.kid).update(needed_until=until)


def make(*, signs_from: datetime, now: datetime) -> SigningKey:
    """Make a key that is published from now on and signs from a time on."""
    private = rsa.generate_private_key(EXPONENT, BITS)
    public = private.public_key()
    encoding, subject = serialization.Encoding, serialization.PublicFormat.SubjectPublicKeyInfo
    # Hexadecimal, since a name that began with a hyphen would be an option to those who drop the key.
    kid = hashlib.sha256(public.public_bytes(encoding.DER, subject)).hexdigest()
    pem = private.private_bytes(encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with transaction.atomic():
        row = SigningKey.objects.create(
            kid=kid, algorithm=ALGORITHM, created_at=now,
            public_key=public.public_bytes(encoding.PEM, subject).decode(), private_key=sealing.seal_text(pem.decode()),
            signs_from=signs_from,
        )  # fmt: skip
        tokens.forget()
    return row


def drop(kid: str) -> bool:
    """Take a key away and with it, at the next request, every token that it signed; return whether there was one."""
    with transaction.atomic():
        count, _ = SigningKey.objects.filter(kid=kid).delete()
        tokens.forget()
    return bool(count)


def sweep(now: datetime) -> int:
    """Drop the keys that sign no more and whose last token has ended; return how many."""
    rows = list(SigningKey.objects.filter(signs_from__lte=now).order_by("signs_from", "created_at"))
    over = [
        row.kid
        for row, following in pairwise(rows)
        if following.signs_from + KEPT_BESIDE < now and (row.needed_until is None or row.needed_until < now)
    ]
    count, _ = SigningKey.objects.filter(Q(needed_until=None) | Q(needed_until__lt=now), kid__in=over).delete()
    return count


def states(now: datetime) -> list[tuple[SigningKey, str]]:
    """Return the keys, the newest first, each with what it does."""
    rows = list(SigningKey.objects.order_by("-signs_from", "-created_at"))
    signing = _signing(rows, now=now)
    return [(row, NEXT if row.signs_from > now else SIGNING if row == signing else VERIFYING) for row in rows]


def published() -> dict[str, list[dict[str, Any]]]:
    """Return the public keys as a JSON Web Key Set (RFC 7517)."""
    return {"keys": [_jwk(row) for row in SigningKey.objects.order_by("-signs_from", "-created_at")]}


def _jwk(row: SigningKey) -> dict[str, Any]:
    public = _public(row.public_key)
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError(f"the signing key {row.kid} is none of {row.algorithm}")
    shown = RSAAlgorithm.to_jwk(public, as_dict=True)
    return {"use": "sig", "kty": "RSA", "kid": row.kid, "alg": row.algorithm, "n": shown["n"], "e": shown["e"]}


def _signing(rows: Iterable[SigningKey], *, now: datetime) -> SigningKey | None:
    begun = [row for row in rows if row.signs_from <= now]
    return max(begun, key=lambda row: (row.signs_from, row.created_at), default=None)


@lru_cache(maxsize=32)
def _public(pem: str) -> PublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise TypeError("a signing key is neither of RSA nor of an elliptic curve")
    return key


@lru_cache(maxsize=4)
def _private(sealed: str, kid: str) -> rsa.RSAPrivateKey:
    pem = sealing.unseal(sealed, key="signing key", namespace="", name=kid)
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"the signing key {kid} is not of RSA")
    return key
