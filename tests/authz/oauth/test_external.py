"""Logging in at a real OpenID provider."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml
from pytest_django import Settings

from tests.authz.conftest import Api
from tests.authz.oauth.conftest import ISSUER, Browser, told
from tests.authz.oauth.test_pages import BROWSER_REQUEST
from tests.openid_server import CLIENT_ID, CLIENT_SECRET, OpenIDServer

CALLBACK = f"{ISSUER}/oauth2callback/corp"


@pytest.fixture(scope="module")
def corp() -> Iterator[OpenIDServer]:
    with OpenIDServer(redirects=(CALLBACK,)) as running:
        yield running


@pytest.fixture
def configured(corp: OpenIDServer, admin: Api, settings: Settings, tmp_path: Path) -> OpenIDServer:
    """The provider, known to the server by its file."""
    openid = {
        "issuer": corp.issuer, "clientID": CLIENT_ID, "clientSecret": CLIENT_SECRET, "ca": str(corp.ca),
        "extraScopes": ["profile", "email"], "claims": {"groups": ["roles"]},
    }  # fmt: skip
    file = tmp_path / "providers.yaml"
    file.write_text(yaml.safe_dump({"identityProviders": [{"name": "corp", "type": "OpenID", "openID": openid}]}))
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, identity_providers=file)
    return corp


def begun(browser: Browser, then: str = "") -> str:
    answer = browser.get(f"/login/corp?{urlencode({'then': then})}")
    assert answer.status_code == 302, answer.content
    return answer.headers["Location"]


def back(browser: Browser, answer: dict[str, str]) -> str:
    found = browser.get(f"/oauth2callback/corp?{urlencode(answer)}")
    assert found.status_code == 302, found.content
    return found.headers["Location"]


def test_people_choose_how_to_log_in(configured: OpenIDServer) -> None:
    page = Browser().get("/login?then=/oauth/token/request").content.decode()

    assert 'href="/login/local?then=%2Foauth%2Ftoken%2Frequest"' in page
    assert 'href="/login/corp?then=%2Foauth%2Ftoken%2Frequest"' in page


def test_whom_the_provider_vouches_for_is_logged_in(configured: OpenIDServer, admin: Api) -> None:
    browser = Browser()

    where = back(browser, configured.log_in(begun(browser, BROWSER_REQUEST), "ann"))

    assert where == BROWSER_REQUEST
    assert "code" in told(browser.get(where))
    user = admin.get("/apis/user.openshift.io/v1/users/ann")[1]
    assert user["identities"][0].startswith("corp:")
    assert admin.get("/apis/user.openshift.io/v1/groups/developers")[1]["users"] == ["ann"]


def test_an_answer_is_good_once_and_in_the_browser_that_began(configured: OpenIDServer) -> None:
    browser, stranger = Browser(), Browser()
    answer = configured.log_in(begun(browser), "ann")
    begun(stranger)

    foreign = stranger.get(f"/oauth2callback/corp?{urlencode(answer)}")
    back(browser, answer)
    again = browser.get(f"/oauth2callback/corp?{urlencode(answer)}")

    assert (foreign.status_code, again.status_code) == (403, 403)
    assert b"Nobody is logged in" in foreign.content


@pytest.mark.parametrize(
    "changed", [{"state": "other"}, {"code": "nonsense"}, {"code": ""}, {"error": "access_denied"}]
)
def test_an_answer_that_does_not_fit_lets_nobody_in(configured: OpenIDServer, changed: dict[str, str]) -> None:
    browser = Browser()
    answer = configured.log_in(begun(browser), "ann") | changed

    refused = browser.get(f"/oauth2callback/corp?{urlencode(answer)}")

    assert refused.status_code == 403
    assert browser.get(BROWSER_REQUEST).headers["Location"].startswith("/login?")


def test_a_name_that_somebody_else_has_is_not_taken_over(configured: OpenIDServer, admin: Api) -> None:
    users = "/apis/user.openshift.io/v1/users"
    admin.post(users, {"metadata": {"name": "bob"}, "identities": ["local:bob"]})
    browser = Browser()

    answer = configured.log_in(begun(browser), "bob")
    refused = browser.get(f"/oauth2callback/corp?{urlencode(answer)}")

    assert refused.status_code == 403
    assert b"cannot be claimed" in refused.content


@pytest.mark.parametrize("path", ["/login/other", "/oauth2callback/other"])
def test_a_provider_that_there_is_not_is_said_so(configured: OpenIDServer, path: str) -> None:
    assert Browser().get(path).status_code in (403, 404)


def test_a_provider_that_is_away_is_said_so(configured: OpenIDServer) -> None:
    browser = Browser()
    answer = configured.log_in(begun(browser), "ann")
    configured.stop()
    try:
        refused = browser.get(f"/oauth2callback/corp?{urlencode(answer)}")
    finally:
        configured.start()

    assert refused.status_code == 403
