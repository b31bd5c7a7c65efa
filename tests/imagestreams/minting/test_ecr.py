"""Passwords of Amazon's registries, from stand-ins that compute every signature anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from imagestreams.minting.ecr import place_of
from imagestreams.minting.identities import Ambient, AwsKeys, Cloud, Identity
from imagestreams.minting.mint import Mint
from imagestreams.upstream.errors import Limited, ServerFault, Unauthorized, UpstreamError
from imagestreams.upstream.values import Credential
from tests.clouds.amazon import ROLE, Account, Amazon
from tests.imagestreams.minting.conftest import Mints, patience
from tests.registries import Reply, StandIn

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
KEYS = AwsKeys("AKIATEAM", "team-secret/+")
ROLED = AwsKeys("AKIATEAM", "team-secret/+", role=ROLE, external_id="shop-external-id")
AMBIENT = Ambient(Cloud.AWS)
HOUR = timedelta(hours=1)


@pytest.fixture
def amazon() -> Amazon:
    return Amazon({"AKIATEAM": Account("team-secret/+")}, external_id="shop-external-id")


@pytest.fixture
def service(amazon: Amazon) -> Iterator[StandIn]:
    with amazon.served() as server:
        yield server


@pytest.fixture
def made(mints: Mints, service: StandIn) -> Callable[..., Mint]:
    """What makes a mint whose AWS is the stand-in."""
    names = ("ecr", "ecr-public", "sts", "aws-metadata")
    return lambda **options: mints(endpoints=dict.fromkeys(names, service.base), **options)


def password(mint: Mint, identity: Identity = KEYS, host: str = HOST) -> Credential:
    return mint.credential(identity, host, deadline=patience())


def failure(mint: Mint, identity: Identity = KEYS, host: str = HOST) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        password(mint, identity, host)
    assert caught.value.answered_by == "token"
    return caught.value


def test_a_key_gets_the_password_of_its_region(made: Callable[..., Mint], amazon: Amazon) -> None:
    assert password(made()) == Credential("AWS", "password-1")
    assert amazon.regions == ["ecr eu-west-1"]


def test_the_public_registry_has_a_service_of_its_own(made: Callable[..., Mint], amazon: Amazon) -> None:
    assert password(made(), host="public.ecr.aws") == Credential("AWS", "password-1")
    assert amazon.regions == ["ecr-public us-east-1"]


def test_a_role_is_assumed_in_the_region_of_the_registry(made: Callable[..., Mint], amazon: Amazon) -> None:
    assert password(made(), ROLED) == Credential("AWS", "password-1")
    assert amazon.regions == ["sts eu-west-1", "ecr eu-west-1"]


def test_one_password_is_for_all_registries_of_a_region(made: Callable[..., Mint], amazon: Amazon) -> None:
    mint = made()
    hosts = [HOST, HOST.replace("1234", "4321"), HOST.replace("eu-west-1", "us-east-1")]

    assert [password(mint, host=host).password for host in hosts] == ["password-1", "password-1", "password-2"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (HOST, "https://api.ecr.eu-west-1.amazonaws.com/"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "https://api.ecr.cn-north-1.amazonaws.com.cn/"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "https://ecr-fips.us-gov-west-1.amazonaws.com/"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "https://api.ecr.eu-west-1.amazonaws.com/"),
        ("public.ecr.aws", "https://api.ecr-public.us-east-1.amazonaws.com/"),
        ("images.example.com:5000", "https://api.ecr.ap-south-1.amazonaws.com/"),
    ],
)
def test_the_host_says_where_its_password_comes_from(host: str, url: str) -> None:
    assert place_of(host, region="ap-south-1").url == url


@pytest.mark.parametrize("host", ["images.example.com", "1.dkr.ecr.eu-west-1.amazonaws.com.evil.com"])
def test_a_host_of_no_region_has_no_password(host: str) -> None:
    with pytest.raises(Unauthorized, match=f"the region of the registry {host} is not known"):
        place_of(host, region="")


# --- what this server is


def test_the_keys_of_the_environment_are_used(made: Callable[..., Mint]) -> None:
    mint = made(environ={"AWS_ACCESS_KEY_ID": "AKIATEAM", "AWS_SECRET_ACCESS_KEY": "team-secret/+"})

    assert password(mint, AMBIENT).password == "password-1"


def test_the_token_of_a_cluster_is_read_anew_each_time(
    made: Callable[..., Mint], amazon: Amazon, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    amazon.cluster_key, file = key.public_key(), tmp_path / "token"
    environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": ROLE}

    def projected(**claims: object) -> None:
        ends = datetime.now(UTC) + HOUR
        file.write_text(jwt.encode({"aud": "sts.amazonaws.com", "exp": ends, **claims}, key, algorithm="RS256") + "\n")

    projected(exp=datetime.now(UTC) - HOUR)
    refused = failure(made(environ=environ), AMBIENT)
    assert refused.text == "AWS STS: InvalidIdentityToken: Couldn't verify [hidden]"
    projected()
    assert password(made(environ=environ), AMBIENT).password == "password-1"


def test_the_machine_is_asked_only_where_that_is_allowed(made: Callable[..., Mint], service: StandIn) -> None:
    refused = failure(made(), AMBIENT)

    assert (type(refused), refused.text) == (Unauthorized, "this server has no identity at AWS")
    assert service.asked() == []
    assert password(made(metadata=True), AMBIENT).password == "password-1"
    assert service.asked("/latest")[0] == "PUT /latest/api/token"


def test_the_container_comes_before_the_machine(made: Callable[..., Mint], service: StandIn, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("container-token")
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{service.base}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }

    assert password(made(environ=environ, metadata=True), AMBIENT).password == "password-1"
    assert service.asked("/latest") == []


def test_a_container_is_asked_without_encryption_only_nearby(made: Callable[..., Mint]) -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://keys.example.com/"}

    assert "is not encrypted" in failure(made(environ=environ, metadata=True), AMBIENT).text


# --- refusals


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (
            AwsKeys("AKIATEAM", "wrong-secret"),
            "Amazon ECR in eu-west-1: InvalidSignatureException: "
            "The request signature we calculated does not match the signature you provided.",
        ),
        (
            AwsKeys("AKIANOBODY", "wrong-secret"),
            "Amazon ECR in eu-west-1: UnrecognizedClientException: "
            "The security token included in the request is invalid.",
        ),
        (
            AwsKeys("AKIATEAM", "team-secret/+", role=ROLE.replace("puller", "admin")),
            f"AWS STS: AccessDenied: User is not authorized to perform: sts:AssumeRole on {ROLE}",
        ),
    ],
)
def test_a_refusal_is_told_in_the_words_of_amazon(made: Callable[..., Mint], identity: AwsKeys, text: str) -> None:
    refused = failure(made(), identity)

    assert (type(refused), refused.text) == (Unauthorized, text)


def test_a_key_that_has_expired_is_told(made: Callable[..., Mint], amazon: Amazon) -> None:
    amazon.accounts["ASIAOLD"] = Account("old-secret", "old-token", datetime.now(UTC) - HOUR)

    refused = failure(made(), AwsKeys("ASIAOLD", "old-secret", "old-token"))

    assert refused.text.endswith("ExpiredTokenException: The security token included in the request is expired")


def test_a_clock_that_is_wrong_is_told(made: Callable[..., Mint]) -> None:
    refused = failure(made(now=lambda: datetime.now(UTC) - HOUR))

    expected = "Amazon ECR in eu-west-1: InvalidSignatureException: Signature expired"
    assert refused.text == f"{expected} (the clock of this server is 60 minutes behind)"


def test_a_wish_to_be_left_alone_and_a_fault_may_pass(made: Callable[..., Mint], amazon: Amazon) -> None:
    amazon.trouble = Reply(400, '{"__type":"ThrottlingException","message":"Rate exceeded"}', {"Retry-After": "7"})
    limited = failure(made())
    assert isinstance(limited, Limited)
    assert (limited.text, limited.retry_after) == ("Amazon ECR in eu-west-1: ThrottlingException: Rate exceeded", 7)

    amazon.trouble = Reply(503, "<html>busy")
    faulty = failure(made())
    assert isinstance(faulty, ServerFault)
    assert faulty.text == "Amazon ECR in eu-west-1: 503 Service Unavailable"


@pytest.mark.parametrize(
    "body", ["", "{}", '{"authorizationData": []}', '{"authorizationData": [{"authorizationToken": "!"}]}', "[]"]
)
def test_an_answer_that_cannot_be_read_gives_no_password(made: Callable[..., Mint], amazon: Amazon, body: str) -> None:
    amazon.trouble = Reply(200, body)

    assert isinstance(failure(made()), Unauthorized)
