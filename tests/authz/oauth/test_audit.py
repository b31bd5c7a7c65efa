"""What the audit tells of people who log in."""

from __future__ import annotations

from authz.clients import CHALLENGING
from tests.authz.oauth.conftest import NAME, PASSWORD, VERIFIER, Browser, Program
from tests.authz.test_audit import Lines, audit

__all__ = ["audit"]

DECISION = "authentication.openshift.io/decision"
USERNAME = "authentication.openshift.io/username"


def test_a_log_in_is_told(program: Program, audit: Lines) -> None:
    code = program.code()
    line = audit.last

    assert (line["requestURI"], line["verb"], line["responseStatus"]["code"]) == ("/oauth/authorize", "get", 302)
    assert (line["annotations"][DECISION], line["annotations"][USERNAME]) == ("allow", NAME)
    assert line["annotations"]["registry-meta/oauth-client"] == CHALLENGING
    assert line["user"]["username"] == "system:anonymous"
    assert "objectRef" not in line

    program.redeem(code)
    assert (audit.last["requestURI"], audit.last["annotations"][DECISION]) == ("/oauth/token", "allow")


def test_a_refusal_is_told(program: Program, browser: Browser, audit: Lines) -> None:
    program.authorize(NAME, "wrong")
    assert (audit.last["annotations"][DECISION], audit.last["annotations"][USERNAME]) == ("deny", NAME)
    browser.log_in("nobody", "wrong")
    assert (audit.last["requestURI"], audit.last["annotations"][USERNAME]) == ("/login/local", "nobody")
    program.redeem("nonsense")
    assert audit.last["annotations"][DECISION] == "deny"


def test_pages_that_decide_nothing_are_not(browser: Browser, audit: Lines) -> None:
    browser.get("/login/local")
    browser.get("/logout")

    assert audit.texts == []


def test_no_credential_is_told(program: Program, browser: Browser, audit: Lines) -> None:
    code = program.code()
    token = program.redeem(code, code_verifier="").content.decode().partition("sha256~")[2][:43]
    browser.log_in()
    program.authorize(NAME, PASSWORD, response_type="token")

    text = "\n".join(audit.texts)
    assert len(audit.texts) >= 4
    for secret in (PASSWORD, code, token, VERIFIER, browser.client.cookies["__Host-session"].value):
        assert secret not in text
