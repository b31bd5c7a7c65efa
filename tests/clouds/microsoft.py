"""Microsoft's token service for applications, and a registry that exchanges its tokens (Azure Container Registry)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.registries import Reply, Request

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
AUDIENCE = "api://AzureADTokenExchange"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SIGNING = "a key that only the registry knows, and long enough"
NOBODY = Reply(401, json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}))


@dataclass(slots=True)
class Microsoft:
    """What Microsoft knows and gives; `valid` are the refresh tokens of the registry that count."""

    secret: str = "app-secret-Zx8Q~value"
    cluster_key: rsa.RSAPublicKey | None = None
    life: int = 3 * 3600
    access: list[str] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    exchanges: int = 0
    trouble: Reply | None = None
    exchange_trouble: Reply | None = None
    now: Callable[[], float] = time.time

    def answer(self, request: Request) -> Reply:
        """Answer a request of an application for an access token."""
        if self.trouble is not None:
            return self.trouble
        if request.path == "/metadata/identity/oauth2/token":
            assert request.headers["metadata"] == "true"
            assert request.query["api-version"] == "2018-02-01"
            assert request.query["resource"] == "https://containerregistry.azure.net"
            return self._access()
        assert (request.method, request.path) == ("POST", f"/{TENANT}/oauth2/v2.0/token")
        fields = _form(request)
        assert fields["grant_type"] == "client_credentials"
        assert fields["scope"] == "https://containerregistry.azure.net/.default"
        assert fields["client_id"] == CLIENT
        if "client_assertion" in fields:
            assert fields["client_assertion_type"] == ASSERTION
            assert self.cluster_key is not None
            jwt.decode(fields["client_assertion"], self.cluster_key, algorithms=["RS256"], audience=AUDIENCE)
        elif fields["client_secret"] != self.secret:
            words = (
                f"AADSTS7000215: Invalid client secret provided: {fields['client_secret']}. Trace ID: 0000 "
                "Correlation ID: 1111 Timestamp: 2026-01-01"
            )
            return Reply(401, json.dumps({"error": "invalid_client", "error_description": words}))
        return self._access()

    def _access(self) -> Reply:
        self.access.append(f"eyJ0.access-{len(self.access) + 1}.sig")
        fields = {"token_type": "Bearer", "expires_in": 3599, "access_token": self.access[-1]}
        return Reply(200, json.dumps(fields))

    def admits(self, request: Request, base: str) -> Reply | None:
        """Answer a request to the registry that it does not let pass: without a token of its own, or for one."""
        host = base.partition("://")[2]
        if request.path == "/oauth2/exchange":
            return self.exchange_trouble or self._exchanged(_form(request), host)
        if request.path == "/oauth2/token":
            return self._token(request, host) if request.method == "POST" else NOBODY
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if _claims(token).get("access") == "pull":
            return None
        challenge = f'Bearer realm="{base}/oauth2/token",service="{host}",scope="repository:x:pull"'
        return Reply(401, "", {"WWW-Authenticate": challenge})

    def _exchanged(self, fields: dict[str, str], host: str) -> Reply:
        assert fields.pop("tenant", TENANT) == TENANT
        if fields != {"grant_type": "access_token", "service": host, "access_token": self.access[-1]}:
            return Reply(401, json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "no such token"}]}))
        self.exchanges += 1
        claims = {"exp": int(self.now()) + self.life, "aud": host, "jti": str(self.exchanges)}
        token = jwt.encode(claims, SIGNING, algorithm="HS256")
        self.valid.add(token)
        return Reply(200, json.dumps({"refresh_token": token}))

    def _token(self, request: Request, host: str) -> Reply:
        fields = _form(request)
        is_right = fields["grant_type"] == "refresh_token" and fields["service"] == host
        if not is_right or fields["refresh_token"] not in self.valid or not fields["scope"].endswith(":pull"):
            return NOBODY
        claims = {"access": "pull", "of": fields["refresh_token"][-8:]}
        return Reply(200, json.dumps({"access_token": jwt.encode(claims, SIGNING, algorithm="HS256")}))


def _form(request: Request) -> dict[str, str]:
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def _claims(token: str) -> dict[str, str]:
    try:
        claims: dict[str, str] = jwt.decode(token, SIGNING, algorithms=["HS256"])
    except jwt.PyJWTError:
        return {}
    return claims
