"""Programs that an administrator has made known: asked for consent, limited in scopes, and with a secret."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.authz.conftest import Api
from tests.authz.oauth.conftest import MYSELF, NAME, PASSWORD, Browser, Program, basic, told

CALLBACK = "https://app.example.com/callback?from=meta"
PATH = (
    "/oauth/authorize?client_id=app&response_type=code&state=s"
    "&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback%3Ffrom%3Dmeta"
)


@pytest.fixture
def app(admin: Api) -> Api:
    """A program that runs somewhere else."""
    make(admin, grantMethod="prompt")
    return admin


def make(admin: Api, **fields: Any) -> None:
    body = {"metadata": {"name": "app"}, "secret": "s3cret/+", "redirectURIs": [CALLBACK], **fields}
    status, answer = admin.post("/apis/oauth.openshift.io/v1/oauthclients", body)
    assert status == 201, answer


def redeem(program: Program, code: str, secret: str = "s3cret%2F%2B") -> tuple[int, dict[str, Any]]:
    answer = program.redeem(code, authorization=basic("app", secret), redirect_uri=CALLBACK)
    return answer.status_code, msgspec.json.decode(answer.content)


def test_a_person_is_asked_before_a_program_gets_his_token(browser: Browser, app: Api, program: Program) -> None:
    browser.log_in()

    page = browser.get(PATH)
    answer = browser.send(PATH, {"decision": "approve"})

    text = page.content.decode()
    assert (page.status_code, "app" in text, "user:full" in text, CALLBACK in text) == (200, True, True, True)
    assert page.headers["Content-Security-Policy"].endswith(" https://127.0.0.1:8443 https://app.example.com")
    assert answer.headers["Location"].startswith(f"{CALLBACK}&code=")
    status, body = redeem(program, told(answer)["code"])
    assert status == 200
    assert Api(body["access_token"]).get(MYSELF)[0] == 200


@pytest.mark.parametrize("decision", ["deny", "", "Approve"])
def test_a_person_may_refuse(browser: Browser, app: Api, decision: str) -> None:
    browser.log_in()
    browser.get(PATH)

    answer = told(browser.send(PATH, {"decision": decision}))

    assert (answer["error"], answer["state"]) == ("access_denied", "s")


def test_consent_is_given_on_the_page_alone(browser: Browser, app: Api) -> None:
    browser.log_in()
    browser.hidden = {}

    assert browser.send(PATH, {"decision": "approve"}).status_code == 403
    assert Browser().send(PATH, {"decision": "approve"}).status_code == 403


def test_a_program_proves_who_it_is(browser: Browser, app: Api, program: Program) -> None:
    browser.log_in()
    browser.get(PATH)
    code = told(browser.send(PATH, {"decision": "approve"}))["code"]

    assert redeem(program, code, "")[0] == 401
    assert redeem(program, code, "wrong")[0] == 401
    form = program.redeem(code, authorization="", redirect_uri=CALLBACK, client_id="app", client_secret="s3cret/+")
    assert form.status_code == 200


def test_a_program_that_is_trusted_is_not_asked_about(browser: Browser, admin: Api) -> None:
    make(admin, grantMethod="auto")
    browser.log_in()

    assert "code" in told(browser.get(PATH))


def test_a_program_gets_no_more_than_its_restrictions_let_it(browser: Browser, admin: Api) -> None:
    make(admin, grantMethod="auto", scopeRestrictions=[{"literals": ["user:info"]}])
    browser.log_in()

    assert told(browser.get(PATH))["error"] == "invalid_scope"
    assert "code" in told(browser.get(f"{PATH}&scope=user:info"))


def test_tokens_live_as_long_as_the_program_says(browser: Browser, admin: Api, program: Program) -> None:
    make(admin, grantMethod="auto", accessTokenMaxAgeSeconds=600)
    browser.log_in()

    _, body = redeem(program, told(browser.get(PATH))["code"])

    assert body["expires_in"] == 600


def test_a_password_alone_gives_no_token_to_a_program_that_asks_for_consent(admin: Api, program: Program) -> None:
    make(admin, grantMethod="prompt", respondWithChallenges=True)

    answer = told(program.authorize(NAME, PASSWORD, client_id="app", redirect_uri=CALLBACK))

    assert answer["error"] == "access_denied"


def test_a_program_that_is_no_longer_known_gets_nothing(browser: Browser, admin: Api, program: Program) -> None:
    make(admin, grantMethod="auto")
    browser.log_in()
    code = told(browser.get(PATH))["code"]

    admin.delete("/apis/oauth.openshift.io/v1/oauthclients/app")

    assert redeem(program, code)[0] == 401
    assert browser.get(PATH).status_code == 400
