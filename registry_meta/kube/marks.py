"""The marks that a request reads at its start: the counters that tell whether what a process remembers is current."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from django.db import connection

KEY = "registry_meta.marks"
"""Where the environ of a request has what it read."""

_followed: list[str] = []


def follow(*names: str) -> None:
    """Have every request read counters, since something is remembered that depends on them."""
    _followed.extend(name for name in names if name not in _followed)


def read() -> Mapping[str, int]:
    """Return the value of each counter that is followed, in one statement; 0 for one that never moved."""
    places = ", ".join(["%s"] * len(_followed))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT name, value FROM kube_counter WHERE name IN ({places})",  # noqa: S608  # placeholders alone
            _followed,
        )
        return {**dict.fromkeys(_followed, 0), **{str(name): int(value) for name, value in cursor.fetchall()}}


def of(environ: MutableMapping[str, Any]) -> Mapping[str, int]:
    """Return what a request knows, which it reads when it first asks."""
    found: Mapping[str, int] | None = environ.get(KEY)
    if found is None:
        found = environ[KEY] = read()
    return found
