"""Logging in with a name and a password that is kept here."""

from __future__ import annotations

from datetime import datetime

from authz import identities
from authz.identities import Profile, SignedIn
from authz.oauth import guesses, passwords
from authz.oauth.sessions import LOCAL


class WrongPassword(Exception):
    """A name and a password that do not belong together; which of them is wrong is not said."""


def with_password(name: str, password: str, *, address: str, now: datetime) -> SignedIn:
    """Return the user whom a name and a password stand for.

    Raises WrongPassword, Locked after too many of them, Busy when too many are checked at the moment, and
    MappingRefused when the name is somebody else's.
    """
    known = "" if passwords.name_problems(name) else name
    attempt = guesses.begin(known, address, now=now)
    if not passwords.is_right(name, password):
        raise WrongPassword
    guesses.succeed(attempt, now=now)
    profile = Profile(user_id=name, preferred_username=name)
    return identities.sign_in(LOCAL, profile, mapping=identities.CLAIM, now=now)
