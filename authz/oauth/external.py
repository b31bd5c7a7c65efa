"""`/login/NAME` and `/oauth2callback/NAME`: logging in at an OpenID provider, and the way back from it."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse

from authz import identities
from authz.identities import MappingRefused, SignedIn
from authz.oauth import pages, pkce, providers, sessions
from authz.oauth.door import Decision, tell
from authz.oauth.login import destination
from authz.oauth.redirects import in_query
from authz.openid.login import OpenIDProvider, SignInFailed
from registry_meta.kube import meta
from registry_meta.kube.meta import parse_time, timestamp

PENDING = "pending"
"""The key of a session under which is what a provider's answer has to match."""

LIFETIME = timedelta(minutes=10)
LONGEST_CODE = 4096
UNKNOWN = "There is no such way to log in."
FOREIGN = "This answer belongs to no log-in that was begun in this browser within the last ten minutes."


def started(request: HttpRequest, name: str) -> HttpResponse:
    """Send a browser to a provider, and have its session remember what the answer has to match."""
    provider = providers.reached(name)
    if provider is None:
        return pages.message(request, "Log in", UNKNOWN, status=404, then="/login")
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    then = destination(request.GET.get("then", ""))
    try:
        location = provider.authorization_url(
            redirect_uri=_callback(name), state=state, nonce=nonce, code_challenge=pkce.transformed(verifier)
        )
    except SignInFailed as failed:
        return _failed(request, name, str(failed), then=then)
    request.session[PENDING] = {
        "provider": name, "state": state, "nonce": nonce, "verifier": verifier, "then": then,
        "at": timestamp(meta.now()),
    }  # fmt: skip
    return pages.redirect(location)


def returned(request: HttpRequest, name: str) -> HttpResponse:
    """Let somebody in whom a provider vouches for, once for each log-in that his browser has begun."""
    provider = providers.reached(name)
    pending = request.session.pop(PENDING, None)
    now = meta.now()
    if provider is None or not pending or not _belongs(pending, request, name, now=now):
        return _failed(request, name, FOREIGN, then="/login")
    then = str(pending["then"])
    code = request.GET.get("code", "")
    if "error" in request.GET or not 0 < len(code) <= LONGEST_CODE:
        return _failed(request, name, f"{name} has let nobody in.", then=then)
    try:
        person = _signed_in(provider, code, pending, now=now)
    except (SignInFailed, MappingRefused) as failed:
        return _failed(request, name, str(failed), then=then)
    sessions.remember(request, person, provider=name, now=now)
    tell(request, Decision("allow", person.username))
    return pages.redirect(then)


def _signed_in(provider: OpenIDProvider, code: str, pending: dict[str, str], *, now: datetime) -> SignedIn:
    """Return the user of whoever has logged in; raises SignInFailed and MappingRefused."""
    profile = provider.profile(
        code=code, redirect_uri=_callback(provider.name), nonce=pending["nonce"], code_verifier=pending["verifier"]
    )
    mapping = providers.configured()[provider.name].mapping_method
    return identities.sign_in(provider.name, profile, mapping=mapping, now=now)


def _belongs(pending: dict[str, str], request: HttpRequest, name: str, *, now: datetime) -> bool:
    """Return whether an answer is that of the log-in that this browser has begun."""
    is_its_own = hmac.compare_digest(request.GET.get("state", "").encode(), pending["state"].encode())
    return is_its_own and pending["provider"] == name and now - parse_time(pending["at"]) <= LIFETIME


def _failed(request: HttpRequest, name: str, why: str, *, then: str) -> HttpResponse:
    tell(request, Decision("deny"))
    address = then if then == "/login" else in_query("/login", {"then": then})
    text = f"{why[:1].upper()}{why[1:].rstrip('.')}."
    return pages.message(request, "Nobody is logged in", text, status=403, then=address)


def _callback(name: str) -> str:
    return f"{pages.issuer()}/oauth2callback/{name}"
