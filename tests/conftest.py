"""What the tests share: real servers, started once for all that ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from authz import policy, signingkeys
from imagestreams import configuration
from registry_meta.kube import pagination
from registry_meta.kube.totals import totals
from tests.postgres import Postgres, binaries
from tests.redis_server import Redis
from tests.requirements import found
from tests.server import TEST_NAMESPACE, Server

DATABASE_FIXTURES = frozenset({"db", "transactional_db", "django_db_setup"})
PRIVATE = {"ALLOW_PRIVATE_NETWORKS": "true"}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark that `pytest_collection_modifyitems` sets, and the one that takes it back."""
    config.addinivalue_line("markers", "database: uses the database in this process, so it runs on each kind of them")
    config.addinivalue_line("markers", "any_database: takes long, and shows what is the same on each kind of database")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the database in this process, and have each find what migrations put there."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            # A test with transactions of its own empties every table behind it.
            kwargs = dict(marker.kwargs) if marker else {"transaction": "transactional_db" in item.fixturenames}  # type: ignore[attr-defined]  # a test function has them
            item.add_marker(pytest.mark.django_db(**{**kwargs, "serialized_rollback": True}), append=False)
            item.add_marker("database")


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Let this process forget what it read from the database of the test before."""
    pagination.remembered.forget()
    totals.forget()
    policy.memory.forget()
    configuration.memory.forget()
    signingkeys.memory.forget()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with Postgres() as running:
        yield running


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis server."""
    if not found("redis-server"):
        pytest.skip("redis-server is not installed")
    with Redis() as running:
        yield running


@pytest.fixture(scope="session")
def sqlite_server() -> Iterator[Server]:
    """A server that needs nothing else: SQLite, and messages in files."""
    with Server(environment=PRIVATE) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_server(postgres: Postgres, redis: Redis) -> Iterator[Server]:
    """A server on PostgreSQL and Redis."""
    with Server(database_url=postgres.create("served"), redis_url=redis.url, environment=PRIVATE) as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each kind of server in turn."""
    name = "sqlite_server" if request.param == "sqlite" else "postgres_server"
    running: Server = request.getfixturevalue(name)
    return running


@pytest.fixture(scope="session")
def administrator(server: Server) -> Iterator[requests.Session]:
    """The administrator's session on each kind of server in turn; the namespace of the tests is there."""
    with server.client() as session:
        body = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": TEST_NAMESPACE}}
        assert session.post(f"{server.url}/api/v1/namespaces", json=body).status_code in (201, 409)
        yield session
