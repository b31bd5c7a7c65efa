"""What answers say of how often to ask: 429 and Retry-After (RFC 6585, RFC 9110), and the RateLimit fields.

`RateLimit-Limit`, `-Remaining` and `-Reset` are those of the drafts of the IETF, which registries send in several
spellings: `100`, `100;w=21600` (Docker Hub), `;w=21600` for no limit, and with `X-` before the name.
"""

from __future__ import annotations

import re
import time

from urllib3 import HTTPHeaderDict

from imagestreams.upstream.answers import Answer
from imagestreams.upstream.budget import BELIEVED_SECONDS, News

_COUNT = re.compile(r"\s*(\d{1,12})\b")
_WINDOW = re.compile(r";\s*w\s*=\s*(\d{1,9})\b")
_LEFT = re.compile(r"[;,\s](?:r|remaining)\s*=\s*(\d{1,12})\b")
_RESET = re.compile(r"[;,\s](?:t|reset)\s*=\s*(\d{1,9})\b")
_QUOTA = re.compile(r"[;,\s](?:q|limit)\s*=\s*(\d{1,12})\b")
EPOCH = 1_000_000_000
"""A reset as large as this is a moment, not a number of seconds."""


def news(answer: Answer, *, counted: bool) -> News | None:
    """Return what an answer says about the next requests, None when it says nothing; `counted` tells of a pull."""
    limit, remaining, reset = _quota(answer.headers)
    wait = answer.retry_after
    if answer.status == 429:
        is_used_up = remaining == 0
        # A window that slides has room again long before all of it is over.
        stop = float(wait) or (min(reset, BELIEVED_SECONDS) if is_used_up and reset else 0.0)
        return News(stop, counted and is_used_up, limit, remaining, reset)
    if answer.status == 503 and wait:
        return News(float(wait))
    if remaining is None:
        return None
    return News(None, False, limit, remaining, reset)


def _quota(headers: HTTPHeaderDict) -> tuple[int | None, int | None, float | None]:
    """Return limit, remaining requests, and the seconds until there are more."""
    for prefix in ("RateLimit-", "X-RateLimit-"):
        limit, remaining = _number(headers.get(f"{prefix}Limit")), _number(headers.get(f"{prefix}Remaining"))
        if limit is not None and remaining is not None:
            return limit, remaining, _seconds(headers.get(f"{prefix}Reset"), headers.get(f"{prefix}Limit"))
    combined = f" {headers.get('RateLimit') or ''}"
    left = _LEFT.search(combined)
    if left is None:
        return None, None, None
    quota = _QUOTA.search(combined) or _QUOTA.search(f" {headers.get('RateLimit-Policy') or ''}")
    after = _RESET.search(combined)
    limit = int(quota[1]) if quota else int(left[1])
    return limit, int(left[1]), float(after[1]) if after else None


def _number(text: str | None) -> int | None:
    found = _COUNT.match(text or "")
    return int(found[1]) if found else None


def _seconds(reset: str | None, limit: str | None) -> float | None:
    number = _number(reset)
    if number is not None:
        return float(max(0, number - time.time() if number > EPOCH else number))
    window = _WINDOW.search(limit or "")
    return float(window[1]) if window else None
