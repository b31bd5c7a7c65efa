"""A token service as registries send their clients to, for CNCF Distribution's `auth: token`.

Specifications: distribution, "Token Authentication" (GET), "OAuth2 Token Authentication" (POST) and "Token
Implementation" (the JWT: ES256, with the certificate of its key in `x5c`).
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import jwt
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.authorities import Authority, Identity
from tests.registries import Guard, Reply, Request, StandIn

SERVICE = "registry.tests"
ISSUER = "tests"
LEEWAY = 60
"""The seconds for which Distribution takes a token that has expired."""
UNAUTHORIZED = {"errors": [{"code": "UNAUTHORIZED", "message": "Invalid username or password"}]}
UNSUPPORTED = {"errors": [{"code": "UNSUPPORTED", "message": "unsupported"}]}
HUB = {"details": "incorrect username or password"}
"""What Docker Hub says of a wrong password."""


@dataclass
class Manners:
    """How a service deals out tokens: for how many seconds they are good, and what it says of that; its words."""

    life: int = 300
    told_life: int | None = 300
    refusal: Mapping[str, object] = field(default_factory=lambda: UNAUTHORIZED)
    with_oauth: bool = True
    field: str = "token"


class TokenService:
    """Deals out tokens for a registry: `public/…` to anyone, everything to those with a password. Use as a context.

    `/token` is the service; `/expired`, `/forged` and `/powerless` give tokens that no registry takes: too old, signed
    by nobody in particular, and for nothing.
    """

    def __init__(self, authority: Authority, users: Mapping[str, str], *, tls: Identity | None = None) -> None:
        self.authority = authority
        self.manners = Manners()
        self._users = dict(users)
        self._identity_tokens: dict[str, str] = {}
        self._signer = authority.identity("tokens")
        stranger = Authority(self._signer.key.with_suffix(".stranger"))
        self._forger = stranger.identity("tokens")
        self._site = StandIn(self._answer, tls=(tls.certificate, tls.key) if tls else None)

    def __enter__(self) -> Self:
        self._site.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._site.__exit__(kind, error, traceback)

    @property
    def host(self) -> str:
        """Where the service listens, `host:port`."""
        return self._site.host

    @property
    def realm(self) -> str:
        """The URL that registries send their clients to."""
        return f"{self._site.base}/token"

    @property
    def requests(self) -> list[Request]:
        """What was asked so far."""
        return self._site.requests

    def identity_token(self, user: str) -> str:
        """Return an identity token of a user, as `docker login` gets and keeps one."""
        token = secrets.token_urlsafe(24)
        self._identity_tokens[token] = user
        return token

    def token(self, scopes: Iterable[str], *, user: str = "", life: int | None = None, forged: bool = False) -> str:
        """Return a token for scopes `repository:NAME:ACTION,…`, as far as a user may; empty is anyone."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 2 * LEEWAY,
            "exp": now - LEEWAY + (self.manners.life if life is None else life),
            "jti": secrets.token_hex(8),
            "access": [entry for scope in scopes for entry in _access(scope, user)],
        }
        signer = self._forger if forged else self._signer
        certificate = x509.load_pem_x509_certificate(signer.certificate.read_bytes())
        packed = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        return jwt.encode(claims, signer.key.read_bytes(), algorithm="ES256", headers={"x5c": [packed]})

    def guard(self, user: str, *, realm: str = "") -> Guard:
        """Return what lets those into a registry who have a token of this service; pushes are by a user."""
        told = f"realm: {realm or self.realm}, service: {SERVICE}, issuer: {ISSUER}"
        return Guard(f"{{token: {{{told}, rootcertbundle: {self.authority.file}}}}}", _Pushing(self, user))

    # --- the service

    def _answer(self, request: Request) -> Reply | None:
        if request.path not in ("/token", "/expired", "/forged", "/powerless"):
            return None
        if request.method == "POST":
            return self._oauth(request) if self.manners.with_oauth else None
        user = self._user(request.headers.get("authorization", ""))
        if user is None:
            return _reply(401, self.manners.refusal)
        if request.query.get("service") != SERVICE:
            return _reply(400, UNSUPPORTED)
        more = {"refresh_token": self.identity_token(user)} if user and request.query.get("offline_token") else {}
        return self._granted(request, request.query.get("scope", ""), user, more)

    def _oauth(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode()))
        if form.get("service") != SERVICE or not form.get("client_id"):
            return _reply(400, UNSUPPORTED)
        if form.get("grant_type") == "refresh_token":
            user = self._identity_tokens.get(form.get("refresh_token", ""))
        elif form.get("grant_type") == "password":
            user = self._known(form.get("username", ""), form.get("password", ""))
        else:
            return _reply(400, UNSUPPORTED)
        if user is None:
            return _reply(401, self.manners.refusal)
        more = {"refresh_token": self.identity_token(user)} if form.get("access_type") == "offline" else {}
        return self._granted(request, form.get("scope", ""), user, {"scope": form.get("scope", ""), **more})

    def _granted(self, request: Request, scope: str, user: str, more: Mapping[str, object]) -> Reply:
        scopes = [] if request.path == "/powerless" else scope.split()
        life = -2 * LEEWAY if request.path == "/expired" else None
        token = self.token(scopes, user=user, life=life, forged=request.path == "/forged")
        name = "access_token" if request.method == "POST" else self.manners.field
        told = {} if self.manners.told_life is None else {"expires_in": self.manners.told_life}
        return _reply(200, {name: token, **told, **more})

    def _user(self, authorization: str) -> str | None:
        """Return who asks, empty for anyone, or None for somebody with a wrong password."""
        if not authorization:
            return ""
        try:
            name, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        except ValueError:
            return None
        return self._known(name, password)

    def _known(self, name: str, password: str) -> str | None:
        return name if password and self._users.get(name) == password else None


class _Pushing(requests.auth.AuthBase):
    """Authorises requests to a registry with tokens made for the purpose, on behalf of somebody who may push."""

    def __init__(self, service: TokenService, user: str) -> None:
        self._service = service
        self._user = user

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token that a request needs."""
        name = re.split("/(?:blobs|manifests|tags)/", urlsplit(request.url or "").path.removeprefix("/v2/"))[0]
        token = self._service.token([f"repository:{name}:pull,push,delete"], user=self._user, life=600)
        request.headers["Authorization"] = f"Bearer {token}"
        return request


def _access(scope: str, user: str) -> list[dict[str, Any]]:
    """Return what a scope grants: to anyone reading what is public, to a user what he asks for."""
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
    return [{"type": kind, "name": name, "actions": allowed}] if kind == "repository" and allowed else []


def _reply(status: int, body: Mapping[str, object]) -> Reply:
    return Reply(status, json.dumps(body), {"Content-Type": "application/json"})
