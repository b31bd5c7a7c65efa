"""Google's token service, which proves assertions with the public key of the account, and its registry."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.registries import Reply, Request

EMAIL = "puller@shop.iam.gserviceaccount.com"
KEY_ID = "0123456789abcdef"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = ("https://www.googleapis.com/auth/devstorage.read_only", "https://www.googleapis.com/auth/cloud-platform")


def new_key() -> rsa.RSAPrivateKey:
    """Return a key such as clouds make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    """Return a key as key files hold it."""
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, kind, none).decode()


def key_file(key: rsa.RSAPrivateKey, *, token_uri: str = "https://oauth2.googleapis.com/token") -> dict[str, Any]:
    """Return a key file of the account."""
    return {
        "type": "service_account",
        "project_id": "shop",
        "private_key_id": KEY_ID,
        "private_key": pem(key),
        "client_email": EMAIL,
        "token_uri": token_uri,
    }


@dataclass(slots=True)
class Google:
    """What Google knows and gives: the keys of the account, and its access tokens, of which `valid` count."""

    keys: dict[str, rsa.RSAPublicKey]
    audience: str = "https://oauth2.googleapis.com/token"
    life: int = 3599
    tokens: list[str] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    trouble: Reply | None = None
    now: Callable[[], float] = time.time

    def answer(self, request: Request) -> Reply:
        """Answer a request for a token."""
        if self.trouble is not None:
            return self.trouble
        if request.path == "/computeMetadata/v1/instance/service-accounts/default/token":
            return self._token() if request.headers.get("metadata-flavor") == "Google" else Reply(403)
        assert (request.method, request.path) == ("POST", "/token")
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        assert set(fields) == {"grant_type", "assertion"}
        assert fields["grant_type"] == GRANT
        return self._judged(fields["assertion"])

    def _judged(self, assertion: str) -> Reply:
        key = self.keys.get(jwt.get_unverified_header(assertion)["kid"])
        if key is None:
            return refused("invalid_grant", "Invalid JWT Signature.")
        unchecked: Any = {"verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(assertion, key, algorithms=["RS256"], audience=self.audience, options=unchecked)
        except jwt.PyJWTError:
            return refused("invalid_grant", "Invalid JWT Signature.")
        assert claims["iss"] == EMAIL
        assert claims["scope"] in SCOPES
        now = self.now()
        if claims["exp"] - claims["iat"] > 3600 or not now - 300 < claims["iat"] < now + 300 or claims["exp"] < now:
            words = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
            return refused("invalid_grant", words)
        return self._token()

    def _token(self) -> Reply:
        self.tokens.append(f"ya29.token-{len(self.tokens) + 1}")
        self.valid.add(self.tokens[-1])
        fields = {"access_token": self.tokens[-1], "expires_in": self.life, "token_type": "Bearer"}
        return Reply(200, json.dumps(fields))

    def admits(self, request: Request, base: str) -> Reply | None:
        """Answer a request to the registry that it does not let pass: without a token of its own, or for one."""
        host = base.partition("://")[2]
        if request.path == "/v2/token":
            given = request.headers.get("authorization", "").removeprefix("Basic ")
            user, _, password = base64.b64decode(given).decode().partition(":")
            if given and (user != "oauth2accesstoken" or password not in self.valid):
                return Reply(401)
            return Reply(200, json.dumps({"token": f"registry-{password or 'anonymous'}"}))
        if request.headers.get("authorization", "").removeprefix("Bearer registry-") in self.valid:
            return None
        challenge = f'Bearer realm="{base}/v2/token",service="{host}",scope="repository:x:pull"'
        return Reply(401, "", {"WWW-Authenticate": challenge})


def refused(code: str, words: str) -> Reply:
    """Return a refusal in the form of OAuth 2.0."""
    return Reply(400, json.dumps({"error": code, "error_description": words}))
