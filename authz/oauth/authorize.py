"""`/oauth/authorize`: who asks is found out, by Basic authentication or by a page, and gets a code or a token."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime

from django.http import HttpRequest, HttpResponse

from authz import accesstokens
from authz.identities import MappingRefused, SignedIn
from authz.oauth import codes, pages, requests, sessions, signin
from authz.oauth.clients import find
from authz.oauth.door import Decision, tell
from authz.oauth.guesses import Locked
from authz.oauth.passwords import Busy
from authz.oauth.redirects import in_query
from authz.oauth.requests import Asked, Refused, Rejected
from authz.oauth.signin import WrongPassword
from registry_meta.kube import meta
from registry_meta.kube.errors import StatusError

CHALLENGE = 'Basic realm="openshift"'
APPROVE = "approve"
BUSY = "too many log in at the moment, try again in a few seconds"


def asked(request: HttpRequest) -> HttpResponse:
    """Answer what a browser or a program asks for."""
    return _answer(request, approved=None)


def decided(request: HttpRequest) -> HttpResponse:
    """Answer the form of the page that asks whether a program may have a token."""
    return _answer(request, approved=request.POST.get("decision") == APPROVE)


def _answer(request: HttpRequest, *, approved: bool | None) -> HttpResponse:
    try:
        wanted = requests.read(dict(request.GET.lists()), find)
    except Refused as refused:
        return pages.refusal(request, refused.error, refused.description)
    except Rejected as rejected:
        return pages.redirect(rejected.location)
    # Only a program can send this header, so no page can make a browser use what it knows of passwords.
    if wanted.client.challenges and request.META.get("HTTP_X_CSRF_TOKEN"):
        return _challenged(request, wanted, now=meta.now())
    return _by_page(request, wanted, approved=approved, now=meta.now())


def _by_page(request: HttpRequest, wanted: Asked, *, approved: bool | None, now: datetime) -> HttpResponse:
    """Grant what a browser asks for whose user has logged in, after asking him where the client is not trusted."""
    person = sessions.signed_in(request.session, now=now)
    if person is None:
        return pages.redirect(in_query("/login", {"then": request.get_full_path()}))
    if wanted.client.is_trusted or approved:
        return _granted(request, wanted, person, now=now)
    if approved is False:
        return _rejected(request, wanted, "access_denied", "the user refused", username=person.username)
    context = {
        "client": wanted.client.name, "username": person.username, "scopes": wanted.scopes,
        "redirect_uri": wanted.redirect_uri, "action": request.get_full_path(),
    }  # fmt: skip
    return pages.page(request, "approve", context, leads_to=[wanted.redirect_uri])


def _challenged(request: HttpRequest, wanted: Asked, *, now: datetime) -> HttpResponse:
    """Grant what a program asks for that sends a name and a password, or ask it for them."""
    credentials = basic(request.META.get("HTTP_AUTHORIZATION", ""))
    if credentials is None:
        return challenge()
    name, password = credentials
    try:
        person = signin.with_password(name, password, address=request.META.get("REMOTE_ADDR", ""), now=now)
    except WrongPassword:
        tell(request, Decision("deny", name, wanted.client.name))
        return challenge()
    except (Locked, MappingRefused) as error:
        return _rejected(request, wanted, "access_denied", str(error), username=name)
    except Busy:
        return _rejected(request, wanted, "temporarily_unavailable", BUSY, username=name)
    if not wanted.client.is_trusted:
        why = "this client is granted tokens in a browser alone"
        return _rejected(request, wanted, "access_denied", why, username=name)
    return _granted(request, wanted, person, now=now)


def _granted(request: HttpRequest, wanted: Asked, person: SignedIn, *, now: datetime) -> HttpResponse:
    try:
        answer = (
            _token(wanted, person, now=now)
            if wanted.response_type == requests.TOKEN
            else {"code": codes.issue(wanted, person, now=now)}
        )
    except StatusError as error:
        if error.code != 422:
            raise
        return _rejected(request, wanted, "invalid_scope", error.message, username=person.username)
    tell(request, Decision("allow", person.username, wanted.client.name))
    return pages.redirect(wanted.back(answer))


def _token(wanted: Asked, person: SignedIn, *, now: datetime) -> Mapping[str, str]:
    """Return the answer that is a token itself, which older programs ask for."""
    lifetime = wanted.client.lifetime
    token = accesstokens.issue(
        person.username, uid=person.uid, client=wanted.client.name, scopes=wanted.scopes, expires_in=lifetime,
        redirect_uri=wanted.redirect_uri, now=now,
    )  # fmt: skip
    expires_in = {"expires_in": str(lifetime)} if lifetime else {}
    return {"access_token": token, **expires_in, "scope": " ".join(wanted.scopes), "token_type": "Bearer"}


def _rejected(request: HttpRequest, wanted: Asked, error: str, why: str, *, username: str) -> HttpResponse:
    tell(request, Decision("deny", username, wanted.client.name))
    return pages.redirect(Rejected(wanted, error, why).location)


def challenge() -> HttpResponse:
    """Return the answer that asks a program for a name and a password."""
    text = f"You must log in with a name and a password, or request a token at {pages.issuer()}/oauth/token/request\n"
    response = pages.guarded(HttpResponse(text, status=401, content_type="text/plain; charset=utf-8"))
    response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def basic(header: str) -> tuple[str, str] | None:
    """Return the name and the password of a header (RFC 7617); None when there are none in it."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return None
    return (name, password) if colon else None
