"""Tokens of a real provider as bearer tokens: what is accepted, and what is not whatever its signature."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_django import Settings

from authz.openid import bearer
from tests.authz.conftest import Api, bind
from tests.authz.forged import signed_with_secret, unsigned
from tests.openid_server import CLIENT_ID, OpenIDServer, in_pem

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def configuration(provider: OpenIDServer, **mappings: object) -> dict[str, object]:
    issuer = {"url": provider.issuer, "audiences": [CLIENT_ID], "certificateAuthority": provider.ca.read_text()}
    claims = {
        "username": {"claim": "preferred_username", "prefix": "corp:"}, "groups": {"claim": "roles", "prefix": "corp:"},
        "uid": {"claim": "sub"}, **mappings,
    }  # fmt: skip
    return {
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": claims}],
    }  # fmt: skip


@pytest.fixture
def trusting(provider: OpenIDServer, settings: Settings, tmp_path: Path) -> OpenIDServer:
    """The provider, whose tokens count here."""
    trust(provider, settings, tmp_path)
    return provider


def trust(provider: OpenIDServer, settings: Settings, folder: Path, **mappings: object) -> None:
    """Let the tokens of the provider count here."""
    path = folder / "authentication.yaml"
    path.write_text(yaml.safe_dump(configuration(provider, **mappings)))
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, authentication_config=path)
    bearer.begin()


def answers(token: str) -> int:
    return Api(token).post(REVIEWS, {})[0]


def test_an_id_token_makes_its_bearer_the_user_of_its_claims(admin: Api, trusting: OpenIDServer) -> None:
    user = Api(trusting.id_token("ann")).post(REVIEWS, {})[1]["status"]["userInfo"]

    assert user == {
        "username": "corp:ann", "uid": "1", "groups": ["corp:developers", "corp:testers", "system:authenticated"],
    }  # fmt: skip


def test_rights_are_given_to_users_and_groups_of_the_issuer(admin: Api, team: str, trusting: OpenIDServer) -> None:
    ann, bob = (Api(trusting.signed(preferred_username=name, roles=[])) for name in ("ann", "bob"))
    path = f"/apis/image.openshift.io/v1/namespaces/{team}/imagestreams"

    bind(admin, team, "view", "corp:ann")

    assert (ann.get(path)[0], bob.get(path)[0]) == (200, 403)


def test_the_groups_kept_here_count_too(admin: Api, provider: OpenIDServer, settings: Settings, tmp_path: Path) -> None:
    trust(provider, settings, tmp_path, username={"claim": "preferred_username", "prefix": "corp-"})
    admin.post("/apis/user.openshift.io/v1/groups", {"metadata": {"name": "pilots"}, "users": ["corp-ann"]})

    user = Api(provider.signed(preferred_username="ann", roles=[])).post(REVIEWS, {})[1]["status"]["userInfo"]

    assert user["groups"] == ["pilots", "system:authenticated"]


def test_a_review_knows_the_token_of_an_issuer(admin: Api, trusting: OpenIDServer) -> None:
    status = admin.post(TOKEN_REVIEWS, {"spec": {"token": trusting.signed()}})[1]["status"]

    assert (status["authenticated"], status["user"]["username"]) == (True, "corp:ann")


@pytest.mark.django_db(transaction=True)
def test_a_token_costs_no_query_more(admin: Api, trusting: OpenIDServer, django_assert_num_queries: Any) -> None:
    user = Api(trusting.signed())
    user.get("/apis/image.openshift.io")

    with django_assert_num_queries(1):
        user.get("/apis/image.openshift.io")


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1}, {"exp": None}, {"exp": "never"}, {"nbf": 10**10}, {"iat": 10**10}, {"aud": "elsewhere"},
        {"aud": None}, {"aud": []}, {"iss": "https://127.0.0.1:1"}, {"iss": None}, {"preferred_username": None},
        {"preferred_username": ""}, {"roles": "x" * 600}, {"roles": [1]}, {"sub": 7}, {"headers": {"kid": "unknown"}},
        {"headers": {"crit": ["exp"], "exp": 1}}, {"headers": {"b64": False, "crit": ["b64"]}},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_with_wrong_claims_is_refused(admin: Api, trusting: OpenIDServer, changed: dict[str, Any]) -> None:
    assert answers(trusting.signed()) == 201
    assert answers(trusting.signed(**changed)) == 401


def test_an_issuer_with_a_slash_more_is_another_issuer(admin: Api, trusting: OpenIDServer) -> None:
    assert answers(trusting.signed(iss=f"{trusting.issuer}/")) == 401


def test_a_token_ends_with_its_time(admin: Api, trusting: OpenIDServer) -> None:
    token = trusting.signed(exp=int(time.time()) + 2)
    before = answers(token)
    time.sleep(2.1)

    assert (before, answers(token)) == (201, 401)


def test_nobody_gets_a_name_of_the_system(
    admin: Api, provider: OpenIDServer, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "authentication.yaml"
    bare = {"username": {"claim": "preferred_username", "prefix": ""}, "groups": {"claim": "roles", "prefix": ""}}
    path.write_text(yaml.safe_dump(configuration(provider, **bare)))
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, authentication_config=path)

    assert answers(provider.signed()) == 201
    assert answers(provider.signed(preferred_username="system:admin")) == 401
    assert answers(provider.signed(roles=["system:masters"])) == 401


def test_what_the_provider_has_not_signed_is_refused(admin: Api, trusting: OpenIDServer) -> None:
    good = trusting.signed()
    (jwk,) = trusting.published()
    claims = jwt.decode(good, options={"verify_signature": False})
    public = jwt.PyJWK(jwk).key
    stranger = in_pem(rsa.generate_private_key(65537, 2048)).decode()

    def pem(kind: serialization.PublicFormat) -> bytes:
        found: bytes = public.public_bytes(serialization.Encoding.PEM, kind)
        return found

    forged = [
        unsigned(claims, kid=jwk["kid"]),
        unsigned(claims, algorithm="RS256", kid=jwk["kid"]),
        unsigned(claims, algorithm="NONE", kid=jwk["kid"]),
        signed_with_secret(claims, pem(serialization.PublicFormat.SubjectPublicKeyInfo), kid=jwk["kid"]),
        signed_with_secret(claims, pem(serialization.PublicFormat.PKCS1), kid=jwk["kid"]),
        signed_with_secret(claims, msgspec.json.encode(jwk), kid=jwk["kid"]),
        jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": jwk["kid"]}),
        jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": jwk["kid"], "jwk": jwk}),
        f"{good[:-4]}AAAA",
        f"{good}.{good}",
    ]
    assert answers(good) == 201
    assert [answers(token) for token in forged] == [401] * len(forged)


def test_no_issuer_counts_unless_it_is_named(admin: Api, provider: OpenIDServer) -> None:
    assert answers(provider.signed()) == 401


def test_no_line_of_the_log_holds_a_token(admin: Api, trusting: OpenIDServer, caplog: pytest.LogCaptureFixture) -> None:
    tokens = [trusting.signed(), trusting.signed(aud="elsewhere"), trusting.signed(headers={"kid": "unknown"})]

    with caplog.at_level(logging.DEBUG):
        for token in tokens:
            answers(token)

    assert "it is for another audience" in caplog.text
    assert not [part for token in tokens for part in token.split(".")[1:] if part in caplog.text]
