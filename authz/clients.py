"""The OAuth clients that every server has: those by which oc logs people in, with and without a browser."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from authz.api.oauthclients import AUTO, OAuthClient
from registry_meta.kube.meta import ObjectMeta

CHALLENGING = "openshift-challenging-client"
"""Asks for name and password in the terminal."""

BROWSER = "openshift-browser-client"
"""Shows a token on a page."""

COMMAND = "openshift-cli-client"
"""Waits on a port of its own machine for what the browser brings; it is public, and proves itself by PKCE."""

LOOPBACK = ("http://127.0.0.1/callback", "http://[::1]/callback")


def built_in(issuer: str) -> Iterator[OAuthClient]:
    """Yield the clients of a server that logs people in at a URL."""
    yield OAuthClient(
        metadata=ObjectMeta(name=CHALLENGING), respond_with_challenges=True, grant_method=AUTO,
        redirect_uris=[f"{issuer}/oauth/token/implicit"],
    )  # fmt: skip
    yield OAuthClient(
        metadata=ObjectMeta(name=BROWSER), secret=secrets.token_urlsafe(32), grant_method=AUTO,
        redirect_uris=[f"{issuer}/oauth/token/display"],
    )  # fmt: skip
    yield OAuthClient(metadata=ObjectMeta(name=COMMAND), grant_method=AUTO, redirect_uris=list(LOOPBACK))
