"""Instants that requests name. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from registry_meta.kube.errors import FieldError, invalid_value
from registry_meta.kube.meta import RFC3339, parse_time

FORM = "must be a time as RFC 3339 writes it, such as 2026-01-02T03:04:05Z"
PLUS = " (in a query, a plus sign is written %2B)"


def moment(text: str) -> datetime:
    """Return the instant that an RFC 3339 text names, in UTC; raises ValueError for a text that names none."""
    if not re.fullmatch(RFC3339, text, re.ASCII):
        raise ValueError(FORM)
    try:
        return parse_time(text.upper())
    except (ValueError, OverflowError) as error:
        raise ValueError(FORM) from error


def asked(query: Mapping[str, str], name: str, problems: list[FieldError]) -> datetime | None:
    """Return the instant of a query parameter, or None when it is not given; what is wrong is added to `problems`."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return moment(text)
    except ValueError:
        problems.append(invalid_value(name, text[:100], FORM + (PLUS if " " in text else "")))
        return None
