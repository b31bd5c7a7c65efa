"""`/.well-known/oauth-authorization-server`: where the OAuth server is and what it can do (RFC 8414)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from authz import scopes
from authz.oauth import pages, pkce, requests
from authz.oauth.token import GRANT_TYPE


def described(request: HttpRequest) -> HttpResponse:
    """Answer what clients need to know before anybody has logged in."""
    issuer = pages.issuer()
    body = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "scopes_supported": sorted(scopes.RULES),
        "response_types_supported": list(requests.RESPONSE_TYPES),
        "grant_types_supported": [GRANT_TYPE, "implicit"],
        "code_challenge_methods_supported": list(pkce.METHODS),
    }
    return JsonResponse(body, json_dumps_params={"indent": 2})
