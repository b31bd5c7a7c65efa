"""Access tokens of Google, for Artifact Registry and Container Registry, which count for an hour.

A key file of a service account signs for itself (RFC 7523); a machine of Google asks its metadata service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import jwt

from imagestreams.minting.aws import content
from imagestreams.minting.exchange import FORM, Ask, Exchange, fields_of, form, text_in
from imagestreams.minting.identities import BadIdentity, GoogleKey, google_key
from imagestreams.minting.minter import Minted
from imagestreams.upstream.answers import Answer
from imagestreams.upstream.errors import TOKEN, Unauthorized
from imagestreams.upstream.values import Credential, Deadline

USER = "oauth2accesstoken"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
"""What is needed to pull from either registry, and no more."""

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
WHO = "Google"
METADATA = "the metadata service of Google"
METADATA_URL = "http://metadata.google.internal"
METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
LIFE_SECONDS = 3600.0
HOME = "googleapis.com"


class GoogleMinter:
    """Makes access tokens for the service account of a key."""

    def __init__(self, key: Callable[[], GoogleKey], exchange: Exchange) -> None:
        self._key = key
        self._exchange = exchange

    def reach(self, host: str) -> str:
        """Return one word: a token is for every registry."""
        return "google"

    def mint(self, host: str, *, deadline: Deadline) -> Minted:
        """Return a token as the password of the user that stands for tokens."""
        key = self._key()
        endpoint = self._exchange.endpoint("google", key.token_uri)
        if not endpoint.is_ours and not _is_of_google(key.token_uri):
            raise Unauthorized(f"the token_uri of the key is no https address of {HOME}", answered_by=TOKEN)
        assertion = self._assertion(key)
        body = form({"grant_type": GRANT, "assertion": assertion})
        ask = Ask(WHO, endpoint.url, headers=FORM, body=body, hide=(assertion,), is_ours=endpoint.is_ours)
        return _minted(self._exchange.send(ask, deadline=deadline), WHO)

    def _assertion(self, key: GoogleKey) -> str:
        now = int(self._exchange.now().timestamp())
        claims = {"iss": key.email, "scope": SCOPE, "aud": key.token_uri, "iat": now, "exp": now + int(LIFE_SECONDS)}
        try:
            return jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.key_id})
        except (jwt.PyJWTError, ValueError, TypeError):
            # Not chained: what the library says may hold what it could not read.
            raise Unauthorized("the private_key of the key cannot be read", answered_by=TOKEN) from None


class MachineMinter:
    """Takes the access tokens of the machine that the server runs on, or of its account in a cluster there."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def reach(self, host: str) -> str:
        """Return one word: a token is for every registry."""
        return "google"

    def mint(self, host: str, *, deadline: Deadline) -> Minted:
        """Return a token as the password of the user that stands for tokens."""
        base = self._exchange.endpoint("google-metadata", METADATA_URL).url.rstrip("/")
        ask = Ask(METADATA, base + METADATA_PATH, "GET", headers={"Metadata-Flavor": "Google"}, is_ours=True)
        return _minted(self._exchange.send(ask, deadline=deadline), METADATA)


def key_file(environ: Mapping[str, str]) -> GoogleKey:
    """Return the key in the file that GOOGLE_APPLICATION_CREDENTIALS names; raises Unauthorized."""
    name = "GOOGLE_APPLICATION_CREDENTIALS"
    try:
        return google_key(content(environ[name], what=name))
    except BadIdentity as error:
        raise Unauthorized(f"the file of {name} {error.why}", answered_by=TOKEN) from None


def _is_of_google(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").lower()
    is_home = host == HOME or host.endswith(f".{HOME}")
    return parts.scheme == "https" and is_home and port in (None, 443) and "@" not in parts.netloc


def _minted(answer: Answer, who: str) -> Minted:
    fields = fields_of(answer, who=who)
    token = text_in(fields, "access_token", who=who)
    life = fields.get("expires_in")
    return Minted(Credential(USER, token), float(life) if isinstance(life, int | float) else LIFE_SECONDS)
