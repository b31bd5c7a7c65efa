"""Wrong passwords, counted by user name and by address: after a few, the next attempt has to wait.

    free attempts ──one more──▶ wait 1 s ──▶ 2 s ──▶ 4 s … ──▶ 5 minutes at most

An attempt counts as wrong before it is looked at, so that many at once are no way around. Strangers must not be able to
lock somebody out: at an address where somebody has logged in lately, only what was tried for him there counts.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from authz.models import Guesses

LONGEST_WAIT = 300
FORGOTTEN = timedelta(hours=1)
TRUSTED = timedelta(days=30)

FREE_OF_NAME = 5
FREE_OF_ADDRESS = 50
"""How many wrong passwords cost nothing; an address may be that of many people."""

PREFIX_V6 = 64
"""The bits of an IPv6 address that tell one customer of a network from another."""


class Locked(Exception):
    """Too many wrong passwords; the next attempt counts after some seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many failed attempts to log in, try again in {seconds} seconds")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is being looked at, counted as a wrong one until it is known to be right."""

    name: str
    address: str
    counted: tuple[str, ...]


def wait(failures: int, free: int) -> int:
    """Return how many seconds the next attempt has to wait after so many wrong ones."""
    beyond = failures - free
    return 0 if beyond <= 0 else int(min(2 ** min(beyond - 1, 30), LONGEST_WAIT))


def begin(name: str, address: str, *, now: datetime) -> Attempt:
    """Count an attempt for a name, empty for one that nobody can have, from an address; raises Locked."""
    address = network(address)
    with transaction.atomic():
        counted = _counted(name, address, now=now)
        Guesses.objects.bulk_create([Guesses(subject=subject) for subject in counted], ignore_conflicts=True)
        rows = list(Guesses.objects.select_for_update().filter(subject__in=counted).order_by("subject"))
        seconds = max((_left(row, now) for row in rows), default=0)
        if not seconds:
            for row in rows:
                _count(row, now=now)
    if seconds:
        raise Locked(seconds)
    return Attempt(name, address, tuple(counted))


def succeed(attempt: Attempt, *, now: datetime) -> None:
    """Take back what an attempt counted, and remember that its address is one where the name logs in.

    What others tried from the address stays counted, or an account of one's own would be a way to try on.
    """
    by_address = _of_address(attempt.address)
    with transaction.atomic():
        for row in Guesses.objects.select_for_update().filter(subject__in=attempt.counted).order_by("subject"):
            row.failures = max(0, row.failures - 1) if row.subject == by_address else 0
            row.locked_until = None
            row.save(update_fields=["failures", "locked_until"])
        pair = {"trusted_until": now + TRUSTED, "failures": 0, "locked_until": None}
        Guesses.objects.update_or_create(subject=_of_pair(attempt.name, attempt.address), defaults=pair)


def _counted(name: str, address: str, *, now: datetime) -> list[str]:
    """Return what an attempt is counted for, in the order in which rows are locked."""
    by_address = _of_address(address)
    if not name:
        return [by_address]
    pair = _of_pair(name, address)
    if Guesses.objects.filter(subject=pair, trusted_until__gt=now).exists():
        return [pair]
    return [by_address, f"name {name}"]


def _count(row: Guesses, *, now: datetime) -> None:
    is_old = row.failed_at is not None and now - row.failed_at > FORGOTTEN
    row.failures = 1 if is_old else row.failures + 1
    row.failed_at = now
    free = FREE_OF_ADDRESS if row.subject.startswith("address ") else FREE_OF_NAME
    seconds = wait(row.failures, free)
    row.locked_until = now + timedelta(seconds=seconds) if seconds else None
    row.save(update_fields=["failures", "failed_at", "locked_until"])


def _left(row: Guesses, now: datetime) -> int:
    """Return the seconds that a row still keeps from trying, rounded up."""
    if row.locked_until is None or row.locked_until <= now:
        return 0
    return int((row.locked_until - now).total_seconds()) + 1


def _of_address(address: str) -> str:
    return f"address {address}"


def _of_pair(name: str, address: str) -> str:
    return f"pair {address} {name}"


def network(address: str) -> str:
    """Return what an address counts as: of IPv6, the network that one customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(parsed), PREFIX_V6), strict=False))
    return str(parsed)


def forgive(name: str) -> None:
    """Forget what was tried for a name, when its password is new."""
    Guesses.objects.filter(subject=f"name {name}").delete()


def sweep(now: datetime) -> int:
    """Drop what no longer counts; return how many rows."""
    over = Guesses.objects.exclude(failed_at__gte=now - FORGOTTEN).exclude(trusted_until__gte=now)
    return over.delete()[0]
