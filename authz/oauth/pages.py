"""What browsers see of the OAuth server, and the headers that keep others from making use of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from authz.oauth import redirects

STYLE = Path(__file__).with_name("style.css").read_bytes()
STYLE_SECONDS = 300
HTML = "text/html; charset=utf-8"

GUARDS = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Referrer-Policy": "same-origin",  # with less, browsers do not say from where a form comes
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"


def issuer() -> str:
    """Return the address under which this server gives out tokens."""
    address: str = settings.ENVIRONMENT.server_url
    return address


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, object],
    *,
    status: int = 200,
    leads_to: Iterable[str] = (),
) -> HttpResponse:
    """Return a page; `leads_to` are addresses that the answer to its form may redirect to."""
    text = render_to_string(f"oauth/{template}.html", dict(context), request)
    response = guarded(HttpResponse(text, status=status, content_type=HTML))
    targets = sorted({redirects.form_target(uri) for uri in (issuer(), *leads_to)})
    response.headers["Content-Security-Policy"] = " ".join([POLICY, *targets])
    return response


def message(request: HttpRequest, title: str, text: str, *, status: int, then: str = "") -> HttpResponse:
    """Return a page of one sentence, with a way to try again where there is one."""
    return page(request, "message", {"title": title, "text": text, "then": then}, status=status)


def refusal(request: HttpRequest, error: str, description: str, *, status: int = 400) -> HttpResponse:
    """Return what is said to somebody who cannot be sent back: a page to browsers, JSON to programs."""
    if "text/html" in request.META.get("HTTP_ACCEPT", ""):
        return message(request, "This request cannot be answered", description, status=status)
    return guarded(JsonResponse({"error": error, "error_description": description}, status=status))


def redirect(location: str) -> HttpResponse:
    """Return an answer that sends a browser to an address, letter by letter."""
    response = guarded(HttpResponse(status=302))
    response.headers["Location"] = location
    return response


def guarded(response: HttpResponse) -> HttpResponse:
    """Return an answer that nobody keeps, frames or guesses the type of."""
    for name, value in GUARDS.items():
        response.headers[name] = value
    return response


def style(request: HttpRequest) -> HttpResponse:
    """Answer the style sheet of the pages."""
    response = HttpResponse(STYLE, content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={STYLE_SECONDS}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def stale(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that does not come from the page that this browser was given (Django calls it)."""
    text = (
        "This form was open for too long, or it does not come from this server. Go back, load the page again and retry."
    )
    return message(request, "The form cannot be taken", text, status=403)
