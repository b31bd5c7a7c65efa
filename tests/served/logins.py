"""People with passwords, and the requests with which an unmodified oc logs them in."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import re
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from tests.served.tables import change
from tests.server import ROOT, Server

PASSWORD = "correct horse battery"
CHALLENGING = "openshift-challenging-client"
COMMAND = "openshift-cli-client"
HIDDEN = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')
PATIENCE = 60

_names = (f"person-{number}" for number in itertools.count(1))


LIKE = "INSERT INTO authz_password SELECT ?, encoded, changed_at FROM authz_password WHERE name = ?"
"""Gives somebody the password of another."""

_others: dict[tuple[Path, str], str] = {}
"""Who has a password on a server, by its data directory."""


def somebody(server: Server, password: str = PASSWORD) -> str:
    """Return the name of somebody new who has a password: by the command, and then as those who have it already."""
    name = next(_names)
    other = _others.setdefault((server.data_dir, password), name)
    if other != name and change(server, LIKE, name, other):
        return name
    command = [sys.executable, str(ROOT / "manage.py"), "password", name, "--stdin", "--data-dir", str(server.data_dir)]
    subprocess.run(command, input=password, text=True, check=True, capture_output=True, env=server.environ, cwd=ROOT)
    return name


def anonymous(server: Server) -> requests.Session:
    """Return a session without a token."""
    session = server.client()
    del session.headers["Authorization"]
    return session


@dataclass
class Login:
    """One run of `oc login`: its session, and the proof that it is the one that asked."""

    server: Server
    client: str = CHALLENGING
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(96)[:128])
    redirect_uri: str = ""

    def __post_init__(self) -> None:
        self.session = anonymous(self.server)
        self.metadata = self.session.get(
            f"{self.server.url}/.well-known/oauth-authorization-server",
            headers={"X-CSRF-Token": "1"}, allow_redirects=False, timeout=PATIENCE,
        ).json()  # fmt: skip
        self.redirect_uri = self.redirect_uri or f"{self.metadata['issuer']}/oauth/token/implicit"

    @property
    def query(self) -> dict[str, str]:
        """What is asked of the authorization endpoint."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "client_id": self.client, "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256", "redirect_uri": self.redirect_uri, "response_type": "code",
        }  # fmt: skip

    def authorize(self, name: str = "", password: str = "", **query: str) -> requests.Response:
        """Ask for a code, with a name and a password where there is one."""
        headers = {"X-CSRF-Token": "1"}
        if name:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
        return self.session.get(
            self.metadata["authorization_endpoint"], params=query or self.query, headers=headers,
            allow_redirects=False, timeout=PATIENCE,
        )  # fmt: skip

    def redeem(self, code: str) -> requests.Response:
        """Ask for the token of a code."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }  # fmt: skip
        credentials = base64.b64encode(f"{self.client}:".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
        return self.session.post(self.metadata["token_endpoint"], data=form, headers=headers, timeout=PATIENCE)


def sent_back(answer: requests.Response) -> dict[str, str]:
    """Return what an answer that redirects carries in its query or its fragment."""
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["Location"])
    return {key: values[0] for key, values in parse_qs(parts.query or parts.fragment).items()}


def form_of(page: requests.Response, **typed: str) -> dict[str, str]:
    """Return what a page's form sends, with what somebody typed."""
    return {key: html.unescape(value) for key, value in HIDDEN.findall(page.text)} | typed


def who_is(server: Server, token: str) -> tuple[int, str]:
    """Return the status and the name with which a token is answered."""
    with server.client(token) as session:
        answer = session.get(f"{server.url}/apis/user.openshift.io/v1/users/~", timeout=PATIENCE)
    return answer.status_code, answer.json().get("metadata", {}).get("name", "")
