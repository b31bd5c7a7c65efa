"""What others need to verify the tokens of service accounts: OpenID Connect discovery and the JSON Web Key Set."""

from __future__ import annotations

import msgspec
from django.http import HttpRequest, HttpResponse

from authz import accounttokens, signingkeys

JWKS_PATH = "/openid/v1/jwks"
JWKS = "application/jwk-set+json"
KEPT = f"public, max-age={int(signingkeys.PUBLISHED_BEFORE.total_seconds())}"
"""For how long the answers may be kept: not longer than a new key is published before it signs."""


def configuration(request: HttpRequest) -> HttpResponse:
    """Answer /.well-known/openid-configuration."""
    issuer = accounttokens.issuers()[0]
    found = {
        "issuer": issuer,
        "jwks_uri": f"{issuer}{JWKS_PATH}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [signingkeys.ALGORITHM],
    }
    return _answer(found, "application/json")


def jwks(request: HttpRequest) -> HttpResponse:
    """Answer /openid/v1/jwks."""
    return _answer(signingkeys.published(), JWKS)


def _answer(found: object, content_type: str) -> HttpResponse:
    response = HttpResponse(msgspec.json.encode(found), content_type=content_type)
    response.headers["Cache-Control"] = KEPT
    return response
