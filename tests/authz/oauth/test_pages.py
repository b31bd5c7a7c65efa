"""The pages on which people log in, get a token and log out."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from authz.clients import COMMAND
from authz.models import Guesses
from authz.oauth import sessions
from registry_meta.kube import meta
from tests.authz.conftest import Api
from tests.authz.oauth.conftest import ISSUER, MYSELF, NAME, PASSWORD, Browser, told

DISPLAY = f"{ISSUER}/oauth/token/display"
BROWSER_REQUEST = f"/oauth/authorize?client_id=openshift-browser-client&redirect_uri={DISPLAY}&response_type=code"


def test_what_the_server_can_do_is_told_to_everybody(admin: Api) -> None:
    answer = Client().get("/.well-known/oauth-authorization-server", headers={"authorization": "Bearer nonsense"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/oauth/authorize",
        "token_endpoint": f"{ISSUER}/oauth/token",
        "scopes_supported": [
            "user:check-access", "user:full", "user:info", "user:list-projects", "user:list-scoped-projects",
        ],
        "response_types_supported": ["code", "token"],
        "grant_types_supported": ["authorization_code", "implicit"],
        "code_challenge_methods_supported": ["plain", "S256"],
    }  # fmt: skip


def test_the_root_is_no_page(admin: Api) -> None:
    assert "html" not in Client().head("/").headers["Content-Type"]


@pytest.mark.parametrize("path", ["/login/local", "/logout", "/oauth/token/implicit", "/oauth/token/display"])
def test_pages_are_kept_by_nobody_and_framed_by_nobody(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers

    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/login/local", "/logout", "/oauth/token/implicit"])
def test_pages_say_their_language_and_hold_neither_script_nor_style(browser: Browser, path: str) -> None:
    text = browser.get(path).content.decode()

    assert '<html lang="en">' in text
    assert "<h1>" in text
    assert not re.search(r"<script|style=|<style|onclick", text)
    for name in re.findall(r'<input id="(\w+)"', text):
        assert f'<label for="{name}">' in text


def test_one_provider_is_no_choice(browser: Browser) -> None:
    answer = browser.get("/login?then=/oauth/token/request")

    assert answer.headers["Location"] == "/login/local?then=%2Foauth%2Ftoken%2Frequest"


def test_a_person_logs_in_and_is_led_on(browser: Browser) -> None:
    answer = browser.log_in(then=BROWSER_REQUEST)

    assert (answer.status_code, answer.headers["Location"]) == (302, BROWSER_REQUEST)
    cookie = answer.cookies["__Host-session"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert 0 < int(cookie["max-age"]) <= 600
    assert cookie["domain"] == ""


def test_logging_in_changes_the_keys_of_the_browser(browser: Browser) -> None:
    browser.log_in()
    session, form = (browser.client.cookies[name].value for name in ("__Host-session", "__Host-csrf"))

    browser.log_in()

    assert browser.client.cookies["__Host-session"].value != session
    assert browser.client.cookies["__Host-csrf"].value != form


def test_the_database_holds_no_key_of_a_session(browser: Browser) -> None:
    browser.log_in()

    key = browser.client.cookies["__Host-session"].value
    row = Session.objects.get()
    assert row.session_key == sessions.hashed(key)
    assert key not in row.session_data


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_said_so(browser: Browser, password: str) -> None:
    answer = browser.log_in(password=password)

    text = answer.content.decode()
    assert answer.status_code == 401
    assert 'role="alert">The user name or the password is wrong.<' in text
    assert f'value="{NAME}"' in text
    assert "__Host-session" not in browser.client.cookies


def test_what_somebody_typed_is_no_markup(browser: Browser) -> None:
    answer = browser.log_in(name='"><script>alert(1)</script>', then="/x?<script>")

    assert b"<script>" not in answer.content


def test_many_wrong_passwords_make_one_wait(browser: Browser) -> None:
    browser.log_in(password="wrong")
    Guesses.objects.update(locked_until=meta.now() + timedelta(minutes=1))

    answer = browser.log_in()

    assert answer.status_code == 429
    assert 50 <= int(answer.headers["Retry-After"]) <= 61
    assert b"Too many failed attempts to log in, try again in" in answer.content


def test_the_form_of_another_site_is_refused(browser: Browser) -> None:
    browser.get("/login/local")
    form = {"username": NAME, "password": PASSWORD}

    foreign = browser.send("/login/local", form, origin="https://evil.example.com")
    browser.hidden = {}
    missing = browser.send("/login/local", form)

    assert (foreign.status_code, missing.status_code) == (403, 403)
    assert b"The form cannot be taken" in missing.content
    assert missing.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("then", ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "evil"])
def test_nobody_is_led_to_another_server(browser: Browser, then: str) -> None:
    assert browser.log_in(then=then).headers["Location"] == "/oauth/token/request"
    browser.get("/logout")
    assert browser.send("/logout", {"then": then}).status_code == 200


def test_the_form_may_lead_to_the_program_that_waits(browser: Browser) -> None:
    waiting = (
        f"/oauth/authorize?client_id={COMMAND}&redirect_uri=http://127.0.0.1:4711/callback&response_type=code"
        f"&code_challenge={'x' * 43}"
    )
    foreign = waiting.replace("http://127.0.0.1:4711", "https://evil.example.com")

    browser.log_in(password="wrong", then=waiting)
    policy = browser.log_in(password="wrong", then=waiting).headers["Content-Security-Policy"]
    other = browser.log_in(password="wrong", then=foreign).headers["Content-Security-Policy"]

    assert policy.endswith(f"; form-action 'self' http://127.0.0.1:4711 {ISSUER}")
    assert other.endswith(f"; form-action 'self' {ISSUER}")


def test_a_token_is_shown_once(browser: Browser) -> None:
    browser.log_in()
    assert browser.get("/oauth/token/request").headers["Location"].startswith(f"{ISSUER}/oauth/authorize?client_id=")
    code = told(browser.get(BROWSER_REQUEST))["code"]
    offered = browser.get(f"/oauth/token/display?code={code}")
    assert "sha256~" not in offered.content.decode()

    shown = browser.send("/oauth/token/display", {})

    token = re.search(r'<pre id="token">(sha256~[\w-]{43})</pre>', shown.content.decode())
    assert token
    assert f"oc login --token={token[1]} --server={ISSUER}" in shown.content.decode()
    browser.hidden["code"] = code
    again = browser.send("/oauth/token/display", {})
    assert again.status_code == 400
    assert Api(token[1]).get(MYSELF)[1]["metadata"]["name"] == NAME


def test_the_code_of_another_gives_no_token(browser: Browser, admin: Api) -> None:
    browser.log_in()
    code = told(browser.get(BROWSER_REQUEST))["code"]
    stranger = Browser()

    answer = stranger.get(f"/oauth/token/display?code={code}")
    browser.get("/logout")
    browser.send("/logout", {})
    gone = browser.get(f"/oauth/token/display?code={code}")

    assert (answer.status_code, gone.status_code) == (400, 400)


def test_who_logs_out_has_to_log_in_again(browser: Browser) -> None:
    browser.log_in()
    browser.get("/logout")

    answer = browser.send("/logout", {})

    assert b"You are logged out" in answer.content
    assert not Session.objects.exists()
    assert browser.get(BROWSER_REQUEST).headers["Location"].startswith("/login?")


def test_a_user_who_is_gone_has_to_log_in_again(browser: Browser, admin: Api) -> None:
    browser.log_in()

    assert admin.delete(f"/apis/user.openshift.io/v1/users/{NAME}")[0] == 200

    assert browser.get(BROWSER_REQUEST).headers["Location"].startswith("/login?")


def test_the_style_is_a_file_of_its_own(admin: Api) -> None:
    answer = Client().get("/oauth/style.css")

    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert b"font" in answer.content
