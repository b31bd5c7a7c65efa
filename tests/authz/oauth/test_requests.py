"""What a request at the authorization endpoint asks for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from authz.api.oauthclients import OAuthClient
from authz.clients import CHALLENGING, COMMAND, built_in
from authz.oauth import requests
from authz.oauth.clients import Client
from authz.oauth.requests import Asked, Refused, Rejected

ISSUER = "https://meta.example.com"
CLIENTS = {client.metadata.name: Client(client) for client in built_in(ISSUER)}
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
IMPLICIT = f"{ISSUER}/oauth/token/implicit"
CALLBACK = "http://127.0.0.1:4711/callback"


def read(**given: str | list[str]) -> Asked:
    query = {"client_id": CHALLENGING, "redirect_uri": IMPLICIT, "response_type": "code", "state": "s", **given}
    values = {key: value if isinstance(value, list) else [value] for key, value in query.items() if value}
    return requests.read(values, CLIENTS.get)


def rejection(**given: str | list[str]) -> tuple[str, dict[str, list[str]]]:
    with pytest.raises(Rejected) as caught:
        read(**given)
    parts = urlsplit(caught.value.location)
    return parts._replace(query="", fragment="").geturl(), parse_qs(parts.query or parts.fragment)


def test_a_request_without_scopes_asks_for_all() -> None:
    asked = read(code_challenge=CHALLENGE, code_challenge_method="S256")

    assert (asked.client, asked.redirect_uri, asked.response_type) == (CLIENTS[CHALLENGING], IMPLICIT, "code")
    assert (asked.scopes, asked.state, asked.challenge) == (("user:full",), "s", CHALLENGE)


def test_scopes_are_separated_by_spaces() -> None:
    assert read(scope="user:info role:view:shop").scopes == ("user:info", "role:view:shop")


def test_a_challenge_without_a_method_is_plain() -> None:
    assert read(code_challenge=CHALLENGE).challenge_method == "plain"


@pytest.mark.parametrize(
    "given",
    [
        {"client_id": ""},
        {"client_id": "stranger"},
        {"client_id": [CHALLENGING, COMMAND]},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example.com/oauth/token/implicit"},
        {"redirect_uri": [IMPLICIT, "https://evil.example.com"]},
        {"redirect_uri": CALLBACK},
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_known(given: dict[str, str | list[str]]) -> None:
    with pytest.raises(Refused):
        read(**given)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"response_type": ""}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": ["code", "code"]}, "invalid_request"),
        ({"state": "x" * 5000}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "none"}, "invalid_request"),
        ({"scope": "user:all"}, "invalid_scope"),
        ({"scope": "role:view"}, "invalid_scope"),
        ({"scope": " ".join(["user:info"] * 1000)}, "invalid_scope"),
        ({"client_id": COMMAND, "redirect_uri": CALLBACK}, "invalid_request"),
        ({"client_id": COMMAND, "redirect_uri": CALLBACK, "response_type": "token"}, "unauthorized_client"),
    ],
)
def test_a_good_client_is_told_what_is_wrong(given: dict[str, str | list[str]], error: str) -> None:
    place, answer = rejection(**given)

    assert place == given.get("redirect_uri", IMPLICIT)
    assert answer["error"] == [error]
    assert answer["error_description"]
    assert answer["state"][0].startswith(str(given.get("state", "s"))[:1])


def test_errors_of_the_token_flow_are_in_the_fragment() -> None:
    with pytest.raises(Rejected) as caught:
        read(response_type="token", scope="nonsense")

    assert caught.value.location.startswith(f"{IMPLICIT}#error=invalid_scope&")


def test_a_client_shows_all_of_its_secret_or_none() -> None:
    public = Client(OAuthClient())
    confidential = Client(OAuthClient(secret="new", additional_secrets=["old"]))

    assert [public.proves_itself(secret) for secret in ("", "x")] == [True, False]
    assert [confidential.proves_itself(secret) for secret in ("", "x", "é", "new", "old")] == [
        False, False, False, True, True,
    ]  # fmt: skip
    assert "new" not in repr(confidential)
