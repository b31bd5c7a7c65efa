"""Logging in at a provider by authorization code: at a real one, and at others that answer wrongly."""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from authz.identities import Profile
from authz.openid.login import OpenIDProvider, SignInFailed
from tests.authz.forged import signed_with_secret, unsigned
from tests.authz.openid.conftest import Stand, json
from tests.openid_server import CALLBACK, CLIENT_ID, CLIENT_SECRET, OpenIDServer, in_pem
from tests.registries import Reply, Request, StandIn


@dataclass(frozen=True)
class Claims:
    preferred_username: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    issuer: str
    ca: str
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    claims: Claims = Claims()
    extra_scopes: tuple[str, ...] = ("profile", "email")
    extra_authorize_parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """What a caller makes for one log-in."""

    nonce: str = "a nonce"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def url_of(corp: OpenIDProvider, attempt: Attempt) -> str:
    return corp.authorization_url(
        redirect_uri=CALLBACK, state="a state", nonce=attempt.nonce, code_challenge=attempt.challenge
    )


def profile(corp: OpenIDProvider, attempt: Attempt, code: str) -> Profile:
    return corp.profile(code=code, redirect_uri=CALLBACK, nonce=attempt.nonce, code_verifier=attempt.verifier)


def real(provider: OpenIDServer, **changed: Any) -> OpenIDProvider:
    return OpenIDProvider("corp", Config(provider.issuer, str(provider.ca), **changed))


def test_somebody_logs_in(provider: OpenIDServer) -> None:
    corp, attempt = real(provider, claims=Claims(groups=("roles",))), Attempt()

    back = provider.log_in(url_of(corp, attempt), "ann")

    assert back["state"] == "a state"
    assert profile(corp, attempt, back["code"]) == Profile(
        "1", "ann", "Ann Example", "ann@example.com", ("developers", "testers")
    )


def test_what_the_id_token_lacks_is_in_the_userinfo(provider: OpenIDServer) -> None:
    corp, attempt = real(provider, claims=Claims(groups=("groups",))), Attempt()

    back = provider.log_in(url_of(corp, attempt), "ann")

    assert profile(corp, attempt, back["code"]).groups == ("developers", "testers")


def test_groups_stay_as_they_are_where_no_claim_names_them(provider: OpenIDServer) -> None:
    corp, attempt = real(provider), Attempt()

    back = provider.log_in(url_of(corp, attempt), "bob")

    assert profile(corp, attempt, back["code"]).groups is None


def test_a_code_without_the_verifier_is_worth_nothing(provider: OpenIDServer) -> None:
    corp, attempt = real(provider), Attempt()
    back = provider.log_in(url_of(corp, attempt), "ann")

    with pytest.raises(SignInFailed, match=r"the provider refused the code \(invalid_grant\)"):
        profile(corp, Attempt(), back["code"])


def test_a_code_serves_once(provider: OpenIDServer) -> None:
    corp, attempt = real(provider), Attempt()
    back = provider.log_in(url_of(corp, attempt), "ann")
    profile(corp, attempt, back["code"])

    with pytest.raises(SignInFailed, match="refused the code"):
        profile(corp, attempt, back["code"])


def test_a_log_in_of_another_browser_is_refused(provider: OpenIDServer) -> None:
    corp, attempt = real(provider), Attempt()
    back = provider.log_in(url_of(corp, attempt), "ann")

    with pytest.raises(SignInFailed, match="of another log-in"):
        profile(corp, Attempt("another nonce", attempt.verifier), back["code"])


def test_a_wrong_secret_is_told_without_it(provider: OpenIDServer, caplog: pytest.LogCaptureFixture) -> None:
    corp, attempt = real(provider, client_secret="planted-secret"), Attempt()
    back = provider.log_in(url_of(corp, attempt), "ann")

    with caplog.at_level(logging.DEBUG), pytest.raises(SignInFailed, match="invalid_client") as failed:
        profile(corp, attempt, back["code"])

    told = caplog.text + str(failed.value)
    assert not [secret for secret in ("planted-secret", back["code"], attempt.verifier) if secret in told]


def test_the_browser_is_sent_with_what_the_protocol_demands(provider: OpenIDServer) -> None:
    corp = real(provider, extra_authorize_parameters={"prompt": "login", "response_type": "token"})

    query = parse_qs(urlsplit(url_of(corp, Attempt())).query)

    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert (query["scope"], query["prompt"]) == (["openid profile email"], ["login"])


