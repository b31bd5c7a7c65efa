"""Logging in at a served instance, request by request as oc and browsers do."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.served.api import PATIENCE
from tests.served.logins import COMMAND, PASSWORD, Login, anonymous, form_of, sent_back, somebody, who_is
from tests.server import Server

CALLBACK = "http://127.0.0.1:40123/callback"
SHOWN = re.compile(r'<pre id="token">(sha256~[\w-]{43})</pre>')


def token_of(login: Login, name: str) -> str:
    code = sent_back(login.authorize(name, PASSWORD))["code"]
    token: str = login.redeem(code).json()["access_token"]
    return token


def test_oc_logs_in_with_a_password(served: Server) -> None:
    name = somebody(served)
    with anonymous(served) as session:
        first = session.head(f"{served.url}/", timeout=PATIENCE)
        assert "text/html" not in first.headers["Content-Type"]
        assert session.get(f"{served.url}/version", timeout=PATIENCE).status_code == 200
        login = Login(served)
        assert login.metadata["issuer"] == served.url
        assert session.head(login.metadata["issuer"], timeout=PATIENCE).url.startswith("https://")

    challenge = login.authorize()
    answer = login.authorize(name, PASSWORD)
    given = login.redeem(sent_back(answer)["code"])

    assert (challenge.status_code, challenge.headers["WWW-Authenticate"]) == (401, 'Basic realm="openshift"')
    assert answer.headers["Location"].startswith(f"{served.url}/oauth/token/implicit?code=")
    body = given.json()
    assert (given.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 86_400)
    assert who_is(served, body["access_token"]) == (200, name)


def test_a_wrong_password_is_asked_for_again_twice(served: Server) -> None:
    name, login = somebody(served), Login(served)

    answers = [login.authorize(name, "wrong"), login.authorize(name, "wrong again")]

    assert [(answer.status_code, answer.headers["WWW-Authenticate"]) for answer in answers] == [
        (401, 'Basic realm="openshift"')
    ] * 2


def test_an_older_oc_gets_its_token_in_the_fragment(served: Server) -> None:
    name, login = somebody(served), Login(served)
    asked = {"client_id": login.client, "redirect_uri": login.redirect_uri, "response_type": "token"}

    answer = login.authorize(name, PASSWORD, **asked)

    assert re.fullmatch(
        re.escape(f"{served.url}/oauth/token/implicit#")
        + r"access_token=sha256~[\w-]{43}&expires_in=86400&scope=user%3Afull&token_type=Bearer",
        answer.headers["Location"],
    )
    assert who_is(served, sent_back(answer)["access_token"]) == (200, name)


def logged_in(browser: requests.Session, page: requests.Response, name: str) -> requests.Response:
    """Send the form of the page that asks for a password, and return where that leads."""
    form = form_of(page, username=name, password=PASSWORD)
    headers = {"Referer": page.url}
    return browser.post(page.url.partition("?")[0], data=form, headers=headers, allow_redirects=False, timeout=PATIENCE)


def test_oc_logs_in_by_a_browser(served: Server) -> None:
    name, login = somebody(served), Login(served, client=COMMAND, redirect_uri=CALLBACK)
    with anonymous(served) as browser:
        page = browser.get(login.metadata["authorization_endpoint"], params=login.query, timeout=PATIENCE)
        assert page.headers["Content-Type"].startswith("text/html")
        on = logged_in(browser, page, name).headers["Location"]
        answer = browser.get(f"{served.url}{on}", allow_redirects=False, timeout=PATIENCE)

    assert answer.headers["Location"].startswith(f"{CALLBACK}?code=")
    given = login.redeem(sent_back(answer)["code"])
    assert who_is(served, given.json()["access_token"]) == (200, name)


def test_a_browser_shows_a_token_to_copy(served: Server) -> None:
    name = somebody(served)
    with anonymous(served) as browser:
        page = browser.get(f"{served.url}/oauth/token/request", timeout=PATIENCE)
        on = logged_in(browser, page, name).headers["Location"]
        offer = browser.get(f"{served.url}{on}", timeout=PATIENCE)
        address, headers = f"{served.url}/oauth/token/display", {"Referer": offer.url}
        shown = browser.post(address, data=form_of(offer), headers=headers, timeout=PATIENCE)
        again = browser.post(address, data=form_of(offer), headers=headers, timeout=PATIENCE)
        out = browser.post(f"{served.url}/logout", data=form_of(shown), headers=headers, timeout=PATIENCE)
        page = browser.get(f"{served.url}/oauth/token/request", timeout=PATIENCE)

    token = SHOWN.search(shown.text)
    assert token is not None
    assert who_is(served, token[1]) == (200, name)
    assert again.status_code in (400, 403)
    assert out.status_code == 200
    assert page.url.startswith(f"{served.url}/login/local?")


def test_logging_out_ends_the_token(served: Server) -> None:
    name = somebody(served)
    token = token_of(Login(served), name)
    assert who_is(served, token) == (200, name)

    with served.client(token) as session:
        tokens = f"{served.url}/apis/oauth.openshift.io/v1/useroauthaccesstokens"
        own = session.get(tokens, timeout=PATIENCE).json()["items"]
        gone = session.delete(f"{tokens}/{own[0]['metadata']['name']}", timeout=PATIENCE)

    assert gone.status_code == 200
    assert who_is(served, token)[0] == 401


def test_a_code_that_comes_twice_ends_the_token_in_every_process(served: Server) -> None:
    name, login = somebody(served), Login(served)
    code = sent_back(login.authorize(name, PASSWORD))["code"]
    token = login.redeem(code).json()["access_token"]
    assert [who_is(served, token)[0] for _ in range(4)] == [200] * 4

    again = login.redeem(code)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert [who_is(served, token)[0] for _ in range(8)] == [401] * 8


def test_no_password_code_or_token_is_logged(served: Server) -> None:
    name, login = somebody(served), Login(served)
    code = sent_back(login.authorize(name, PASSWORD))["code"]
    token = login.redeem(code).json()["access_token"]

    log = served.log

    assert f'"authentication.openshift.io/username":"{name}"' in log
    assert [secret for secret in (PASSWORD, code, token, login.verifier) if secret in log] == []


def test_many_guesses_at_once_are_no_way_around_the_wait(served: Server) -> None:
    name = somebody(served)

    def guess(number: int) -> int:
        return Login(served).authorize(name, f"guess {number}").status_code

    with ThreadPoolExecutor(max_workers=10) as pool:
        statuses = list(pool.map(guess, range(30)))

    # Five are free, and one more each time that a wait of 1, 2, 4, 8 … seconds is over.
    assert statuses.count(401) + statuses.count(302) == 30
    assert 5 <= statuses.count(401) <= 12
