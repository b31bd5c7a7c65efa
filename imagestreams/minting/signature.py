"""Signatures of requests to AWS (Signature Version 4, "Create a signed AWS API request"). Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = "-_.~"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a request is signed with."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False, default="")

    def secrets(self) -> tuple[str, ...]:
        """Return the texts that may appear in no message."""
        return tuple(text for text in (self.access_key, self.secret_key, self.session_token) if text)


@dataclass(frozen=True, slots=True)
class Signed:
    """The headers that a signed request has on top of its own, and its `Authorization`."""

    headers: Mapping[str, str]
    authorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and for what a signature counts."""

    region: str
    service: str

    def of(self, day: str) -> str:
        """Return the credential scope of a day."""
        return f"{day}/{self.region}/{self.service}/aws4_request"


def sign(
    method: str, url: str, headers: Mapping[str, str], body: bytes, *, keys: Keys, scope: Scope, now: datetime
) -> Signed:
    """Return what makes a request one that the holder of the keys made; `now` is aware, in UTC."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    added = {"X-Amz-Date": moment}
    if keys.session_token:
        added["X-Amz-Security-Token"] = keys.session_token
    named = {name.lower(): " ".join(value.split()) for name, value in {**headers, **added}.items()}
    named["host"] = _host(url)
    names = ";".join(sorted(named))
    request = _canonical(method, url, named, hashlib.sha256(body).hexdigest())
    place = scope.of(moment[:8])
    text = "\n".join([ALGORITHM, moment, place, hashlib.sha256(request.encode()).hexdigest()])
    signature = _mac(_key(keys.secret_key, moment[:8], scope), text).hex()
    credential = f"Credential={keys.access_key}/{place}"
    return Signed(added, f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}")


def _host(url: str) -> str:
    """Return the `Host` that the request will have: with a port, unless it is that of the scheme."""
    parts = urlsplit(url)
    return parts.netloc.removesuffix(":443" if parts.scheme == "https" else ":80")


def _canonical(method: str, url: str, headers: Mapping[str, str], digest: str) -> str:
    parts = urlsplit(url)
    # Every service but S3 wants the path encoded once more than it is in the URL.
    path = quote(parts.path or "/", safe="/" + UNRESERVED)
    pairs = sorted((_quoted(name), _quoted(value)) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    return "\n".join([method, path, query, *lines, "", ";".join(sorted(headers)), digest])


def _quoted(text: str) -> str:
    return quote(text, safe=UNRESERVED)


def _key(secret: str, day: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
