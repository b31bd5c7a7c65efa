"""One provider for all tests that need a real one, and web servers that answer what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from tests.openid_server import OpenIDServer, make_certificate
from tests.registries import Answerer, Reply, StandIn

Stand = Callable[[Answerer], StandIn]


@pytest.fixture(scope="session")
def provider() -> Iterator[OpenIDServer]:
    with OpenIDServer() as running:
        yield running


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for 127.0.0.1, its key and its authority."""
    folder = tmp_path_factory.mktemp("certified")
    make_certificate(folder)
    return folder


@pytest.fixture
def stand(certified: Path) -> Iterator[Stand]:
    """Start web servers over TLS that answer as functions say."""
    with ExitStack() as stack:
        tls = certified / "server.crt", certified / "server.key"
        yield lambda answer: stack.enter_context(StandIn(answer, tls=tls))


def json(content: object, status: int = 200) -> Reply:
    return Reply(status, msgspec.json.encode(content), {"Content-Type": "application/json"})
