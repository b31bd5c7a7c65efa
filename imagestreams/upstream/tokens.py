"""What goes into the `Authorization` header: Basic (RFC 7617), or a token fetched for the purpose.

Tokens come from the service that the challenge names (distribution, "Token Authentication" and "OAuth2 Token
Authentication") and are kept until they expire, for the credential and scope that they were given for.

    challenge ── basic ──► user name and password
        │
      bearer ── registry token? ──► as it is
        │
        ├── identity token? ──► POST realm, grant_type=refresh_token
        └── otherwise ────────► GET realm, Basic if there is a password
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from imagestreams.upstream import challenge as challenges
from imagestreams.upstream.answers import Answer, failure, parsed
from imagestreams.upstream.challenge import Challenge
from imagestreams.upstream.errors import TOKEN, Malformed, Unauthorized, Unreachable, UpstreamError
from imagestreams.upstream.transport import Call, Transport, check_scheme
from imagestreams.upstream.values import Credential, Deadline, Limits

CLIENT_ID = "registry-meta"
TOKEN_SECONDS = 15.0
SHORTEST_LIFE = 60.0
LONGEST_LIFE = 3600.0
LEEWAY_SECONDS = 5.0
KEPT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Purpose:
    """The registry request that needs to be authorised; `request` is its line in messages."""

    request: str
    url: str
    scope: str
    insecure: bool
    deadline: Deadline

    @property
    def repository(self) -> str:
        """The repository that the scope names first, empty for none."""
        return self.scope.partition(" ")[0].removeprefix("repository:").rpartition(":")[0]


@dataclass(frozen=True, slots=True)
class Grant:
    """The value of an `Authorization` header; `is_fresh` tells that it did not come from memory."""

    header: str = field(repr=False)
    is_fresh: bool = True

    def secrets(self) -> tuple[str, ...]:
        """Return the texts that may appear in no message."""
        return (self.header.partition(" ")[2],) if self.header else ()


NOTHING = Grant("")

Key = tuple[str, str, str, Credential | None, bool]
"""Realm, service, scope, credential, and whether certificates were left unchecked."""


class Tokens:
    """The authority to send requests, for all threads; at most one of them fetches a certain token."""

    def __init__(self, transport: Transport, *, limits: Limits) -> None:
        self._transport = transport
        self._limit = limits.token_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[float, str]] = OrderedDict()
        self._fetching: dict[Key, tuple[threading.Lock, int]] = {}

    def grant(
        self, asked: tuple[Challenge, ...], credential: Credential | None, purpose: Purpose, *, renew: bool = False
    ) -> Grant:
        """Return what answers the challenges of a registry; `renew` passes over a token that was kept.

        Raises Unauthorized when the registry wants a password and there is none, and every error of a token service.
        """
        chosen = challenges.preferred(asked)
        if chosen is None:
            return NOTHING
        if chosen.scheme == "basic":
            if credential is None or not credential.has_password:
                raise Unauthorized(f"{purpose.request}: no basic auth credentials")
            return Grant(credential.basic())
        if credential is not None and credential.registry_token:
            return _bearer(credential.registry_token)
        try:
            return self._token(chosen, credential, purpose, renew=renew)
        except UpstreamError as error:
            raise error.while_asking(purpose.request) from error.__cause__

    def _token(self, asked: Challenge, credential: Credential | None, purpose: Purpose, *, renew: bool) -> Grant:
        key = (asked["realm"], asked["service"], purpose.scope, credential, purpose.insecure)
        before = self._remembered(key)
        if before and not renew:
            return _bearer(before, is_fresh=False)
        with self._alone(key, purpose.deadline):
            now = self._remembered(key)
            # Another thread may have fetched it while this one waited.
            if now and now != before:
                return _bearer(now)
            token, seconds = self._fetch(asked, credential, purpose)
            self._keep(key, token, seconds)
            return _bearer(token)

    # --- memory

    def _remembered(self, key: Key) -> str:
        with self._lock:
            until, token = self._kept.get(key, (0.0, ""))
        return token if until > time.monotonic() else ""

    def _keep(self, key: Key, token: str, seconds: float) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (time.monotonic() + seconds, token)
            while len(self._kept) > KEPT_TOKENS:
                self._kept.popitem(last=False)

    @contextmanager
    def _alone(self, key: Key, deadline: Deadline) -> Iterator[None]:
        """Let one thread at a time fetch a token; the lock is dropped when nobody needs it."""
        with self._lock:
            lock, users = self._fetching.get(key, (threading.Lock(), 0))
            self._fetching[key] = (lock, users + 1)
        try:
            if not lock.acquire(timeout=deadline.remaining()):
                raise Unreachable("context deadline exceeded while waiting for a token")
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._lock:
                users = self._fetching[key][1] - 1
                if users:
                    self._fetching[key] = (lock, users)
                else:
                    del self._fetching[key]

    # --- the token service

    def _fetch(self, asked: Challenge, credential: Credential | None, purpose: Purpose) -> tuple[str, float]:
        """Return a token and the seconds that it may be kept."""
        realm = _realm(asked, purpose)
        deadline = Deadline(TOKEN_SECONDS, within=purpose.deadline)
        answer = self._ask(realm, asked["service"], credential, purpose, deadline)
        if not 200 <= answer.status < 300:
            raise _refusal(credential, answer)
        return _token_in(answer)

    def _ask(
        self, realm: str, service: str, credential: Credential | None, purpose: Purpose, deadline: Deadline
    ) -> Answer:
        told = partial(_refusal, credential)
        private = (purpose.repository, credential.username if credential is not None else "")
        if credential is not None and credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": CLIENT_ID,
                "scope": purpose.scope,
                "refresh_token": credential.identity_token,
            }
            call = Call("POST", realm, deadline, self._limit, purpose.insecure, form=form)
            answer = self._transport.send(replace(call, told=told, private=private))
            # Services without this flow answer 404, or do not allow the method.
            if answer.status not in (404, 405) or not credential.has_password:
                return answer
        query = [("service", service), *(("scope", scope) for scope in purpose.scope.split(" "))]
        authorization = ""
        if credential is not None and credential.has_password:
            query.append(("account", credential.username))
            authorization = credential.basic()
        url = _with_query(realm, query)
        call = Call("GET", url, deadline, self._limit, purpose.insecure, authorization=authorization)
        return self._transport.send(replace(call, told=told, private=private))


def _refusal(credential: Credential | None, answer: Answer) -> UpstreamError:
    """Return the error that an answer without a token is, without the secrets that were sent."""
    return failure(answer, hide=credential.secrets() if credential else (), answered_by=TOKEN)


def _bearer(token: str, *, is_fresh: bool = True) -> Grant:
    if not _is_sendable(token):
        raise Malformed("the token has characters that no header may hold")
    return Grant(f"Bearer {token}", is_fresh)


def _is_sendable(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token


def _realm(asked: Challenge, purpose: Purpose) -> str:
    """Return the URL of the token service; raises Malformed, or Refused when a secret would go there in the clear."""
    realm = asked["realm"]
    if not realm:
        raise Malformed("no realm specified for token auth challenge")
    if not realm.lower().startswith(("http://", "https://")):
        raise Malformed("invalid token auth challenge realm: it is no HTTP URL")
    check_scheme(realm, base=purpose.url, insecure=purpose.insecure)
    return realm


def _with_query(realm: str, query: Iterable[tuple[str, str]]) -> str:
    parts = urlsplit(realm)
    pairs = parse_qsl(parts.query, keep_blank_values=True) + [(name, value) for name, value in query if value]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(pairs), ""))


def _token_in(answer: Answer) -> tuple[str, float]:
    """Return the token in an answer and the seconds that it may be kept; raises Malformed."""
    try:
        document = parsed(answer.body)
    except Malformed as fault:
        raise Malformed(f"unable to decode token response: {fault.text}", answered_by=TOKEN) from fault
    fields = document if isinstance(document, dict) else {}
    for name in ("access_token", "token"):
        token = fields.get(name)
        if isinstance(token, str) and token:
            return token, _life(fields)
    raise Malformed("authorization server did not include a token in the response", answered_by=TOKEN)


def _life(fields: Mapping[str, object]) -> float:
    """Return for how many seconds a token may be used, a little less than the service says."""
    wanted = fields.get("expires_in")
    life = float(wanted) if isinstance(wanted, int | float) and not isinstance(wanted, bool) else SHORTEST_LIFE
    life = min(max(life, SHORTEST_LIFE), LONGEST_LIFE)
    return life - _age(fields.get("issued_at")) - LEEWAY_SECONDS


def _age(issued_at: object) -> float:
    """Return how many seconds ago a token was made, 0 when that is not said."""
    if not isinstance(issued_at, str):
        return 0.0
    try:
        made = datetime.fromisoformat(issued_at)
    except ValueError:
        return 0.0
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - made).total_seconds())
