"""The sessions of browsers: who has logged in a few minutes ago, and what a provider's answer has to match.

The database holds no session's key, which is a credential, but a hash of it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from authz.api.users import USERS
from authz.identities import SignedIn
from authz.oauth import passwords
from registry_meta.kube import meta, store
from registry_meta.kube.meta import parse_time, timestamp

LIFETIME = timedelta(minutes=10)
LOCAL = "local"
"""The provider of the passwords that are kept here."""

PERSON = "person"
"""The key of a session under which is who logged in."""


class SessionStore(db.SessionStore):
    """Django's sessions in the database, found by a hash of their keys."""

    def exists(self, session_key: str) -> bool:
        """Return whether there is a session of a key."""
        return super().exists(hashed(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """Return the row of this session."""
        row = super().create_model_instance(data)
        row.session_key = hashed(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        """End a session, this one unless another is named."""
        key = session_key or self.session_key
        if key is not None:
            super().delete(hashed(key))

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        key = self.session_key or ""
        row = self.model.objects.filter(session_key=hashed(key), expire_date__gt=meta.now()).first()
        if row is None:
            self._session_key = None
        return row


def hashed(key: str) -> str:
    """Return what is kept of the key of a session; the column has room for 40 characters."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def remember(request: HttpRequest, person: SignedIn, *, provider: str, now: datetime) -> None:
    """Let a browser be that of somebody who has just logged in, under new keys."""
    request.session.cycle_key()
    request.session[PERSON] = {
        "name": person.username,
        "uid": person.uid,
        "provider": provider,
        "at": timestamp(now),
        "stamp": passwords.stamp(person.username) if provider == LOCAL else "",
    }
    rotate_token(request)


def signed_in(session: SessionBase, *, now: datetime) -> SignedIn | None:
    """Return whose browser it is; None when nobody logged in lately, or he is gone, or his password is another."""
    told = session.get(PERSON)
    if not told or now - parse_time(told["at"]) > LIFETIME:
        return None
    user = store.find(USERS, "", told["name"])
    if user is None or user.uid != told["uid"]:
        return None
    if told["provider"] == LOCAL and not passwords.is_current(told["name"], told["stamp"]):
        return None
    return SignedIn(told["name"], told["uid"])


def sweep() -> None:
    """Drop the sessions that are over."""
    SessionStore.clear_expired()
