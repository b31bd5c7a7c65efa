"""The tokens of people who logged in: given out as objects that hold their hash, and recognised by it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import connection

from authz import scopes as limits
from authz.api.oauthaccesstokens import OAUTH_ACCESS_TOKENS, OAuthAccessToken
from authz.api.oauthclients import OAUTH_CLIENTS
from authz.api.users import USERS
from authz.people import OAUTH
from authz.rules import AUTHENTICATED
from authz.tokens import AUDIENCE, LONGEST, PREFIX, RANDOM_BYTES, Known, Memory
from registry_meta.kube import errors, store
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.request import SYSTEM, Actor, Context
from registry_meta.kube.store import Preconditions

REASON = "somebody logged in"
EXPIRED = "its time is over"
BATCH = 500
BEHIND = (
    "SELECT name, uid, document FROM kube_object WHERE resource = 'oauthaccesstokens.oauth.openshift.io'"
    " AND namespace = '' AND name > %s ORDER BY name LIMIT %s"
)

memory = Memory()


def issue(
    user: str, *, uid: str, client: str, scopes: Sequence[str], expires_in: int, redirect_uri: str, now: datetime
) -> str:
    """Give out a token for a user and return it, the only time that it is seen; `expires_in` is in seconds, 0 for ever.

    How long it may go unused is what its client says.

    Raises 422 for scopes that there are not or that the client may not ask for.
    """
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    known = store.find(OAUTH_CLIENTS, "", client)
    idle = known.object().access_token_inactivity_timeout_seconds if known else None
    obj = OAuthAccessToken(
        metadata=ObjectMeta(name=name_of(token)), client_name=client, expires_in=expires_in, scopes=list(scopes),
        redirect_uri=redirect_uri, user_name=user, user_uid=uid, inactivity_timeout_seconds=idle or 0,
    )  # fmt: skip
    context = Context(SYSTEM, OAUTH_ACCESS_TOKENS, now, reason=REASON)
    store.create(OAUTH_ACCESS_TOKENS, obj, context=context, strategy=OAUTH_ACCESS_TOKENS.storage.strategy)
    return token


def name_of(token: str) -> str:
    """Return the name of the object of a token: the hash of what is secret in it."""
    digest = hashlib.sha256(token.removeprefix(PREFIX).encode()).digest()
    return PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def recognise(token: str, *, counter: int, now: datetime) -> Known | None:
    """Return what a token says, expired or not; None when it is no access token, or its user is gone.

    The actor comes without the groups that Group objects put him in. `counter` is the present value of the counter of
    tokens, which moves when a token or a user is deleted. A token that may not go unused for long is looked at each
    time, for its end moves with its use.
    """
    if not token.startswith(PREFIX) or len(token) > LONGEST:
        return None
    name = name_of(token)
    remembered = memory.at(counter)
    known = remembered.get(name)
    if known is not None:
        return known
    stored = store.find(OAUTH_ACCESS_TOKENS, "", name)
    found: OAuthAccessToken | None = stored.object() if stored else None
    known = _known(found) if found else None
    if known is None or found is None or not found.inactivity_timeout_seconds:
        remembered.update({name: known} if known else {})
        return known
    return replace(known, expires_at=_used(found, now=now).expires_at())


def _known(token: OAuthAccessToken) -> Known | None:
    user = store.find(USERS, "", token.user_name)
    # A user who was deleted and made anew is somebody else.
    if user is None or user.uid != token.user_uid:
        return None
    if token.metadata.deletion_timestamp or user.object().metadata.deletion_timestamp:
        return None
    extra = {limits.EXTRA: tuple(token.scopes or ())}
    return Known(Actor(token.user_name, (OAUTH, AUTHENTICATED), user.uid, extra), token.expires_at(), (AUDIENCE,))


def _used(token: OAuthAccessToken, *, now: datetime) -> OAuthAccessToken:
    """Return a token as it is after this use of it: its end moves on once a third of its time has gone by."""
    client = store.find(OAUTH_CLIENTS, "", token.client_name)
    idle = (client.object().access_token_inactivity_timeout_seconds if client else None) or 0
    until = token.used_until(now, idle)
    if token.is_over(now) or not idle or until - token.inactivity_timeout_seconds < idle // 3:
        return token

    def edit(found: OAuthAccessToken) -> OAuthAccessToken:
        found.inactivity_timeout_seconds = max(found.inactivity_timeout_seconds, until)
        return found

    context = Context(SYSTEM, OAUTH_ACCESS_TOKENS, now, reason="it is in use")
    strategy, name = OAUTH_ACCESS_TOKENS.storage.strategy, token.metadata.name
    try:
        used: OAuthAccessToken = store.update(
            OAUTH_ACCESS_TOKENS, name, edit, context=context, strategy=strategy
        ).object()
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return token
    return used


def sweep(now: datetime) -> int:
    """Delete the tokens whose time is over; return how many."""
    return sum(_drop(name, uid, now=now) for name, uid in _over(now))


def _over(now: datetime) -> Iterator[tuple[str, str]]:
    """Yield name and uid of each token whose time is over."""
    last = ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(BEHIND, [last, BATCH])
            rows = cursor.fetchall()
        for name, uid, document in rows:
            if OAUTH_ACCESS_TOKENS.decoder.decode(document).is_over(now):
                yield name, uid
        if len(rows) < BATCH:
            return
        last = rows[-1][0]


def _drop(name: str, uid: str, *, now: datetime) -> int:
    context = Context(SYSTEM, OAUTH_ACCESS_TOKENS, now, reason=EXPIRED)
    strategy, required = OAUTH_ACCESS_TOKENS.storage.strategy, Preconditions(uid=uid)
    try:
        _, gone = store.delete(OAUTH_ACCESS_TOKENS, name, context=context, strategy=strategy, preconditions=required)
    except errors.StatusError as error:
        if error.code not in (404, 409):
            raise
        return 0
    return int(gone)