KEY = rsa.generate_private_key(65537, 2048)
JWK = {**RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k"}


class Odd:
    """A provider that says what a test wants."""

    def __init__(self, stand: Stand, certified: Path) -> None:
        self.server: StandIn = stand(self._answer)
        self.claims: dict[str, object] = {}
        self.token = ""
        self.document: dict[str, object] = {}
        self.user_info: object = {"sub": "7", "groups": ["late"]}
        self.ca = str(certified / "ca.crt")

    def log_in(self, **changed: Any) -> Profile:
        corp = OpenIDProvider("odd", Config(self.server.base, self.ca, **changed))
        return profile(corp, Attempt(), "code")

    def said(self, **changed: object) -> dict[str, object]:
        now = int(time.time())
        claims = {
            "iss": self.server.base, "aud": CLIENT_ID, "sub": "7", "iat": now, "exp": now + 60, "nonce": "a nonce",
            "preferred_username": "ann", "name": "Ann", "email": "ann@example.com", **changed,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def _answer(self, request: Request) -> Reply | None:
        base = self.server.base
        if request.path == "/.well-known/openid-configuration":
            paths = {
                "authorization_endpoint": "a",
                "token_endpoint": "token",
                "userinfo_endpoint": "me",
                "jwks_uri": "keys",
            }
            return json({"issuer": base, **{name: f"{base}/{path}" for name, path in paths.items()}, **self.document})
        if request.path == "/keys":
            return json({"keys": [JWK]})
        if request.path == "/me":
            return json(self.user_info)
        if request.path == "/token":
            signed = jwt.encode(self.said(**self.claims), in_pem(KEY), algorithm="RS256", headers={"kid": "k"})
            return json({"access_token": "at", "token_type": "Bearer", "id_token": self.token or signed})
        return None


@pytest.fixture
def odd(stand: Stand, certified: Path) -> Odd:
    return Odd(stand, certified)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://other.example.com"}, "of another issuer"),
        ({"aud": "other"}, "for another client"),
        ({"aud": [CLIENT_ID, "other"]}, "for another client"),
        ({"azp": "other"}, "for another client"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "expired"),
        ({"nbf": 10**10}, "not begun"),
        ({"nonce": None}, "of another log-in"),
        ({"nonce": "other"}, "of another log-in"),
        ({"sub": None}, "names nobody"),
        ({"sub": ""}, "names nobody"),
        ({"preferred_username": "system:admin"}, "none here"),
        ({"preferred_username": "x" * 600}, "none here"),
    ],
    ids=str,
)
def test_an_id_token_with_wrong_claims_signs_nobody_in(odd: Odd, claims: dict[str, object], why: str) -> None:
    assert odd.log_in().preferred_username == "ann"
    odd.claims = claims

    with pytest.raises(SignInFailed, match=why):
        odd.log_in()


def test_an_id_token_that_the_provider_has_not_signed_signs_nobody_in(odd: Odd) -> None:
    stranger = in_pem(rsa.generate_private_key(65537, 2048)).decode()
    forged = [
        unsigned(odd.said(), kid="k"),
        signed_with_secret(odd.said(), CLIENT_SECRET.encode(), kid="k"),
        jwt.encode(odd.said(), stranger, algorithm="RS256", headers={"kid": "k"}),
        "nonsense",
    ]

    for token in forged:
        odd.token = token
        with pytest.raises(SignInFailed, match="not signed"):
            odd.log_in()


def test_several_audiences_need_the_party(odd: Odd) -> None:
    odd.claims = {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}

    assert odd.log_in().user_id == "7"


def test_without_a_preferred_name_the_subject_is_the_name(odd: Odd) -> None:
    odd.claims = {"preferred_username": None}

    assert odd.log_in().preferred_username == "7"


def test_userinfo_of_somebody_else_signs_nobody_in(odd: Odd) -> None:
    odd.user_info = {"sub": "8", "groups": ["admins"]}

    with pytest.raises(SignInFailed, match="about somebody else"):
        odd.log_in(claims=Claims(groups=("groups",)))


def test_userinfo_does_not_override_the_id_token(odd: Odd) -> None:
    odd.user_info = {"sub": "7", "groups": ["late"], "preferred_username": "root"}

    found = odd.log_in(claims=Claims(groups=("groups",)))

    assert (found.preferred_username, found.groups) == ("ann", ("late",))


def test_groups_of_the_system_sign_nobody_in(odd: Odd) -> None:
    odd.claims = {"groups": ["system:masters"]}

    with pytest.raises(SignInFailed, match="none here"):
        odd.log_in(claims=Claims(groups=("groups",)))


def test_a_secret_goes_into_the_form_where_the_provider_takes_it_there_alone(odd: Odd) -> None:
    odd.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    odd.log_in()

    (sent,) = [request for request in odd.server.requests if request.path == "/token"]
    assert parse_qs(sent.body.decode())["client_secret"] == [CLIENT_SECRET]
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1/token", None, 7, "token"])
def test_nothing_is_sent_to_what_is_no_https_url(odd: Odd, endpoint: object) -> None:
    odd.document = {"token_endpoint": endpoint}

    with pytest.raises(SignInFailed, match="no https URL"):
        odd.log_in()


def test_a_provider_that_is_away_signs_nobody_in(tmp_path: Path, certified: Path) -> None:
    gone = OpenIDProvider("gone", Config("https://127.0.0.1:9", str(certified / "ca.crt")))

    with pytest.raises(SignInFailed, match="logging in at gone failed"):
        url_of(gone, Attempt())
