"""Numbers in a query: read as Kubernetes reads them, whatever else Python would take for one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from registry_meta.kube import errors

INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
VERSION = re.compile(r"[0-9]{1,19}", re.ASCII)
INT64 = range(-(2**63), 2**63)


def number(query: Mapping[str, str], name: str) -> int:
    """Return an integer parameter, 0 when it is absent or empty; raises 400 for what is no integer of 64 bits."""
    text = query.get(name, "")
    if not text:
        return 0
    if INTEGER.fullmatch(text) and int(text) in INT64:
        return int(text)
    why = "value out of range" if re.fullmatch(r"[+-]?[0-9]+", text) else "invalid syntax"
    raise errors.bad_request(f'strconv.ParseInt: parsing "{text[:100]}": {why}')


def is_version(text: str) -> bool:
    """Return whether a text is a version that an object can have."""
    return bool(VERSION.fullmatch(text)) and int(text) in INT64
