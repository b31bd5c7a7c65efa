"""Bearer tokens: given out, recognised, and taken back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from authz.models import Token
from authz.rules import account_groups, with_login_group
from registry_meta.kube.models import Counter
from registry_meta.kube.request import Actor

AUDIENCE = "registry-meta"
"""Whom a token is shown to when it is used here."""

PREFIX = "sha256~"
RANDOM_BYTES = 32
LONGEST = 200
MOST_REMEMBERED = 10_000
KEPT_AFTER_END = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What a valid token says: who it is, until when, and to whom it may be shown."""

    actor: Actor
    expires_at: datetime | None
    audiences: tuple[str, ...]

    def serves(self, audiences: Collection[str], *, now: datetime) -> bool:
        """Return whether the token is valid now for one of some audiences."""
        return self.lasts(now=now) and not set(audiences).isdisjoint(self.audiences)

    def lasts(self, *, now: datetime) -> bool:
        """Return whether the token has not expired."""
        return self.expires_at is None or now < self.expires_at


class Memory:
    """The tokens seen since one was last revoked."""

    def __init__(self) -> None:
        self._generation: tuple[int, dict[str, Known]] = (-1, {})

    def at(self, counter: int) -> dict[str, Known]:
        """Return what is remembered at a value of the counter.

        A thread that is late fills the memory of its own time, which nobody reads once the counter has moved.
        """
        generation, known = self._generation
        if generation != counter or len(known) > MOST_REMEMBERED:
            known = {}
            self._generation = (counter, known)
        return known


memory = Memory()


def issue(
    username: str,
    *,
    now: datetime,
    groups: Sequence[str] = (),
    uid: str = "",
    audiences: Sequence[str] = (AUDIENCE,),
    bound_uid: str = "",
    description: str = "",
    expires_at: datetime | None = None,
) -> str:
    """Give out a new token and return it: the only time that it is seen."""
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    Token.objects.create(
        hash=hash_of(token), username=username, groups=list(groups), uid=uid, audiences=list(audiences),
        bound_uid=bound_uid, description=description, created_at=now, expires_at=expires_at,
    )  # fmt: skip
    return token


def hash_of(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def recognise(token: str, *, counter: int) -> Known | None:
    """Return what a token says, expired or not; None when it is none of ours or was revoked.

    `counter` is the present value of the counter of tokens, which moves with every revocation.
    """
    if not token.startswith(PREFIX) or len(token) > LONGEST:
        return None
    known = recalled(token, counter=counter)
    if known is None:
        wanted = hash_of(token)
        row = Token.objects.filter(hash=wanted, revoked_at=None).first()
        if row is None or not hmac.compare_digest(row.hash, wanted):
            return None
        known = memory.at(counter)[wanted] = Known(actor_of(row), row.expires_at, tuple(row.audiences))
    return known


def recalled(token: str, *, counter: int) -> Known | None:
    """Return what a token says if this process has recognised it since one last ended, without asking the database."""
    return memory.at(counter).get(hash_of(token))


def actor_of(row: Token) -> Actor:
    """Return whom a token stands for, with the groups that come with the name."""
    groups = (*row.groups, *account_groups(row.username))
    return Actor(row.username, with_login_group(row.username, groups), row.uid)


def revoke(which: Q, *, now: datetime) -> int:
    """Take back the tokens that a condition names, in force at the next request; return how many."""
    with transaction.atomic():
        count = Token.objects.filter(which, revoked_at=None).update(revoked_at=now)
        if count:
            forget()
    return count


def forget() -> None:
    """Have every process look at tokens anew from its next request on, in the transaction that ends some of them."""
    Counter.objects.filter(name="tokens").update(value=F("value") + 1)


def revoke_bound_to(uid: str, *, now: datetime) -> int:
    """Take back the tokens of an account that is gone, or that were bound to an object that is gone."""
    return revoke(Q(uid=uid) | Q(bound_uid=uid), now=now)


def sweep(now: datetime) -> int:
    """Drop the tokens that ended a day ago or earlier; return how many."""
    before = now - KEPT_AFTER_END
    count, _ = Token.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before)).delete()
    return count
