"""Authorization codes: each is good once, for one client and one address, for five minutes; only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from authz.identities import SignedIn
from authz.models import AuthorizationCode
from authz.oauth import pkce
from authz.oauth.requests import Asked

LIFETIME = timedelta(minutes=5)
KEPT = timedelta(days=1)
"""How long a code is remembered that was redeemed: as long as the token that it gave, so that a thief gives it away."""

RANDOM_BYTES = 32
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a client shows to redeem a code."""

    code: str
    client: str
    redirect_uri: str
    verifier: str = ""


class BadCode(Exception):
    """A code that gives nothing: unknown, over, of another client, or without the proof."""


class Replayed(BadCode):
    """A code that was redeemed before; `gave` names the object of the token that it gave."""

    def __init__(self, gave: str) -> None:
        super().__init__()
        self.gave = gave


def issue(asked: Asked, person: SignedIn, *, now: datetime) -> str:
    """Return a new code for what somebody has granted: the only time that it is seen."""
    code = secrets.token_urlsafe(RANDOM_BYTES)
    AuthorizationCode.objects.create(
        hash=_hash(code), client=asked.client.name, redirect_uri=asked.redirect_uri, username=person.username,
        user_uid=person.uid, scopes=list(asked.scopes), challenge=asked.challenge,
        challenge_method=asked.challenge_method if asked.challenge else "", expires_at=now + LIFETIME,
    )  # fmt: skip
    return code


def owner(code: str, *, client: str, now: datetime) -> str | None:
    """Return the uid of the user whom a code that is still good belongs to; None for any other code."""
    row = AuthorizationCode.objects.filter(hash=_hash(code), client=client, used_at=None, expires_at__gt=now).first()
    return row.user_uid if row is not None else None


def redeem(
    ticket: Ticket, *, give: Callable[[AuthorizationCode], tuple[str, str]], now: datetime
) -> tuple[str, AuthorizationCode]:
    """Return the token that `give` makes of a code, once, and the code; `give` returns it and its object's name.

    Raises BadCode, and Replayed for a code that was redeemed before, by whoever has its proof.
    """
    if not 0 < len(ticket.code) <= LONGEST:
        raise BadCode
    with transaction.atomic():
        row = AuthorizationCode.objects.select_for_update().filter(hash=_hash(ticket.code)).first()
        if row is None or not _fits(row, ticket):
            raise BadCode
        if row.used_at is not None:
            raise Replayed(row.gave)
        if row.expires_at <= now:
            raise BadCode
        token, row.gave = give(row)
        row.used_at = now
        row.save(update_fields=["used_at", "gave"])
    return token, row


def _fits(row: AuthorizationCode, ticket: Ticket) -> bool:
    """Return whether a ticket is that of the client, the address and the proof that a code was given out for."""
    return (
        hmac.compare_digest(row.client.encode(), ticket.client.encode())
        and hmac.compare_digest(row.redirect_uri.encode(), ticket.redirect_uri.encode())
        and pkce.proves(ticket.verifier, challenge=row.challenge, method=row.challenge_method)
    )


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def sweep(now: datetime) -> int:
    """Drop the codes that nobody needs to know of; return how many."""
    unused = AuthorizationCode.objects.filter(used_at=None, expires_at__lt=now)
    used = AuthorizationCode.objects.filter(used_at__lt=now - KEPT)
    return unused.delete()[0] + used.delete()[0]
