"""The marks that a request reads at its start: the counters that tell whether what a process remembers is current."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from django.db import connection

KEY = "registry_meta.marks"
"""Where the environ of a request has what it read."""

_unmoved: dict[str, int] = {}


def follow(*names: str) -> None:
    """Have every request read counters, since something is remembered that depends on them."""
    _unmoved.update(dict.fromkeys(names, 0))


def read() -> Mapping[str, int]:
    """Return the value of each counter that is followed, in one statement; 0 for one that never moved."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(*_unmoved))
        return {**_unmoved, **{str(name): int(value) for name, value in cursor.fetchall()}}


@lru_cache(maxsize=1)
def _statement(*names: str) -> str:
    """Return the statement that reads counters, whose names are words of our own: values would be put in each time."""
    places = ", ".join(f"'{name}'" for name in names)
    return f"SELECT name, value FROM kube_counter WHERE name IN ({places})"  # noqa: S608  # as above


def of(environ: MutableMapping[str, Any]) -> Mapping[str, int]:
    """Return what a request knows, which it reads when it first asks."""
    found: Mapping[str, int] | None = environ.get(KEY)
    if found is None:
        found = environ[KEY] = read()
    return found
