"""The passwords that are kept here: scrypt hashes by user name."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.contrib.auth.hashers import ScryptPasswordHasher
from django.utils.crypto import constant_time_compare, salted_hmac

from authz import people
from authz.models import Password

SHORTEST = 8
LONGEST = 1024
LONGEST_NAME = 253

# A hash takes a quarter of a second of one core: a crowd at the door must not keep the API from being served.
HASHING = threading.BoundedSemaphore(1)
WAITING = threading.BoundedSemaphore(16)
"""How many passwords one process checks at a time, and how many may wait for it or be checked."""


class Hasher(ScryptPasswordHasher):
    """The scrypt of Django: 16 MiB and five passes, which is what OWASP asks for."""


class Busy(Exception):
    """Too many passwords wait to be checked."""


class BadPassword(ValueError):
    """A name or a password that cannot be set; the message says why."""


def put(name: str, password: str, *, now: datetime) -> bool:
    """Give a user name a password and return whether it is the first one; raises BadPassword."""
    problems = name_problems(name)
    if problems:
        raise BadPassword(f"{name!r} cannot be a user name: {problems[0]}")
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadPassword(f"a password has {SHORTEST} to {LONGEST} characters")
    hasher = Hasher()
    encoded = hasher.encode(password, hasher.salt())
    _, is_new = Password.objects.update_or_create(name=name, defaults={"encoded": encoded, "changed_at": now})
    return is_new


def name_problems(name: str) -> list[str]:
    """Return what keeps a text from being the name of somebody with a password here."""
    if not name:
        return ["it is empty"]
    if len(name) > LONGEST_NAME:
        return [f"it has more than {LONGEST_NAME} characters"]
    if not name.isprintable() or name != name.strip() or ":" in name:
        return ["it must be printable, without white space around it and without colons"]
    return people.user_name(name)


def remove(name: str) -> bool:
    """Take a password away and return whether there was one."""
    return Password.objects.filter(name=name).delete()[0] > 0


def names() -> list[str]:
    """Return the user names that have a password, in order."""
    return list(Password.objects.order_by("name").values_list("name", flat=True))


def is_right(name: str, password: str) -> bool:
    """Return whether a password is that of a name; one that nobody has takes as long.

    Raises Busy when too many are being checked.
    """
    usable = not name_problems(name) and len(password) <= LONGEST
    row = Password.objects.filter(name=name).first() if usable else None
    hasher = Hasher()
    with _turn():
        matches = hasher.verify(password[:LONGEST], row.encoded if row else _nobodys(hasher))
    return matches and row is not None


def _nobodys(hasher: Hasher) -> str:
    """Return a hash of no known password, to be compared with in the time that any other takes."""
    digest = base64.b64encode(secrets.token_bytes(64)).decode()
    return f"{hasher.algorithm}${hasher.work_factor}${hasher.salt()}${hasher.block_size}${hasher.parallelism}${digest}"


@contextmanager
def _turn() -> Iterator[None]:
    if not WAITING.acquire(blocking=False):
        raise Busy
    try:
        with HASHING:
            yield
    finally:
        WAITING.release()


def stamp(name: str) -> str:
    """Return what changes whenever the password of a name does; empty without a password."""
    row = Password.objects.filter(name=name).first()
    return salted_hmac("authz.oauth.passwords", row.encoded, algorithm="sha256").hexdigest() if row else ""


def is_current(name: str, known: str) -> bool:
    """Return whether the password of a name is still the one that a stamp was taken of."""
    present = stamp(name)
    return bool(present) and constant_time_compare(present, known)
