"""Logs people in with planted passwords, and keeps every secret that comes of it."""

from __future__ import annotations

import requests

from tests.served.logins import COMMAND, Login, anonymous, form_of, sent_back, somebody
from tests.served.planting import PATIENCE, Garden, basic

CLIENTS = "apis/oauth.openshift.io/v1/oauthclients"
CALLBACK = "http://127.0.0.1:40123/callback"
SHORTEST = 16
"""The shortest text (characters) of which a trace is no accident."""


def people(garden: Garden) -> None:
    """Log in with right and wrong passwords, codes and client secrets, by oc and by a browser."""
    password = garden.plant("password")
    name = somebody(garden.server, password)
    login = Login(garden.server)
    refused(garden, "wrong password", login.authorize(name, garden.plant("wrong-password")))
    refused(garden, "nobody", login.authorize("nobody", garden.plant("nobody-s-password")))
    garden.keep(sent_back(login.authorize(name, password))["code"])
    code = garden.keep(sent_back(login.authorize(name, password))["code"])
    token = garden.keep(login.redeem(code).json()["access_token"])
    assert garden.send("GET", "apis/user.openshift.io/v1/users/~", Authorization=f"Bearer {token}").ok
    refused(garden, "used code", login.redeem(code))
    refused(garden, "wrong code", login.redeem(garden.plant("wrong-code")))
    refused(garden, "wrong verifier", Login(garden.server, verifier=garden.plant("verifier") * 3).redeem(code))
    own_client(garden, name, password)
    by_browser(garden, name, password)
    in_wrong_places(garden, name, password)
    ended = garden.keep(login.redeem(sent_back(login.authorize(name, password))["code"]).json()["access_token"])
    tokens = "apis/oauth.openshift.io/v1/oauthaccesstokens"
    for found in garden.send("GET", tokens).json()["items"]:
        assert garden.send("DELETE", f"{tokens}/{found['metadata']['name']}").ok
    garden.refused("GET", "api", Authorization=f"Bearer {ended}")


def refused(garden: Garden, what: str, answer: requests.Response) -> None:
    """Remember an answer that has to be a refusal."""
    assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text}"
    garden.refusals.append((what, answer.content + str(answer.headers).encode()))


def own_client(garden: Garden, name: str, password: str) -> None:
    """Log in for a client with a secret, which it shows rightly and wrongly."""
    secret = garden.plant("client-secret")
    client = {
        "metadata": {"name": "planted-client"},
        "secret": secret,
        "redirectURIs": [CALLBACK],
        "grantMethod": "auto",
    }
    garden.made(CLIENTS, {**client, "additionalSecrets": [garden.plant("additional-secret")]})
    login = Login(garden.server, client="planted-client", redirect_uri=CALLBACK)
    code = garden.keep(asked_by_browser(garden, login, name, password))
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": login.verifier}
    endpoint = login.metadata["token_endpoint"]
    wrong = garden.plant("wrong-client-secret")
    with anonymous(garden.server) as session:
        headers = {"Authorization": f"Basic {basic(f'planted-client:{wrong}')}"}
        refused(garden, "wrong client secret", session.post(endpoint, data=form, headers=headers, timeout=PATIENCE))
        typed = {**form, "client_id": "planted-client", "client_secret": wrong}
        refused(garden, "wrong client secret in the form", session.post(endpoint, data=typed, timeout=PATIENCE))
        headers = {"Authorization": f"Basic {basic(f'planted-client:{secret}')}"}
        answer = session.post(endpoint, data=form, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    garden.keep(answer.json()["access_token"])
    garden.refused("POST", f"{CLIENTS}?fieldValidation=Strict", {**client, "secret": [secret]})


def asked_by_browser(garden: Garden, login: Login, name: str, password: str) -> str:
    """Return the code that a browser brings to a client."""
    with anonymous(garden.server) as browser:
        endpoint = login.metadata["authorization_endpoint"]
        page = browser.get(endpoint, params=login.query, timeout=PATIENCE)
        on = typed(browser, page, name, password).headers["Location"]
        answer = browser.get(f"{garden.server.url}{on}", allow_redirects=False, timeout=PATIENCE)
        if answer.status_code == 200:
            answer = browser.post(
                page_address(answer), data=form_of(answer, approve="yes"), headers={"Referer": answer.url},
                allow_redirects=False, timeout=PATIENCE,
            )  # fmt: skip
        keep_cookies(garden, browser)
        return sent_back(answer)["code"]


def page_address(answer: requests.Response) -> str:
    """Return the address of a page without its query, which is where its form goes."""
    return answer.url.partition("?")[0]


def typed(browser: requests.Session, page: requests.Response, name: str, password: str) -> requests.Response:
    """Send the form of the page that asks for a password."""
    form = form_of(page, username=name, password=password)
    headers = {"Referer": page.url}
    return browser.post(page_address(page), data=form, headers=headers, allow_redirects=False, timeout=PATIENCE)


def keep_cookies(garden: Garden, browser: requests.Session) -> None:
    """Remember to look for what the server gave a browser to keep."""
    for cookie in browser.cookies:
        if cookie.value and len(cookie.value) >= SHORTEST:
            garden.keep(cookie.value)


def by_browser(garden: Garden, name: str, password: str) -> None:
    """Type a wrong and a right password into the page."""
    login = Login(garden.server, client=COMMAND, redirect_uri=CALLBACK)
    with anonymous(garden.server) as browser:
        page = browser.get(login.metadata["authorization_endpoint"], params=login.query, timeout=PATIENCE)
        again = typed(browser, page, name, garden.plant("typed-wrong"))
        garden.refusals.append(("typed wrong", again.content))
    garden.keep(asked_by_browser(garden, login, name, password))


def in_wrong_places(garden: Garden, name: str, password: str) -> None:
    """Send passwords where none belong."""
    form = {"grant_type": "password", "username": name, "password": password}
    with anonymous(garden.server) as session:
        for path in ("oauth/token", "oauth/authorize", "login/local", "login", "logout"):
            query = {"username": name, "password": garden.plant("in-query"), "token": garden.plant("token-in-query")}
            for answer in (
                session.get(f"{garden.server.url}/{path}", params=query, allow_redirects=False, timeout=PATIENCE),
                session.post(f"{garden.server.url}/{path}", data=form, allow_redirects=False, timeout=PATIENCE),
            ):
                if answer.status_code >= 400:
                    garden.refusals.append((path, answer.content))
