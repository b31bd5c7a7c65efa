"""How long single requests take, one after the other, on one open connection."""

from __future__ import annotations

import statistics
import time

import requests

PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity"}


def once(client: requests.Session, url: str, **query: str) -> tuple[float, requests.Response]:
    """Return the milliseconds of an answer and the answer; raises for one that is an error."""
    started = time.monotonic()
    answer = client.get(url, params=query, headers=PLAIN)
    taken = (time.monotonic() - started) * 1000
    answer.raise_for_status()
    return taken, answer


def median(client: requests.Session, url: str, *, turns: int, **query: str) -> float:
    """Return the median of the milliseconds that an answer takes."""
    return statistics.median(once(client, url, **query)[0] for _ in range(turns))
