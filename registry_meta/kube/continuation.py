"""Continue tokens: where a list goes on, signed, so that clients cannot make up their own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from functools import lru_cache

import msgspec
from django.conf import settings

from registry_meta.kube import errors

MAC_BYTES = 16
FORM = "meta.k8s.io/v1"
LATEST = -1
"""The version of a token that goes on in the present state, whatever the first page showed."""


class Token(msgspec.Struct, omit_defaults=True):
    """What a continue token holds: the version of the first page, the last key already given, and how many follow."""

    v: str
    rv: int
    start: tuple[str, str]
    rest: int | None = None


def token(version: int, last: tuple[str, str], rest: int | None = None) -> str:
    """Return the continue token for what comes behind a key in a snapshot; `rest` is how many that are, if known."""
    packed = msgspec.json.encode(Token(v=FORM, rv=version, start=last, rest=rest))
    return base64.urlsafe_b64encode(_mac(packed) + packed).rstrip(b"=").decode()


def read_token(text: str) -> Token:
    """Return what a continue token holds; raises 400 for one that was not made here."""
    try:
        signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        mac, packed = signed[:MAC_BYTES], signed[MAC_BYTES:]
        if hmac.compare_digest(mac, _mac(packed)):
            return msgspec.json.decode(packed, type=Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise not_valid(text) from error
    raise not_valid(text)


def not_valid(text: str) -> errors.StatusError:
    """Return 400 for a text that is no continue token of what is asked for."""
    return errors.bad_request(f"continue key is not valid: {text[:200]}")


def _mac(packed: bytes) -> bytes:
    return hmac.digest(_key(settings.SECRET_KEY), packed, "sha256")[:MAC_BYTES]


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    """Return the key of these signatures, which is good for nothing else."""
    return hashlib.sha256(b"continue tokens of " + secret.encode()).digest()
