"""An OpenID provider for the tests: a process of its own, over TLS, whose keys can be changed and used."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from registry_meta import certificates
from tests.processes import Program, answers, free_port
from tests.server import ROOT

CLIENT_ID = "registry-meta"
CLIENT_SECRET = "a secret: 100% + of/a client"
CALLBACK = "https://127.0.0.1/oauth2callback/corp"
"""The client that the provider knows, and where it sends people who have logged in unless it is told otherwise."""

PEM = serialization.Encoding.PEM
HIDDEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
START_SECONDS = 40.0


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and its key, and the authority of it in `ca.crt`; return the first two."""
    now = datetime.now(UTC)
    authority = certificates.new_authority(now=now)
    server = certificates.new_server(authority, names=["127.0.0.1"], now=now)
    certificate, key = folder / "server.crt", folder / "server.key"
    (folder / "ca.crt").write_bytes(authority.certificate.public_bytes(PEM))
    certificate.write_bytes(server.certificate.public_bytes(PEM))
    key.write_bytes(in_pem(server.key))
    return certificate, key


def in_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as it stands in a file."""
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class OpenIDServer:
    """A running provider; `issuer` is its URL, `ca` the PEM file of the authority that its certificate is from."""

    def __init__(self, redirects: Sequence[str] = (CALLBACK,)) -> None:
        self.redirects = redirects
        self._folder = Path(tempfile.mkdtemp(prefix="openid-"))
        self._port = free_port()
        self._program: Program | None = None
        self._retired = 0
        self.ca = self._folder / "ca.crt"

    def __enter__(self) -> Self:
        try:
            make_certificate(self._folder)
            self.renew_key(keep=False)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def issuer(self) -> str:
        """The URL of the provider."""
        return f"https://127.0.0.1:{self._port}"

    def close(self) -> None:
        """End the provider and remove its folder."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Run the provider and return once it answers."""
        command = [sys.executable, "-m", "tests.openid_provider", str(self._port)]
        command += [str(self._folder / "server.crt"), str(self._folder / "server.key")]
        environ = {
            **os.environ, "OPENID_PROVIDER_FOLDER": str(self._folder), "OPENID_PROVIDER_ISSUER": self.issuer,
            "OPENID_PROVIDER_REDIRECTS": " ".join(self.redirects), "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        self._program = Program(command, log=self._folder / "log", environ=environ, cwd=ROOT)
        self._program.wait_ready(lambda: answers(self._port), seconds=START_SECONDS)

    def stop(self) -> None:
        """End the provider; people, clients and keys stay."""
        if self._program is not None:
            self._program.stop()
            self._program = None

    def renew_key(self, *, keep: bool) -> None:
        """Have the provider sign with a new key; the ones before verify on only if they are kept."""
        self.stop()
        signing = self._folder / "signing.pem"
        if keep:
            self._retired += 1
            signing.rename(self._folder / f"inactive-{self._retired}.pem")
        else:
            for path in self._folder.glob("inactive-*.pem"):
                path.unlink()
        key = rsa.generate_private_key(65537, 2048)
        signing.write_bytes(in_pem(key))
        self.start()

    def session(self) -> requests.Session:
        """Return a browser that trusts the provider."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.ca)
        return session

    def log_in(self, url: str, name: str) -> dict[str, str]:
        """Log somebody in as a browser does that is sent to a URL; return what it is sent back with."""
        with self.session() as browser:
            page = browser.get(url)
            token = HIDDEN.search(page.text)
            assert page.status_code == 200, page.text
            assert token is not None, page.text
            form = {"username": name, "password": f"password of {name}", "csrfmiddlewaretoken": token[1]}
            answer = browser.post(page.url, data=form, headers={"Referer": page.url}, allow_redirects=False)
            while answer.status_code == 302 and not answer.headers["Location"].startswith(tuple(self.redirects)):
                where = requests.compat.urljoin(answer.url, answer.headers["Location"])
                answer = browser.get(where, allow_redirects=False)
            assert answer.status_code == 302, answer.text
        return {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    def id_token(self, name: str) -> str:
        """Return the token that the provider gives to its client for somebody who logs in."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": self.redirects[0],
            "scope": "openid profile", "state": "s",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }  # fmt: skip
        back = self.log_in(f"{self.issuer}/authorize/?{urlencode(asked)}", name)
        form = {
            "grant_type": "authorization_code", "code": back["code"], "redirect_uri": self.redirects[0],
            "code_verifier": verifier, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        }  # fmt: skip
        with self.session() as session:
            token: str = session.post(f"{self.issuer}/token/", data=form).json()["id_token"]
        return token

    def published(self) -> list[dict[str, Any]]:
        """Return the keys that the provider shows."""
        with self.session() as session:
            found: list[dict[str, Any]] = session.get(f"{self.issuer}/.well-known/jwks.json").json()["keys"]
        return found

    def signed(self, *, headers: Mapping[str, object] | None = None, **changed: object) -> str:
        """Return a token signed with the provider's key, with claims of one's own beside those of an id_token."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "7", "aud": CLIENT_ID, "iat": now, "exp": now + 600,
            "preferred_username": "ann", "roles": ["developers"],
        }  # fmt: skip
        left = {name: value for name, value in {**claims, **changed}.items() if value is not None}
        key = (self._folder / "signing.pem").read_text()
        return jwt.encode(left, key, algorithm="RS256", headers={"kid": self.published()[0]["kid"], **(headers or {})})
