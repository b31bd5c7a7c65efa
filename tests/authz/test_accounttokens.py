"""The tokens of service accounts: what they say, when they count, and what ends them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as configured
from django.test import Client
from pytest_django import Settings

from authz import accounttokens, policy, signingkeys, tokens
from authz.accounttokens import Account
from authz.models import SigningKey, Token
from registry_meta.kube import meta
from tests.authz.conftest import Api
from tests.authz.forged import signed_with_secret, unsigned

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCOUNTS = "/api/v1/namespaces/team/serviceaccounts"
SECRETS = "/api/v1/namespaces/team/secrets"
ISSUER = configured.ENVIRONMENT.server_url


def requested(admin: Api, **spec: object) -> str:
    status, answer = admin.post(f"{ACCOUNTS}/default/token", {"spec": spec})
    assert status == 201, answer
    token: str = answer["status"]["token"]
    return token


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def resigned(token: str, **changed: object) -> str:
    """Return a token with other claims, truly signed; claims that are None are left out."""
    claims = {name: value for name, value in {**claims_of(token), **changed}.items() if value is not None}
    signer = signingkeys.signer(now=meta.now())
    return jwt.encode(claims, signer.private_key, algorithm="RS256", headers={"kid": signer.kid})


def answers(token: str) -> int:
    return Api(token).post(REVIEWS, {})[0]


@pytest.fixture
def uid(admin: Api, team: str) -> str:
    found: str = admin.get(f"{ACCOUNTS}/default")[1]["metadata"]["uid"]
    return found


def test_a_token_says_whose_it_is_as_kubernetes_says_it(admin: Api, uid: str) -> None:
    token = requested(admin, expirationSeconds=900)

    header, claims = jwt.get_unverified_header(token), claims_of(token)

    assert header == {"alg": "RS256", "typ": "JWT", "kid": SigningKey.objects.get().kid}
    assert claims["exp"] - claims["iat"] == 900
    assert claims == {
        "iss": ISSUER, "sub": "system:serviceaccount:team:default", "aud": [ISSUER], "iat": claims["iat"],
        "nbf": claims["iat"], "exp": claims["exp"], "jti": claims["jti"],
        "kubernetes.io": {"namespace": "team", "serviceaccount": {"name": "default", "uid": uid}},
    }  # fmt: skip


def test_the_published_key_verifies_a_token(admin: Api, team: str) -> None:
    token = requested(admin, audiences=["vault"])
    account = Api(requested(admin))
    found = account.get("/.well-known/openid-configuration")[1]

    status, content = account.get(found["jwks_uri"].removeprefix(ISSUER))

    keys = jwt.PyJWKSet.from_json(content)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="vault", issuer=found["issuer"])
    assert (status, claims["sub"]) == (200, "system:serviceaccount:team:default")


def test_discovery_says_what_kubernetes_says(admin: Api) -> None:
    assert admin.get("/.well-known/openid-configuration") == (
        200,
        {
            "issuer": ISSUER, "jwks_uri": f"{ISSUER}/openid/v1/jwks", "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
        },
    )  # fmt: skip


def test_discovery_has_the_content_types_of_its_specification(admin: Api) -> None:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {admin.token}"}

    kinds = [
        Client().get(path, **headers).headers["Content-Type"]  # type: ignore[arg-type]  # headers are text
        for path in ("/.well-known/openid-configuration", "/openid/v1/jwks")
    ]

    assert kinds == ["application/json", "application/jwk-set+json"]


def test_the_keys_are_shown_to_accounts_and_to_nobody_unknown(admin: Api, team: str) -> None:
    assert Api().get("/.well-known/openid-configuration")[0] == 200
    assert Api().get("/openid/v1/jwks")[0] == 403
    assert Api(requested(admin)).get("/openid/v1/jwks")[0] == 200


def test_a_token_names_its_account_and_itself(admin: Api, uid: str) -> None:
    token = requested(admin)

    user = Api(token).post(REVIEWS, {})[1]["status"]["userInfo"]

    assert user == {
        "username": "system:serviceaccount:team:default", "uid": uid,
        "groups": ["system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": [f"JTI={claims_of(token)['jti']}"]},
    }  # fmt: skip


def test_nothing_is_kept_of_a_token_without_a_bond(admin: Api, team: str) -> None:
    before = Token.objects.count()

    requested(admin)

    assert Token.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_a_request_with_a_known_token_costs_one_query(admin: Api, team: str, django_assert_num_queries: Any) -> None:
    account = Api(requested(admin))
    account.get("/apis/image.openshift.io")

    with django_assert_num_queries(1):
        status, _ = account.get("/apis/image.openshift.io")

    assert status == 200


@pytest.mark.django_db(transaction=True)
def test_a_token_that_is_seen_first_costs_one_query_more(admin: Api, team: str, django_assert_num_queries: Any) -> None:
    first, second = requested(admin), requested(admin)
    answers(first)

    with django_assert_num_queries(2):
        Api(second).get("/apis/image.openshift.io")


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": None}, {"exp": 1}, {"exp": "tomorrow"}, {"exp": -1}, {"exp": 10**30}, {"exp": True}, {"iss": "https://elsewhere"},
        {"sub": "system:serviceaccount:team:builder"}, {"sub": "system:admin"}, {"aud": ["elsewhere"]}, {"aud": []},
        {"aud": None}, {"nbf": 10**10}, {"iat": 10**10}, {"kubernetes.io": None},
        {"kubernetes.io": {"namespace": "team", "serviceaccount": {"name": "default", "uid": "another"}}},
        {"kubernetes.io": {"namespace": "team", "serviceaccount": {"name": "gone", "uid": ""}}},
        {"kubernetes.io": {"namespace": "team"}}, {"kubernetes.io": "team"},
    ],
    ids=str,
)  # fmt: skip
def test_a_claim_that_is_not_ours_or_has_no_ground_is_refused(
    admin: Api, team: str, changed: dict[str, object]
) -> None:
    token = requested(admin)

    assert answers(resigned(token)) == 201
    assert answers(resigned(token, **changed)) == 401


def test_a_token_that_somebody_else_signed_is_refused(admin: Api, team: str) -> None:
    token = requested(admin)
    kid = SigningKey.objects.get().kid
    stranger = rsa.generate_private_key(65537, 2048)

    forged = jwt.encode(claims_of(token), stranger, algorithm="RS256", headers={"kid": kid})

    assert (answers(token), answers(forged)) == (201, 401)


def test_an_unsigned_token_and_one_signed_with_the_public_key_as_a_secret_are_refused(admin: Api, team: str) -> None:
    token = requested(admin)
    row = SigningKey.objects.get()
    claims = claims_of(token)

    assert answers(unsigned(claims, kid=row.kid)) == 401
    assert answers(unsigned(claims, algorithm="RS256", kid=row.kid)) == 401
    assert answers(signed_with_secret(claims, row.public_key.encode(), kid=row.kid)) == 401
    assert answers(signed_with_secret(claims, row.public_key.strip().encode(), kid=row.kid)) == 401
    assert answers(token + "x") == 401


@pytest.mark.parametrize("token", ["a.b.c", "..", "a.b.", "e30.e30.e30", "e30.e30." + "a" * 20_000, "ey.ey.\u00e9"])
def test_other_texts_of_that_shape_are_no_tokens(admin: Api, token: str) -> None:
    assert accounttokens.recognise(token, counter=policy.freshness().tokens) is None


def test_a_token_ends_with_its_time(admin: Api, uid: str) -> None:
    now = meta.now()
    token = accounttokens.issue(
        Account("team", "default", uid), audiences=[ISSUER], now=now - timedelta(hours=2), expires_at=now
    )

    assert answers(token) == 401


def test_a_token_for_others_serves_them_alone(admin: Api, team: str) -> None:
    token = requested(admin, audiences=["vault", "other"])

    def review(*audiences: str) -> dict[str, Any]:
        answer = admin.post(TOKEN_REVIEWS, {"spec": {"token": token, "audiences": audiences}})[1]
        found: dict[str, Any] = answer["status"]
        return found

    assert answers(token) == 401
    assert review()["error"] == "invalid bearer token"
    assert review("vault", "third")["audiences"] == ["vault"]


def test_a_review_without_audiences_is_about_this_server(admin: Api, team: str) -> None:
    status = admin.post(TOKEN_REVIEWS, {"spec": {"token": requested(admin)}})[1]["status"]

    assert (status["authenticated"], status["audiences"]) == (True, [ISSUER])


def test_a_token_of_a_former_url_stays_valid_where_it_is_named(admin: Api, team: str, settings: Settings) -> None:
    token = requested(admin)
    moved = replace(settings.ENVIRONMENT, public_url="https://new.example.com")
    settings.ENVIRONMENT = moved
    refused = answers(token)

    settings.ENVIRONMENT = replace(moved, former_urls=(ISSUER,))

    assert (refused, answers(token)) == (401, 201)


def test_an_opaque_token_from_before_stays_valid_until_its_end_or_its_account(admin: Api, uid: str) -> None:
    name = "system:serviceaccount:team:default"
    old = tokens.issue(name, now=meta.now(), uid=uid, expires_at=meta.now() + timedelta(hours=1))
    before = answers(old)

    admin.delete(f"{ACCOUNTS}/default")

    assert (before, answers(old)) == (201, 401)


def test_tokens_of_an_account_that_was_made_anew_stay_ended(admin: Api, team: str) -> None:
    token = requested(admin)
    before = answers(token)

    admin.delete(f"{ACCOUNTS}/default")
    admin.post(ACCOUNTS, {"metadata": {"name": "default"}})

    assert (before, answers(token)) == (201, 401)


def test_a_dropped_key_ends_its_tokens_at_once(admin: Api, team: str) -> None:
    token = requested(admin)
    before = answers(token)

    signingkeys.drop(SigningKey.objects.get().kid)

    assert (before, answers(token), answers(requested(admin))) == (201, 401, 201)


def test_rotation_ends_no_token(admin: Api, team: str) -> None:
    old = requested(admin)
    signingkeys.make(signs_from=meta.now(), now=meta.now())
    new = requested(admin)

    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert (answers(old), answers(new)) == (201, 201)


def test_audiences_that_no_header_can_hold_are_refused(admin: Api, team: str) -> None:
    status, answer = admin.post(f"{ACCOUNTS}/default/token", {"spec": {"audiences": ["a" * 3000]}})

    assert (status, answer["details"]["causes"][0]["field"]) == (422, "spec.audiences")


def secret(admin: Api, name: str = "held", account: str = "default") -> dict[str, Any]:
    body = {
        "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token",
    }
    status, answer = admin.post(SECRETS, body)
    assert status == 201, answer
    found: dict[str, Any] = answer
    return found


def held(made: dict[str, Any]) -> str:
    return base64.b64decode(made["data"]["token"]).decode()


def test_a_secret_for_an_account_gets_a_token_without_an_end(admin: Api, uid: str) -> None:
    made = secret(admin)

    claims = claims_of(held(made))

    assert base64.b64decode(made["data"]["namespace"]) == b"team"
    assert made["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == uid
    assert made["metadata"]["ownerReferences"][0]["uid"] == uid
    assert claims == {
        "iss": "kubernetes/serviceaccount", "jti": claims["jti"], "sub": "system:serviceaccount:team:default",
        "kubernetes.io/serviceaccount/namespace": "team", "kubernetes.io/serviceaccount/secret.name": "held",
        "kubernetes.io/serviceaccount/service-account.name": "default",
        "kubernetes.io/serviceaccount/service-account.uid": uid,
    }  # fmt: skip
    assert answers(held(made)) == 201


def test_the_token_of_a_secret_ends_with_it(admin: Api, team: str) -> None:
    token = held(secret(admin))
    before = answers(token)

    admin.delete(f"{SECRETS}/held")
    gone = answers(token)
    secret(admin)

    assert (before, gone, answers(token)) == (201, 401, 401)


def test_the_token_of_a_secret_ends_when_the_secret_holds_another(admin: Api, team: str) -> None:
    token = held(secret(admin))
    before = answers(token)

    status, _ = admin.patch(f"{SECRETS}/held", {"data": {"token": "eA=="}})

    assert (status, before, answers(token)) == (200, 201, 401)


def test_the_token_of_a_secret_ends_with_its_account(admin: Api, team: str) -> None:
    token = held(secret(admin))
    before = answers(token)

    admin.delete(f"{ACCOUNTS}/default")

    assert (before, answers(token)) == (201, 401)


def test_a_secret_of_no_account_stays_empty(admin: Api, team: str) -> None:
    assert "data" not in secret(admin, account="nobody")
