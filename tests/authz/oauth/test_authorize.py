"""Programs and browsers at `/oauth/authorize`."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client

from authz.clients import BROWSER, COMMAND
from authz.models import AuthorizationCode, Guesses
from authz.oauth import passwords, pkce
from registry_meta.kube import meta
from tests.authz.conftest import Api
from tests.authz.oauth.conftest import IMPLICIT, ISSUER, MYSELF, NAME, PASSWORD, VERIFIER, Browser, Program, told

CALLBACK = "http://127.0.0.1:4711/callback"


def is_challenge(answer: HttpResponse) -> bool:
    return (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, 'Basic realm="openshift"')


def test_a_program_is_asked_for_a_name_and_a_password(program: Program) -> None:
    answer = program.authorize()

    assert is_challenge(answer)
    assert f"{ISSUER}/oauth/token/request" in answer.content.decode()
    assert not answer.cookies


def test_a_right_password_gives_a_code(program: Program) -> None:
    answer = program.authorize(NAME, PASSWORD, state="s")

    assert answer.headers["Location"].startswith(f"{IMPLICIT}?code=")
    assert told(answer).keys() == {"code", "state"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert not AuthorizationCode.objects.filter(hash=told(answer)["code"]).exists()


@pytest.mark.parametrize("credentials", [(NAME, "wrong"), ("nobody", PASSWORD), ("a\0b", "x"), ("system:admin", "x")])
def test_a_wrong_one_is_asked_for_again(program: Program, credentials: tuple[str, str]) -> None:
    assert is_challenge(program.authorize(*credentials))
    assert not AuthorizationCode.objects.exists()


@pytest.mark.parametrize("header", ["Basic", "Basic ####", "Basic YQ==", "Basic /w==", "Bearer x", "Negotiate abc"])
def test_a_header_without_a_name_and_a_password_is_none(program: Program, header: str) -> None:
    query = {"client_id": "openshift-challenging-client", "redirect_uri": IMPLICIT, "response_type": "code"}
    answer = Client().get("/oauth/authorize", query, headers={"x-csrf-token": "1", "authorization": header})

    assert answer.status_code == 401
    assert not Guesses.objects.exists()


def test_the_older_flow_gives_a_token_in_the_fragment(program: Program) -> None:
    answer = program.authorize(NAME, PASSWORD, response_type="token", state="s")

    given = told(answer)
    token = given.pop("access_token")
    assert given == {"expires_in": "86400", "scope": "user:full", "state": "s", "token_type": "Bearer"}
    assert answer.headers["Location"] == (
        f"{IMPLICIT}#access_token={token}&expires_in=86400&scope=user%3Afull&state=s&token_type=Bearer"
    )
    status, body = Api(token).get(MYSELF)
    assert (status, body["metadata"]["name"]) == (200, NAME)


def test_many_wrong_passwords_make_even_the_right_one_wait(program: Program) -> None:
    program.authorize(NAME, "wrong")
    assert Guesses.objects.get(subject=f"name {NAME}").failures == 1
    Guesses.objects.update(locked_until=meta.now() + timedelta(minutes=1))

    answer = told(program.authorize(NAME, PASSWORD))

    assert answer["error"] == "access_denied"
    assert answer["error_description"].startswith("too many failed attempts to log in, try again in ")


def test_a_browser_is_not_challenged_but_sent_to_log_in(browser: Browser) -> None:
    path = f"/oauth/authorize?client_id=openshift-challenging-client&redirect_uri={IMPLICIT}&response_type=code"
    answer = browser.get(path, authorization="Basic YW5uYTpjb3JyZWN0IGhvcnNl")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login?then=%2Foauth%2Fauthorize%3F")


def cli(**query: str) -> str:
    wanted = {
        "client_id": COMMAND, "redirect_uri": CALLBACK, "response_type": "code", "state": "s",
        "code_challenge": pkce.transformed(VERIFIER), "code_challenge_method": "S256", **query,
    }  # fmt: skip
    return "/oauth/authorize?" + "&".join(f"{key}={value}" for key, value in wanted.items())


def test_a_browser_that_has_logged_in_brings_the_code_to_the_program(browser: Browser, program: Program) -> None:
    browser.log_in()

    answer = browser.get(cli(), **{"x-csrf-token": "1"})

    assert answer.headers["Location"].startswith(f"{CALLBACK}?code=")
    given = told(answer)
    assert given["state"] == "s"
    redeemed = program.redeem(
        given["code"], authorization="", client_id=COMMAND, redirect_uri=CALLBACK, code_verifier=VERIFIER
    )
    assert redeemed.status_code == 200


@pytest.mark.parametrize(
    "query", [{"redirect_uri": "https://evil.example.com/callback"}, {"client_id": "stranger"}, {"client_id": "a%00b"}]
)
def test_a_request_of_a_stranger_redirects_nowhere(browser: Browser, query: dict[str, str]) -> None:
    browser.log_in()

    page = browser.get(cli(**query))
    document = browser.get(cli(**query), accept="application/json")

    assert (page.status_code, document.status_code) == (400, 400)
    assert "Location" not in page.headers
    assert b"<h1>" in page.content
    assert b'"error"' in document.content


def test_errors_of_a_good_client_go_to_the_client(browser: Browser) -> None:
    answer = browser.get(cli(scope="nonsense"))

    assert answer.headers["Location"].startswith(f"{CALLBACK}?error=invalid_scope&error_description=")


def test_scopes_limit_the_token(program: Program) -> None:
    token = told(program.authorize(NAME, PASSWORD, response_type="token", scope="user:info"))["access_token"]

    assert Api(token).get(MYSELF)[0] == 200
    assert Api(token).get("/apis/project.openshift.io/v1/projects")[0] in (403, 404)
    assert Api(token).get("/api/v1/namespaces/default")[0] == 403


def test_a_session_of_another_password_is_over(browser: Browser) -> None:

    browser.log_in()
    passwords.put(NAME, "another password", now=meta.now())

    assert browser.get(cli()).headers["Location"].startswith("/login?")


def test_other_methods_are_refused(browser: Browser) -> None:
    answer = browser.client.put(cli(), secure=True)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


def test_the_browser_client_cannot_be_used_by_programs_with_a_password(program: Program) -> None:
    answer = program.authorize(NAME, PASSWORD, client_id=BROWSER, redirect_uri=f"{ISSUER}/oauth/token/display")

    assert answer.headers["Location"].startswith("/login?")


def test_a_crowd_at_the_door_is_told_to_come_back(program: Program, browser: Browser) -> None:
    with ExitStack() as stack:
        while passwords.WAITING.acquire(blocking=False):
            stack.callback(passwords.WAITING.release)

        answer = told(program.authorize(NAME, PASSWORD))
        page = browser.log_in()

    assert answer["error"] == "temporarily_unavailable"
    assert (page.status_code, b"Too many log in at the moment" in page.content) == (503, True)
    assert "code" in told(program.authorize(NAME, PASSWORD))
