"""What a provider says of itself (OpenID Connect Discovery 1.0), and the keys with which it signs."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from authz.openid.fetching import SECONDS, Fetcher, FetchFailed, is_https, leave_database, shown
from authz.signatures import PublicKey, fits, texts

logger = logging.getLogger(__name__)

WELL_KNOWN = "/.well-known/openid-configuration"

FRESH = 300.0
"""The seconds for which keys are taken as they were fetched: a key that the provider drops ends here after that."""

USABLE = 3600.0
"""The seconds for which keys serve while the provider does not answer."""

PAUSE = 10.0
"""The fewest seconds between two questions to a provider, however many tokens name keys that nobody knows."""

MOST_KEYS = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a provider; `algorithm` is empty where the provider does not say it."""

    key_id: str
    algorithm: str
    public_key: PublicKey

    def verifies(self, key_id: str, algorithm: str) -> bool:
        """Return whether a token that names a key and an algorithm may be one of this key's."""
        return key_id in ("", self.key_id) and self.algorithm in ("", algorithm) and fits(self.public_key, algorithm)


class Provider:
    """One issuer: its document and its keys are fetched when they are needed, and kept for a while.

    Threads that need them meanwhile go on with what is known, or wait for the one that asks, never longer than that
    one may take.
    """

    def __init__(
        self, issuer: str, fetcher: Fetcher, *, document: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.issuer = issuer
        self.fetcher = fetcher
        self._document_url = document or issuer.rstrip("/") + WELL_KNOWN
        self._clock = clock
        self._turn = threading.Lock()
        self._keys: tuple[Key, ...] = ()
        self._document: Mapping[str, Any] = {}
        self._fetched_at = self._tried_at = -math.inf

    def document(self) -> Mapping[str, Any]:
        """Return what the provider says of itself; raises FetchFailed."""
        if self._age() > FRESH and self._is_due():
            self._refresh(seconds=0 if self._age() < USABLE else SECONDS)
        if self._age() > USABLE:
            raise FetchFailed(f"{shown(self._document_url)}: there is no usable answer")
        return self._document

    def keys(self, key_id: str, algorithm: str) -> list[PublicKey]:
        """Return the keys that may have signed a token; none when the provider has none or does not answer."""
        found = self._known(key_id, algorithm)
        if (not found or self._age() > FRESH) and self._is_due():
            self._refresh(seconds=0 if found else SECONDS)
            found = self._known(key_id, algorithm)
        return found

    def _known(self, key_id: str, algorithm: str) -> list[PublicKey]:
        if self._age() > USABLE:
            return []
        return [key.public_key for key in self._keys if key.verifies(key_id, algorithm)]

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _is_due(self) -> bool:
        return self._clock() - self._tried_at >= PAUSE

    def _refresh(self, *, seconds: float) -> None:
        """Fetch anew unless another thread just does or just did; wait so many seconds for it."""
        if seconds:
            leave_database()
        if not self._turn.acquire(timeout=seconds):
            return
        try:
            if self._is_due():
                self._fetch()
        finally:
            self._turn.release()

    def _fetch(self) -> None:
        try:
            document = self.fetcher.get(self._document_url)
            self._keys = keys_of(self.fetcher.get(_checked(document, self.issuer)))
            self._document, self._fetched_at = document, self._clock()
        except FetchFailed as error:
            logger.warning("the OpenID provider %s gives no keys: %s", self.issuer, error)
        finally:
            self._tried_at = self._clock()


def _checked(document: Mapping[str, Any], issuer: str) -> str:
    """Return where the keys are; raises FetchFailed for the document of another issuer."""
    where = document.get("jwks_uri")
    if document.get("issuer") != issuer:
        raise FetchFailed(f"the discovery document of {issuer} is that of another issuer")
    if not isinstance(where, str) or not is_https(where):
        raise FetchFailed(f"the discovery document of {issuer} names no https URL of keys")
    return where


def keys_of(jwks: Mapping[str, Any]) -> tuple[Key, ...]:
    """Return the public keys of a JSON Web Key Set (RFC 7517) that can verify signatures; others are passed over."""
    listed = jwks.get("keys")
    if not isinstance(listed, list):
        raise FetchFailed("the list of keys is none")
    return tuple(key for entry in listed[:MOST_KEYS] if (key := _key(entry)) is not None)


def _key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC") or entry.get("use", "sig") != "sig":
        return None
    key_id, algorithm = entry.get("kid", ""), entry.get("alg", "")
    if not isinstance(key_id, str) or not isinstance(algorithm, str) or "d" in entry:
        return None
    if "key_ops" in entry and "verify" not in texts(entry["key_ops"]):
        return None
    try:
        public_key = PyJWK(entry).key
    except (PyJWTError, ValueError, TypeError):
        return None
    return (
        Key(key_id, algorithm, public_key)
        if isinstance(public_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
        else None
    )
