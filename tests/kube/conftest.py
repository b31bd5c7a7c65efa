"""What the tests of the machinery share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry_meta.kube.changes import feed


@pytest.fixture
def no_feed_left(transactional_db: None) -> Iterator[None]:
    """The feed that watches in this process have started ends before the database is put away."""
    yield
    feed.end()
