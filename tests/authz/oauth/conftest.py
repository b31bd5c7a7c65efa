"""Somebody with a password, and the programs and browsers that he logs in with."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from authz.clients import CHALLENGING
from authz.models import Password
from authz.oauth import passwords
from registry_meta.kube import meta
from tests.authz.conftest import Api

NAME, PASSWORD = "anna", "correct horse"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
ISSUER: str = settings.ENVIRONMENT.server_url
IMPLICIT = f"{ISSUER}/oauth/token/implicit"
HOST = "https://testserver"
MYSELF = "/apis/user.openshift.io/v1/users/~"
FORM = "application/x-www-form-urlencoded"
FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


def basic(name: str, password: str) -> str:
    """Return the header of a name and a password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


CLIENT = basic(CHALLENGING, "")
"""How oc proves that it is oc: it cannot."""


def told(answer: HttpResponse) -> dict[str, str]:
    """Return what an answer that redirects tells the client."""
    assert answer.status_code == 302, answer.content
    parts = urlsplit(answer.headers["Location"])
    return {key: values[0] for key, values in parse_qs(parts.query or parts.fragment).items()}


@dataclass
class Browser:
    """A browser: cookies, forms with what they hide, and the addresses it is sent to."""

    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))
    page: str = "/"
    hidden: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> HttpResponse:
        answer = self.client.get(path, secure=True, headers={"accept": "text/html", **headers})
        return self._looked_at(path, answer)

    def send(self, path: str, form: Mapping[str, str], **headers: str) -> HttpResponse:
        """Send the form of the page that is open."""
        sent = {"accept": "text/html", "referer": HOST + self.page, **headers}
        answer = self.client.post(
            path, urlencode({**self.hidden, **form}), secure=True, content_type=FORM, headers=sent
        )
        return self._looked_at(path, answer)

    def log_in(self, name: str = NAME, password: str = PASSWORD, *, then: str = "") -> HttpResponse:
        self.get(f"/login/local?{urlencode({'then': then})}")
        return self.send("/login/local", {"username": name, "password": password})

    def _looked_at(self, path: str, answer: Any) -> HttpResponse:
        found: HttpResponse = answer
        if found.headers.get("Content-Type", "").startswith("text/html") and found.content:
            self.page = path
            self.hidden = {key: html.unescape(value) for key, value in FIELD.findall(found.content.decode())}
            self.hidden.pop("decision", None)
        return found


@dataclass
class Program:
    """A command such as oc, which has a name and a password."""

    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def authorize(self, name: str = "", password: str = "", **query: str) -> HttpResponse:
        wanted = {"client_id": CHALLENGING, "redirect_uri": IMPLICIT, "response_type": "code", **query}
        headers = {"x-csrf-token": "1"} | ({"authorization": basic(name, password)} if name else {})
        answer: Any = self.client.get("/oauth/authorize", wanted, secure=True, headers=headers)
        found: HttpResponse = answer
        return found

    def code(self, **query: str) -> str:
        return told(self.authorize(NAME, PASSWORD, **query))["code"]

    def redeem(self, code: str, *, authorization: str = CLIENT, **form: str) -> HttpResponse:
        sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": IMPLICIT, **form}
        kept = {key: value for key, value in sent.items() if value}
        headers = {"authorization": authorization} if authorization else {}
        answer: Any = self.client.post("/oauth/token", urlencode(kept), secure=True, content_type=FORM, headers=headers)
        found: HttpResponse = answer
        return found


@cache
def encoded() -> str:
    """Return the hash of the password, which takes a while to make."""
    return passwords.Hasher().encode(PASSWORD, passwords.Hasher().salt())


@pytest.fixture
def program(admin: Api) -> Program:
    """A command on a server on which somebody has a password."""
    Password.objects.create(name=NAME, encoded=encoded(), changed_at=meta.now())
    return Program()


@pytest.fixture
def browser(program: Program) -> Browser:
    """A browser on the same server."""
    return Browser()
