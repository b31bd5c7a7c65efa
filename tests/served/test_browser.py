"""A real browser at the pages of a served instance."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.requirements import needs
from tests.served.chrome import Chrome
from tests.served.logins import COMMAND, PASSWORD, Login, somebody, who_is
from tests.server import Server

pytestmark = needs("chromium", "chromedriver")

GROUNDS = ("rgb(244, 245, 247)", "rgb(20, 23, 26)")
"""The colour behind the pages, in light and dark."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with Chrome() as running:
        yield running


@pytest.fixture
def chrome(browser: Chrome) -> Chrome:
    """A browser that nobody has used yet."""
    browser.forget()
    return browser


class Listener(http.server.HTTPServer):
    """The port on which `oc login --web` waits for the browser."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path = ""
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        if self.path.startswith("/callback"):
            self.server.path = self.path
        content = b"<title>Done</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    running = Listener()
    yield running
    running.close()


def log_in(chrome: Chrome, name: str, password: str = PASSWORD) -> None:
    chrome.write("#username", name)
    chrome.write("#password", password)
    chrome.click("button")


def test_a_person_gets_a_token_from_a_page(served: Server, chrome: Chrome) -> None:
    name = somebody(served)
    chrome.open(f"{served.url}/oauth/token/request")
    chrome.wait("Log in")
    assert chrome.active() == "username"
    assert chrome.background() in GROUNDS

    log_in(chrome, name)
    chrome.wait("Show a token")
    cookie = chrome.cookies()["__Host-session"]
    chrome.click("button")
    chrome.wait("Your token")

    token = chrome.text("#token")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert chrome.text("#oc") == f"oc login --token={token} --server={served.url}"
    assert who_is(served, token) == (200, name)
    chrome.click("button")
    chrome.wait("You are logged out")
    assert "__Host-session" not in chrome.cookies()


def test_a_wrong_password_is_said_beside_the_form(served: Server, chrome: Chrome) -> None:
    name = somebody(served)
    chrome.open(f"{served.url}/login")
    chrome.wait("Log in")

    log_in(chrome, name, "wrong password")

    chrome.wait("Error: Log in")
    assert chrome.text("#problem") == "The user name or the password is wrong."
    assert chrome.active() == "password"
    chrome.write("#password", PASSWORD)
    chrome.click("button")
    chrome.wait("Show a token")


def test_the_form_leads_to_the_program_that_waits(served: Server, chrome: Chrome, listener: Listener) -> None:
    name = somebody(served)
    login = Login(served, client=COMMAND, redirect_uri=f"http://127.0.0.1:{listener.server_port}/callback")

    chrome.open(f"{login.metadata['authorization_endpoint']}?{urlencode(login.query)}")
    chrome.wait("Log in")
    log_in(chrome, name)
    chrome.wait("Done")

    assert listener.path.startswith("/callback?code=")
    given = login.redeem(listener.path.partition("code=")[2])
    assert who_is(served, given.json()["access_token"]) == (200, name)
