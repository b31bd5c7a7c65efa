"""`/login`, `/login/local` and `/logout`: the pages on which people say who they are."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from django.http import HttpRequest, HttpResponse

from authz.identities import MappingRefused
from authz.oauth import pages, providers, requests, sessions, signin
from authz.oauth.authorize import BUSY
from authz.oauth.clients import find
from authz.oauth.display import REQUEST
from authz.oauth.door import Decision, tell
from authz.oauth.guesses import Locked
from authz.oauth.passwords import Busy
from authz.oauth.redirects import in_query, is_own_path
from authz.oauth.requests import Refused, Rejected
from authz.oauth.signin import WrongPassword
from registry_meta.kube import meta

AUTHORIZE = "/oauth/authorize"
WRONG = "The user name or the password is wrong."


def chosen(request: HttpRequest) -> HttpResponse:
    """Ask by which provider somebody logs in, where there is a choice."""
    then = destination(request.GET.get("then", ""))
    names = [sessions.LOCAL, *providers.names()]
    addresses = [(name, in_query(f"/login/{name}", {"then": then})) for name in names]
    if len(addresses) == 1:
        return pages.redirect(addresses[0][1])
    return pages.page(request, "choice", {"providers": addresses})


def asked(request: HttpRequest) -> HttpResponse:
    """Ask for a name and a password."""
    return _form(request, then=destination(request.GET.get("then", "")))


def answered(request: HttpRequest) -> HttpResponse:
    """Check a name and a password, and lead whoever they belong to where he wanted to go."""
    return _checked(request, then=destination(request.POST.get("then", "")), now=meta.now())


def _checked(request: HttpRequest, *, then: str, now: datetime) -> HttpResponse:
    name, password = request.POST.get("username", ""), request.POST.get("password", "")
    address = request.META.get("REMOTE_ADDR", "")
    try:
        person = signin.with_password(name, password, address=address, now=now)
    except WrongPassword:
        tell(request, Decision("deny", name))
        return _form(request, then=then, username=name, problem=WRONG, status=401)
    except Locked as locked:
        tell(request, Decision("deny", name))
        response = _form(request, then=then, username=name, problem=f"{_sentence(str(locked))}", status=429)
        response.headers["Retry-After"] = str(locked.seconds)
        return response
    except MappingRefused as refused:
        tell(request, Decision("deny", name))
        return _form(request, then=then, username=name, problem=_sentence(str(refused)), status=403)
    except Busy:
        tell(request, Decision("error", name))
        return _form(request, then=then, username=name, problem=_sentence(BUSY), status=503)
    sessions.remember(request, person, provider=sessions.LOCAL, now=now)
    tell(request, Decision("allow", person.username))
    return pages.redirect(then)


def _form(request: HttpRequest, *, then: str, username: str = "", problem: str = "", status: int = 200) -> HttpResponse:
    context = {"then": then, "username": username, "problem": problem}
    return pages.page(request, "login", context, status=status, leads_to=_ends(then))


def _ends(then: str) -> list[str]:
    """Return where somebody ends up who logs in for a client, so that his browser lets the form lead there."""
    parts = urlsplit(then)
    if parts.path != AUTHORIZE:
        return []
    try:
        return [requests.read(parse_qs(parts.query), find).redirect_uri]
    except (Refused, Rejected):
        return []


def destination(then: str) -> str:
    """Return where somebody goes after he has logged in: a path of this server, or where tokens are requested."""
    return then if is_own_path(then) else REQUEST


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def leaving(request: HttpRequest) -> HttpResponse:
    """Ask whether somebody wants to log out."""
    return pages.page(request, "logout", {})


def left(request: HttpRequest) -> HttpResponse:
    """Forget who has logged in with a browser."""
    request.session.flush()
    then = request.POST.get("then", "")
    if is_own_path(then):
        return pages.redirect(then)
    return pages.message(request, "You are logged out", "Tokens that you have live on.", status=200, then="/login")
