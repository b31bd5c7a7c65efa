"""A kind on each kind of server, for the tests of the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from registry_meta.kube.objects import stored_kinds
from registry_meta.kube.resource import Resource
from tests.contract.kinds import Kind
from tests.server import TEST_NAMESPACE, Server


@pytest.fixture(params=stored_kinds(), ids=lambda resource: resource.plural)
def resource(request: pytest.FixtureRequest) -> Resource:
    """Each stored kind in turn."""
    found: Resource = request.param
    return found


@pytest.fixture
def kind(server: Server, administrator: requests.Session, resource: Resource) -> Iterator[Kind]:
    """A stored kind without any object made yet; those that a test makes are deleted behind it."""
    made = Kind(server, resource, administrator, TEST_NAMESPACE)
    yield made
    made.clear()
