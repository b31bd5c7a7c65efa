"""What the tests of the registry client share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from imagestreams.upstream.client import Limits, RepositoryClient, UpstreamClient
from imagestreams.upstream.supply import Offer
from imagestreams.upstream.values import Repository
from registry_meta import certificates
from tests.registries import PASSWORDS, Distribution, odd, token_guarded
from tests.requirements import found

Connect = Callable[..., RepositoryClient]


@pytest.fixture
def client() -> Iterator[UpstreamClient]:
    """A client that may connect to this machine."""
    made = UpstreamClient(limits=Limits(), allow_private=True)
    yield made
    made.close()


@pytest.fixture
def connect(client: UpstreamClient) -> Connect:
    """What opens `host/path` with the client, insecurely unless told otherwise."""

    def opened(place: str, *credentials: Offer, insecure: bool = True) -> RepositoryClient:
        host, _, path = place.partition("/")
        return client.repository(Repository(host, path), credentials=credentials, insecure=insecure)

    return opened


def _distribution(htpasswd: str | None) -> Iterator[Distribution]:
    if not found("docker-registry"):
        pytest.skip("docker-registry is not installed")
    registry = Distribution()
    try:
        yield registry.start(htpasswd=htpasswd)
    finally:
        registry.close()


@pytest.fixture(scope="session")
def open_registry() -> Iterator[Distribution]:
    """CNCF Distribution that anyone may read."""
    yield from _distribution(None)


@pytest.fixture(scope="session")
def closed_registry() -> Iterator[Distribution]:
    """CNCF Distribution that wants a password."""
    yield from _distribution(PASSWORDS)


@pytest.fixture(scope="session")
def odd_host() -> Iterator[str]:
    """A registry that answers oddly."""
    with odd() as host:
        yield host


@pytest.fixture(scope="session")
def token_host() -> Iterator[str]:
    """A registry behind a token service."""
    with token_guarded() as host:
        yield host


@dataclass(frozen=True, slots=True)
class TLS:
    """An authority that nobody knows, and certificate and key of a server on 127.0.0.1 under it, as PEM files."""

    authority: Path
    server: tuple[Path, Path]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    """Certificates for this machine."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    authority = certificates.new_authority(now=now)
    pair = certificates.new_server(authority, names=["127.0.0.1"], now=now)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    files = TLS(folder / "authority.pem", (folder / "server.pem", folder / "server.key"))
    files.authority.write_bytes(authority.certificate.public_bytes(pem))
    files.server[0].write_bytes(pair.certificate.public_bytes(pem))
    files.server[1].write_bytes(pair.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return files
