"""The values that the registry client takes and gives."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass, field

MIB = 1024 * 1024
HUB = frozenset({"docker.io", "index.docker.io"})
HUB_ENDPOINT = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Credential:
    """Who asks: a user name and password, a token to get others with, or a token to send; its repr shows no secret.

    `origin` is a word of whoever gave the credential, for telling where it is kept; it makes no other credential.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    origin: object = field(default=None, compare=False)

    @property
    def has_password(self) -> bool:
        """Whether a user name and a password are there, both not empty."""
        return bool(self.username and self.password)

    def basic(self) -> str:
        """Return the value of an `Authorization` header with user name and password (RFC 7617)."""
        packed = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return f"Basic {packed}"

    @property
    def payer(self) -> str:
        """A name for whose quota is used at a registry, which tells neither name nor secret."""
        who = self.username or self.identity_token or self.registry_token
        return hashlib.sha256(who.encode()).hexdigest()[:16]

    def secrets(self) -> tuple[str, ...]:
        """Return the texts that may appear in no message."""
        packed = self.basic().removeprefix("Basic ") if self.has_password else ""
        return tuple(text for text in (self.password, self.identity_token, self.registry_token, packed) if text)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at a registry: `host` may have a port and may be docker.io; `path` is whole, as `library/ruby`."""

    host: str
    path: str

    @property
    def endpoint(self) -> str:
        """The `host[:port]` that answers for the registry."""
        return HUB_ENDPOINT if self.host in HUB else self.host


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it came: the sha256 of its bytes (for a signed schema 1, of what is signed), media type, bytes."""

    digest: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What the client allows itself and others; sizes in bytes.

    `per_second` bounds the requests to one host, 0 does not. `total_seconds` bounds one call of a repository (one page,
    for tags, of which all have `tags_seconds`), retries, waiting and redirects included.
    """

    per_host: int = 8
    per_second: float = 0.0
    connect_seconds: float = 15.0
    read_seconds: float = 30.0
    total_seconds: float = 120.0
    manifest_bytes: int = 4 * MIB
    tags_page_bytes: int = 128 * MIB
    token_bytes: int = MIB
    tag_pages: int = 10_000
    tags: int = 1_000_000
    tags_seconds: float = 600.0
    kept_bytes: int = 32 * MIB


class Deadline:
    """The moment at which a call is over; it may lie inside that of a longer call."""

    def __init__(self, seconds: float, *, within: Deadline | None = None) -> None:
        self.at = time.monotonic() + seconds
        if within is not None:
            self.at = min(self.at, within.at)

    def remaining(self) -> float:
        """Return the seconds left, at least 0."""
        return max(0.0, self.at - time.monotonic())
