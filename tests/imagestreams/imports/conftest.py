"""What the tests of imports share: a shop and a registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authz.conftest import Api
from tests.imagestreams.asking import opened
from tests.imagestreams.imports.shelf import Shelf


@pytest.fixture
def shop(db: None) -> Api:
    """The API of the administrator of a shop."""
    return opened()


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """A registry that has nothing yet."""
    with Shelf() as running:
        yield running
