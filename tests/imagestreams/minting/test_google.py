"""Access tokens of Google, from a stand-in that verifies what the account signs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from imagestreams.minting.identities import Ambient, Cloud, GoogleKey, Identity, google_key
from imagestreams.minting.mint import Mint
from imagestreams.upstream.errors import Limited, Unauthorized, UpstreamError
from imagestreams.upstream.values import Credential
from tests.clouds.google import KEY_ID, Google, key_file, new_key
from tests.imagestreams.minting.conftest import Mints, patience
from tests.registries import Reply, StandIn

HOST = "europe-docker.pkg.dev"
AMBIENT = Ambient(Cloud.GOOGLE)
TOKEN = Credential("oauth2accesstoken", "ya29.token-1")


@pytest.fixture
def google(key: rsa.RSAPrivateKey) -> Google:
    return Google({KEY_ID: key.public_key()})


@pytest.fixture
def service(google: Google) -> Iterator[StandIn]:
    with StandIn(google.answer) as server:
        yield server


def identity(key: rsa.RSAPrivateKey, **fields: str) -> GoogleKey:
    return google_key(json.dumps({**key_file(key), **fields}))


def token(mint: Mint, who: Identity) -> Credential:
    return mint.credential(who, HOST, deadline=patience())


def failure(mint: Mint, who: Identity) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        token(mint, who)
    assert caught.value.answered_by == "token"
    return caught.value


def ours(service: StandIn) -> dict[str, str]:
    return {"google": f"{service.base}/token", "google-metadata": service.base}


def test_a_key_signs_for_a_token(mints: Mints, service: StandIn, key: rsa.RSAPrivateKey) -> None:
    assert token(mints(endpoints=ours(service)), identity(key)) == TOKEN


def test_one_token_is_for_every_registry(mints: Mints, service: StandIn, key: rsa.RSAPrivateKey) -> None:
    mint = mints(endpoints=ours(service))
    hosts = [HOST, "gcr.io", "us.gcr.io"]

    assert {mint.credential(identity(key), host, deadline=patience()) for host in hosts} == {TOKEN}


@pytest.mark.parametrize(
    "token_uri",
    [
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com.evil.com/token",
        "https://evilgoogleapis.com/token",
        "https://oauth2.googleapis.com@evil.com/token",
        "https://oauth2.googleapis.com:8443/token",
        "https://169.254.169.254/token",
        "https://[",
    ],
)
def test_a_key_is_shown_to_google_alone(mints: Mints, key: rsa.RSAPrivateKey, token_uri: str) -> None:
    refused = failure(mints(), identity(key, token_uri=token_uri))

    expected = "the token_uri of the key is no https address of googleapis.com"
    assert (type(refused), refused.text) == (Unauthorized, expected)


def test_a_key_that_google_does_not_know_is_refused(mints: Mints, service: StandIn) -> None:
    refused = failure(mints(endpoints=ours(service)), identity(new_key()))

    assert (type(refused), refused.text) == (Unauthorized, "Google: invalid_grant: Invalid JWT Signature.")


def test_a_key_that_cannot_be_read_is_not_shown(mints: Mints, service: StandIn, key: rsa.RSAPrivateKey) -> None:
    broken = "-----BEGIN PRIVATE KEY-----\nvery secret\n-----END PRIVATE KEY-----"

    refused = failure(mints(endpoints=ours(service)), identity(key, private_key=broken))

    assert refused.text == "the private_key of the key cannot be read"
    assert refused.__cause__ is None
    assert service.requests == []


def test_a_clock_that_is_wrong_is_told(mints: Mints, service: StandIn, key: rsa.RSAPrivateKey) -> None:
    def ahead() -> datetime:
        return datetime.now(UTC) + timedelta(hours=2)

    refused = failure(mints(endpoints=ours(service), now=ahead), identity(key))

    assert refused.text.startswith("Google: invalid_grant: Invalid JWT: Token must be a short-lived token")
    assert refused.text.endswith("(the clock of this server is 120 minutes ahead)")


def test_a_wish_to_be_left_alone_may_pass(
    mints: Mints, service: StandIn, google: Google, key: rsa.RSAPrivateKey
) -> None:
    google.trouble = Reply(429, '{"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}')

    limited = failure(mints(endpoints=ours(service)), identity(key))

    assert (type(limited), limited.text) == (Limited, "Google: RESOURCE_EXHAUSTED: Quota exceeded")


# --- what this server is


def test_the_key_file_of_the_environment_is_used(
    mints: Mints, service: StandIn, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    (tmp_path / "key.json").write_text(json.dumps(key_file(key)))
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")}

    assert token(mints(endpoints=ours(service), environ=environ), AMBIENT) == TOKEN


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "the file of GOOGLE_APPLICATION_CREDENTIALS cannot be read: No such file or directory"),
        ("", "the file of GOOGLE_APPLICATION_CREDENTIALS is empty or too large"),
        ("{}", "the file of GOOGLE_APPLICATION_CREDENTIALS is no key file of a service account"),
    ],
)
def test_a_file_that_is_no_key_is_told(mints: Mints, tmp_path: Path, content: str | None, text: str) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)

    assert failure(mints(environ={"GOOGLE_APPLICATION_CREDENTIALS": str(path)}), AMBIENT).text == text


def test_the_machine_is_asked_only_where_that_is_allowed(mints: Mints, service: StandIn) -> None:
    assert failure(mints(endpoints=ours(service)), AMBIENT).text == "this server has no identity at Google"
    assert service.requests == []

    assert token(mints(endpoints=ours(service), metadata=True), AMBIENT) == TOKEN
