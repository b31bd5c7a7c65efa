"""Limits of time that hold on a machine that has time for the tests."""

from __future__ import annotations

import os

import pytest

BUSY = 2.0
"""Processes for each core that wait for it; beyond, a clock tells of other work."""


def within(seconds: float, limit: float, *, what: str) -> None:
    """See that something took no longer than a limit; where it did and the machine is busy, skip the test."""
    load = os.getloadavg()[0]
    if seconds >= limit and load > BUSY * (os.cpu_count() or 1):
        pytest.skip(f"{what}: {seconds:.1f} s, with {load:.0f} processes that wait for a core")
    assert seconds < limit, f"{what}: {seconds:.1f} s"
