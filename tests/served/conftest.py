"""The two ways to run the product, by environment variables alone, and a registry to import from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.postgres import Postgres, binaries
from tests.redis_server import Redis
from tests.registries import Distribution
from tests.requirements import found
from tests.served import EMBEDDED, KINDS, SCALED
from tests.served.accidents import Accident, happen
from tests.served.api import Api
from tests.served.kubectl import Kubectl
from tests.server import Server

_namespaces = (f"session-{number}" for number in itertools.count(1))

ENVIRONMENT = {"ALLOW_PRIVATE_NETWORKS": "true", "SCHEDULED_IMPORT_INTERVAL": "1"}


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """The servers that can run on this machine, by their kind."""
    with ExitStack() as stack:
        running = {EMBEDDED: stack.enter_context(Server(environment=ENVIRONMENT))}
        if binaries() is not None and found("redis-server"):
            database_url = stack.enter_context(Postgres()).create("meta")
            # Not the one of other servers: whoever reads its messages does the work.
            redis_url = stack.enter_context(Redis()).url
            scaled = Server(database_url=database_url, redis_url=redis_url, environment=ENVIRONMENT)
            running[SCALED] = stack.enter_context(scaled)
        yield running


@pytest.fixture(scope="session")
def sqlite_server(servers: dict[str, Server]) -> Server:
    """The one of them that needs nothing else, in place of another such server."""
    return servers[EMBEDDED]


@pytest.fixture(scope="session")
def postgres_server(servers: dict[str, Server]) -> Server:
    """The one of them on PostgreSQL and Redis."""
    if SCALED not in servers:
        pytest.skip("PostgreSQL or Redis is not installed")
    return servers[SCALED]


@pytest.fixture(scope="session")
def spare() -> Iterator[Server]:
    """A server for what would disturb others: its workers die, and it forgets what has been."""
    with Server() as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, servers: dict[str, Server]) -> str:
    """Each kind of server in turn."""
    name: str = request.param
    if name not in servers:
        pytest.skip("PostgreSQL or Redis is not installed")
    return name


@pytest.fixture
def served(kind: str, servers: dict[str, Server]) -> Server:
    """A server of each kind in turn."""
    return servers[kind]


@pytest.fixture(scope="session")
def kubectl_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home directory that commands share, so that they find the discovery of the one before."""
    return tmp_path_factory.mktemp("kubectl")


@pytest.fixture
def kubectl(served: Server, kubectl_home: Path) -> Kubectl:
    """The command on each kind of server in turn, in a namespace of its own."""
    if not found("kubectl"):
        pytest.skip("kubectl is not installed")
    return Kubectl(served, kubectl_home, namespace=Api(served, next(_namespaces)).namespace)


@pytest.fixture(scope="session")
def registry() -> Iterator[Distribution]:
    """A container registry that has nothing yet."""
    if not found("docker-registry"):
        pytest.skip("docker-registry is not installed")
    with Distribution() as running:
        yield running


@pytest.fixture(scope="session")
def accidents(servers: dict[str, Server], registry: Distribution) -> Iterator[dict[str, Accident]]:
    """An accident on each server: it takes half a minute to recover, which tests in between make use of."""
    with ExitStack() as stack:
        yield {kind: happen(server, registry, stack) for kind, server in servers.items()}
