"""The pages on which people get a token to copy: `/oauth/token/request`, `display` and `implicit`."""

from __future__ import annotations

import shlex

from django.http import HttpRequest, HttpResponse

from authz.clients import BROWSER
from authz.oauth import codes, pages, sessions
from authz.oauth.clients import find
from authz.oauth.codes import Ticket
from authz.oauth.redirects import in_query
from authz.oauth.token import Unfit, given
from registry_meta.kube import meta

REQUEST = "/oauth/token/request"
DISPLAY = "/oauth/token/display"
USED = "The link to a token is good once, for five minutes, in the browser that logged in."


def requested(request: HttpRequest) -> HttpResponse:
    """Send somebody who wants a token to log in, and from there to the page that shows it."""
    query = {"client_id": BROWSER, "redirect_uri": pages.issuer() + DISPLAY, "response_type": "code"}
    return pages.redirect(in_query(f"{pages.issuer()}/oauth/authorize", query))


def offered(request: HttpRequest) -> HttpResponse:
    """Offer to show a token for the code that a browser comes back with."""
    if "error" in request.GET:
        text = request.GET.get("error_description", "")[:200] or "No token was given out."
        return pages.message(request, "There is no token", text, status=400, then=REQUEST)
    code = request.GET.get("code", "")
    username = _whose(request, code)
    if not username:
        return pages.message(request, "There is no token", USED, status=400, then=REQUEST)
    return pages.page(request, "display", {"code": code, "username": username})


def shown(request: HttpRequest) -> HttpResponse:
    """Show a token, once."""
    code = request.POST.get("code", "")
    username = _whose(request, code)
    client = find(BROWSER)
    if not username or client is None:
        # The page that is loaded again would otherwise take back the token that it has shown.
        return pages.message(request, "There is no token", USED, status=400, then=REQUEST)
    try:
        token, _ = given(request, Ticket(code, BROWSER, pages.issuer() + DISPLAY), client, now=meta.now())
    except Unfit:
        return pages.message(request, "There is no token", USED, status=400, then=REQUEST)
    context = {
        "token": token, "username": username, "quoted": shlex.quote(username), "server": pages.issuer(),
        "hours": client.lifetime // 3600,
    }  # fmt: skip
    return pages.page(request, "display", context)


def _whose(request: HttpRequest, code: str) -> str:
    """Return the name of who has logged in with this browser if a code is his; else nothing.

    Somebody else's code would have him take up another's account without knowing.
    """
    now = meta.now()
    person = sessions.signed_in(request.session, now=now)
    if person is None or not code or codes.owner(code, client=BROWSER, now=now) != person.uid:
        return ""
    return person.username


def implicit(request: HttpRequest) -> HttpResponse:
    """Answer the address to which programs are sent back that are no pages."""
    return pages.page(request, "implicit", {})
