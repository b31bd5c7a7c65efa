"""How often a tag on a schedule is looked at, as its annotation says. Pure.

    import.registry-meta.io/interval: 5m

The text is a number and a unit (`s`, `m`, `h`, `d`), or several of them as in `1h30m`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from registry_meta.kube.errors import FieldError, invalid_value

KEY = "import.registry-meta.io/interval"
LONGEST = 7 * 86400
"""Seconds; a longer interval counts as this."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
FORM = "must be a time such as 90s, 5m, 1h30m or 1d"
_PARTS = re.compile(r"(?:\d{1,6}[smhd])+", re.ASCII)
_PART = re.compile(r"(\d{1,6})([smhd])", re.ASCII)


def seconds(text: str) -> int:
    """Return the seconds of an interval; raises ValueError for a text that is none, and for none at all."""
    if len(text) > 100 or not _PARTS.fullmatch(text):
        raise ValueError(FORM)
    total = sum(int(number) * UNITS[unit] for number, unit in _PART.findall(text))
    if total < 1:
        raise ValueError(FORM)
    return total


def problems(annotations: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Return what is wrong with the interval among the annotations of the tag that lies at `path`."""
    text = (annotations or {}).get(KEY)
    if text is None:
        return []
    try:
        seconds(text)
    except ValueError as error:
        return [invalid_value(f"{path}.annotations[{KEY}]", text[:100], str(error))]
    return []


def of_tag(annotations: Mapping[str, str] | None, *, usual: int, shortest: int) -> int:
    """Return the seconds between two looks at a tag: what its annotation says within bounds, else the usual ones.

    Nobody is kept from the interval that is usual anyway.
    """
    text = (annotations or {}).get(KEY, "")
    try:
        wished = seconds(text)
    except ValueError:
        return usual
    return min(max(wished, min(shortest, usual)), LONGEST)
