from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagestreams.upstream.client import Limits, UpstreamClient
from imagestreams.upstream.errors import Refused, Untrusted
from imagestreams.upstream.values import Repository
from tests.imagestreams.upstream.conftest import TLS
from tests.registries import Reply, Request, StandIn


@pytest.fixture
def registry(tls: TLS) -> Iterator[StandIn]:
    def answer(request: Request) -> Reply:
        return Reply(200, '{"tags": ["a"]}')

    with StandIn(answer, tls=tls.server) as server:
        yield server


def tags(host: str, *, ca_bundle: Path | None = None, insecure: bool = False) -> list[str]:
    client = UpstreamClient(limits=Limits(), allow_private=True, ca_bundle=ca_bundle)
    try:
        return list(client.repository(Repository(host, "team/app"), insecure=insecure).tags())
    finally:
        client.close()


def test_a_certificate_of_an_unknown_authority_is_not_trusted(registry: StandIn) -> None:
    with pytest.raises(Untrusted) as caught:
        tags(registry.host)

    assert caught.value.text == (
        f'Get "{registry.base}/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority'
    )


def test_an_authority_that_is_named_is_trusted(registry: StandIn, tls: TLS) -> None:
    assert tags(registry.host, ca_bundle=tls.authority) == ["a"]


def test_a_certificate_for_another_name_is_not_trusted(registry: StandIn, tls: TLS) -> None:
    with pytest.raises(Untrusted, match="certificate is not valid for localhost"):
        tags(registry.host.replace("127.0.0.1", "localhost"), ca_bundle=tls.authority)


def test_an_insecure_registry_may_have_any_certificate(registry: StandIn) -> None:
    assert tags(registry.host, insecure=True) == ["a"]


def test_trust_is_not_shared_between_secure_and_insecure(registry: StandIn) -> None:
    client = UpstreamClient(limits=Limits(), allow_private=True)
    place = Repository(registry.host, "team/app")
    assert list(client.repository(place, insecure=True).tags()) == ["a"]

    with pytest.raises(Untrusted):
        list(client.repository(place, insecure=False).tags())
    client.close()


@pytest.fixture
def client() -> Iterator[UpstreamClient]:
    made = UpstreamClient(limits=Limits(), allow_private=True)
    yield made
    made.close()


def listed(client: UpstreamClient, host: str) -> list[str]:
    return list(client.repository(Repository(host, "team/app")).tags())


def test_an_authority_of_a_host_is_trusted_with_it_until_it_is_taken_back(
    client: UpstreamClient, registry: StandIn, tls: TLS
) -> None:
    client.trust({registry.host: tls.authority.read_text()})
    assert listed(client, registry.host) == ["a"]

    client.trust({})

    with pytest.raises(Untrusted):
        listed(client, registry.host)


def test_an_authority_of_a_host_is_not_trusted_with_others(client: UpstreamClient, registry: StandIn, tls: TLS) -> None:
    text = tls.authority.read_text()
    client.trust({"127.0.0.1": text, "127.0.0.1:1": text, "example.com": text})

    with pytest.raises(Untrusted, match="unknown authority"):
        listed(client, registry.host)


def test_a_connection_that_was_trusted_is_not_used_again_once_it_is_not(
    client: UpstreamClient, registry: StandIn, tls: TLS
) -> None:
    client.trust({registry.host: tls.authority.read_text()})
    listed(client, registry.host)
    before = registry.connections

    listed(client, registry.host)
    kept = registry.connections
    client.trust({"example.com": tls.authority.read_text()})

    assert kept == before
    with pytest.raises(Untrusted):
        listed(client, registry.host)


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_an_authority_that_is_none_fails_its_host_alone(
    client: UpstreamClient, registry: StandIn, tls: TLS, text: str
) -> None:
    client.trust({registry.host: tls.authority.read_text(), "127.0.0.1:1": text})

    assert listed(client, registry.host) == ["a"]
    with pytest.raises(Untrusted, match=r"trusted for 127.0.0.1:1 in addition are no certificates"):
        listed(client, "127.0.0.1:1")


def test_a_token_service_without_encryption_gets_no_password(tls: TLS) -> None:
    def answer(request: Request) -> Reply:
        return Reply(401, "", {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:1/token",service="s"'})

    with StandIn(answer, tls=tls.server) as server, pytest.raises(Refused, match="which is not encrypted"):
        tags(server.host, ca_bundle=tls.authority)
