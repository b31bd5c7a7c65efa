"""What the tests of triggers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.imagestreams.triggers.builders import Consumer, consumer


@pytest.fixture
def listening() -> Iterator[Consumer]:
    """A consumer that accepts everything."""
    with consumer() as running:
        yield running
