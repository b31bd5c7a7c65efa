"""Refresh tokens of Azure Container Registry, from stand-ins that check every form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from imagestreams.configuration import Configuration
from imagestreams.credentials import NO_BUNDLE, Keyring
from imagestreams.imports.sources import Sources
from imagestreams.minting import minters
from imagestreams.minting.azure import AcrMinter, Given
from imagestreams.minting.exchange import Exchange
from imagestreams.minting.identities import Ambient, AzureClient, Cloud, Identity
from imagestreams.minting.mint import Mint
from imagestreams.minting.minters import Surroundings
from imagestreams.upstream.client import UpstreamClient
from imagestreams.upstream.errors import Limited, Unauthorized, UpstreamError
from imagestreams.upstream.guard import Guard
from imagestreams.upstream.transport import Transport
from imagestreams.upstream.values import Credential, Limits
from tests.clouds.gate import Gate
from tests.clouds.microsoft import AUDIENCE, CLIENT, TENANT, Microsoft
from tests.imagestreams.minting.conftest import patience
from tests.imagestreams.upstream.conftest import TLS
from tests.registries import Reply, StandIn

AMBIENT = Ambient(Cloud.AZURE)


class Azure:
    """The service, a registry, and a mint that finds both."""

    def __init__(self, microsoft: Microsoft, service: StandIn, registry: StandIn, tls: TLS) -> None:
        self.microsoft, self.service, self.registry, self._tls = microsoft, service, registry, tls
        self.identity = AzureClient(TENANT, CLIENT, microsoft.secret)

    def mint(
        self,
        *,
        environ: dict[str, str] | None = None,
        metadata: bool = False,
        allow_private: bool = True,
        trusts: bool = True,
    ) -> Mint:
        endpoints = {"entra": self.service.base, "azure-metadata": self.service.base}
        around = Surroundings(environ or {}, endpoints, metadata)
        guard = Guard(anything=allow_private)
        bundle = self._tls.authority if trusts else None
        return minters.mint(around, limits=Limits(), guard=guard, ca_bundle=bundle)

    def authorities(self) -> dict[str, str]:
        """Return whom to trust with the service and with the registry."""
        return {host: self._tls.authority.read_text() for host in (self.service.host, self.registry.host)}

    def credential(self, who: Identity, **options: object) -> Credential:
        mint = self.mint(**options)  # type: ignore[arg-type]  # as they came
        return mint.credential(who, self.registry.host, deadline=patience())

    def failure(self, who: Identity, **options: object) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            self.credential(who, **options)
        assert caught.value.answered_by == "token"
        return caught.value


@pytest.fixture
def azure(tls: TLS) -> Iterator[Azure]:
    microsoft = Microsoft()
    with StandIn(microsoft.answer, tls=tls.server) as service, Gate("", microsoft.admits, tls=tls.server) as registry:
        yield Azure(microsoft, service, registry, tls)


def test_an_application_gets_the_refresh_token_of_a_registry(azure: Azure) -> None:
    found = azure.credential(azure.identity)

    assert (found.username, found.password) == ("00000000-0000-0000-0000-000000000000", "")
    assert {found.identity_token} == azure.microsoft.valid
    assert azure.service.asked() == [f"POST /{TENANT}/oauth2/v2.0/token"]
    assert azure.registry.asked() == ["POST /oauth2/exchange"]


def test_an_authority_of_the_cluster_is_trusted_with_the_service_that_it_is_for(azure: Azure) -> None:
    mint = azure.mint(trusts=False)
    client = UpstreamClient(limits=Limits(), allow_private=True)

    Sources(client, Keyring(NO_BUNDLE), cluster=Configuration(0, authorities=azure.authorities()), mint=mint)

    assert mint.credential(azure.identity, azure.registry.host, deadline=patience()).identity_token


@pytest.mark.parametrize("missing", ["service", "registry"])
def test_an_authority_is_trusted_with_no_other_service(azure: Azure, missing: str) -> None:
    mint, authorities = azure.mint(trusts=False), azure.authorities()
    del authorities[getattr(azure, missing).host]
    mint.trust(authorities)

    with pytest.raises(Unauthorized, match="certificate signed by unknown authority"):
        mint.credential(azure.identity, azure.registry.host, deadline=patience())


def test_a_wrong_secret_is_told_and_not_repeated(azure: Azure) -> None:
    refused = azure.failure(AzureClient(TENANT, CLIENT, "wrong-app-secret"))

    expected = "Microsoft Entra: invalid_client: AADSTS7000215: Invalid client secret provided: [hidden]."
    assert (type(refused), refused.text) == (Unauthorized, expected)


def test_a_registry_that_does_not_know_the_application_is_told(azure: Azure) -> None:
    words = '{"errors":[{"code":"UNAUTHORIZED","message":"retrieve tenant failed"}]}'
    azure.microsoft.exchange_trouble = Reply(401, words)

    refused = azure.failure(azure.identity)

    assert (type(refused), refused.text) == (
        Unauthorized,
        f"{azure.registry.host}: UNAUTHORIZED: retrieve tenant failed",
    )


def test_a_wish_to_be_left_alone_may_pass(azure: Azure) -> None:
    azure.microsoft.trouble = Reply(429, "", {"Retry-After": "17"})

    limited = azure.failure(azure.identity)

    assert isinstance(limited, Limited)
    assert (limited.text, limited.retry_after) == ("Microsoft Entra: 429 Too Many Requests", 17)


def test_only_those_who_run_the_server_name_private_addresses(azure: Azure) -> None:
    refused = azure.failure(azure.identity, allow_private=False)

    assert "the address of 127.0.0.1 is private or local" in refused.text
    assert len(azure.service.requests) == 1
    assert azure.registry.requests == []


@pytest.mark.parametrize(("life", "expected"), [(600, 600), (10**6, 3 * 3600)])
def test_the_refresh_token_says_how_long_it_counts(azure: Azure, tls: TLS, life: int, expected: int) -> None:
    azure.microsoft.life = life
    transport = Transport(limits=Limits(), guard=Guard(anything=True), ca_bundle=tls.authority, user_agent="t")
    exchange = Exchange(transport, transport, endpoints={"entra": azure.service.base})

    minted = AcrMinter(Given(azure.identity, exchange), exchange).mint(azure.registry.host, deadline=patience())

    assert minted.seconds == pytest.approx(expected, abs=5)
    transport.close()


# --- what this server is


def test_the_secret_of_the_environment_is_used(azure: Azure) -> None:
    secret = azure.microsoft.secret
    environ = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": secret}

    assert azure.credential(AMBIENT, environ=environ).identity_token in azure.microsoft.valid


def test_the_token_of_a_cluster_is_an_assertion(azure: Azure, key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    azure.microsoft.cluster_key = key.public_key()
    ends = datetime.now(UTC) + timedelta(hours=1)
    (tmp_path / "token").write_text(jwt.encode({"aud": AUDIENCE, "exp": ends}, key, algorithm="RS256"))
    environ = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
    }

    assert azure.credential(AMBIENT, environ=environ).identity_token in azure.microsoft.valid


def test_the_machine_is_asked_only_where_that_is_allowed(azure: Azure) -> None:
    assert azure.failure(AMBIENT).text == "this server has no identity at Azure"
    assert azure.service.requests == []

    assert azure.credential(AMBIENT, metadata=True).identity_token in azure.microsoft.valid
