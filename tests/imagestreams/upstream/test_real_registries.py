"""CNCF Distribution in each way that it can be guarded: whom it lets in, and what the others are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from imagestreams.upstream.client import Limits, RepositoryClient, UpstreamClient
from imagestreams.upstream.errors import IntegrityError, Unauthorized, UpstreamError
from imagestreams.upstream.values import Credential, Repository
from tests import faults
from tests.authorities import Authority
from tests.fault_proxy import Act, Fault, FaultProxy
from tests.registries import PASSWORDS, ROBOT, Distribution
from tests.requirements import needs
from tests.token_service import HUB, LEEWAY, Manners, TokenService

pytestmark = needs("docker-registry")
ROBOTS = Credential(*ROBOT)
WRONG = Credential(ROBOT[0], "a wrong password")


@dataclass(frozen=True)
class Site:
    """A registry over TLS, who deals out its tokens, and a client that trusts both."""

    registry: Distribution
    service: TokenService
    client: UpstreamClient

    def repository(self, path: str, *credentials: Credential | None) -> RepositoryClient:
        return self.client.repository(Repository(self.registry.host, path), credentials=credentials)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[tuple[Distribution, TokenService]]:
    with ExitStack() as stack:
        identity = authority.identity()
        service = stack.enter_context(TokenService(authority, dict([ROBOT]), tls=identity))
        registry = Distribution().start(guard=service.guard(ROBOT[0]), tls=(authority, identity))
        yield stack.enter_context(registry), service


@pytest.fixture
def site(running: tuple[Distribution, TokenService], authority: Authority) -> Iterator[Site]:
    registry, service = running
    service.manners = Manners()
    client = UpstreamClient(limits=Limits(), allow_private=True, ca_bundle=authority.file)
    yield Site(registry, service, client)
    client.close()


def test_a_registry_with_passwords_over_tls_lets_in_who_has_one(authority: Authority) -> None:
    client = UpstreamClient(limits=Limits(), allow_private=True, ca_bundle=authority.file)
    with Distribution().start(htpasswd=PASSWORDS, tls=(authority, authority.identity())) as registry:
        digest = registry.push("team/app", "latest", seed="1")
        place = Repository(registry.host, "team/app")

        assert client.repository(place, credentials=[ROBOTS]).manifest("latest").digest == digest
        with pytest.raises(Unauthorized):
            client.repository(place, credentials=[WRONG]).manifest("latest")
        with pytest.raises(Unauthorized, match="no basic auth credentials"):
            client.repository(place).manifest("latest")
    client.close()


@pytest.mark.parametrize(("path", "credential"), [("public/app", None), ("private/app", ROBOTS)])
def test_a_token_opens_what_it_is_for(site: Site, path: str, credential: Credential | None) -> None:
    digest = site.registry.push(path, "latest", seed=path)
    repository = site.repository(path, credential)

    manifest = repository.manifest("latest")

    assert manifest.digest == digest
    assert list(repository.tags()) == ["latest"]


def test_an_identity_token_gets_tokens(site: Site) -> None:
    digest = site.registry.push("private/app", "latest", seed="private/app")
    credential = Credential(identity_token=site.service.identity_token(ROBOT[0]))

    assert site.repository("private/app", credential).manifest("latest").digest == digest


def test_a_service_without_that_flow_is_asked_with_the_password(site: Site) -> None:
    digest = site.registry.push("private/app", "latest", seed="private/app")
    site.service.manners.with_oauth = False
    credential = Credential(*ROBOT, identity_token=site.service.identity_token(ROBOT[0]))

    assert site.repository("private/app", credential).manifest("latest").digest == digest


def test_a_token_for_nothing_is_not_enough(site: Site) -> None:
    site.registry.push("private/app", "latest", seed="private/app")

    with pytest.raises(Unauthorized) as caught:
        site.repository("private/app").manifest("latest")

    assert caught.value.answered_by == "registry"


@pytest.mark.parametrize("refusal", [Manners().refusal, HUB], ids=["Quay", "Docker Hub"])
def test_a_wrong_password_is_refused_by_the_service(site: Site, refusal: dict[str, object]) -> None:
    site.registry.push("private/app", "latest", seed="private/app")
    site.service.manners.refusal = refusal

    with pytest.raises(UpstreamError) as caught:
        site.repository("private/app", WRONG).manifest("latest")

    assert caught.value.answered_by == "token"


def test_a_token_that_expired_early_is_renewed_once(site: Site) -> None:
    digest = site.registry.push("public/app", "latest", seed="public/app")
    # The registry takes a token for some time after; the service says that it lasts longer than that.
    site.service.manners.life = -LEEWAY
    with pytest.raises(Unauthorized):
        site.repository("public/app").manifest("latest")
    before = len(site.service.requests)
    site.service.manners.life = 300

    assert site.repository("public/app").manifest("latest").digest == digest
    assert len(site.service.requests) == before + 1


@pytest.mark.parametrize(
    "act",
    [
        faults.with_body(lambda body: body + b"\n"),
        faults.with_headers(Docker_Content_Digest="sha256:" + "0" * 64),
    ],
    ids=["other bytes", "another digest"],
)
def test_a_manifest_has_the_digest_that_comes_with_it(
    open_registry: Distribution, client: UpstreamClient, act: Act
) -> None:
    digest = open_registry.push("altered/app", "latest", seed="altered")
    with FaultProxy(open_registry.base) as way:
        repository = client.repository(Repository(way.host, "altered/app"), insecure=True)
        way.put(Fault(act, "/manifests/latest"))

        with pytest.raises(IntegrityError, match="does not match the digest calculated from the content"):
            repository.manifest("latest")
        way.mend()
        assert repository.manifest("latest").digest == digest
