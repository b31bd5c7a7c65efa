"""`/oauth/token`: a client shows the code that its user brought and gets a token (RFC 6749, section 4.1.3)."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse, JsonResponse

from authz import accesstokens
from authz.api.oauthaccesstokens import OAUTH_ACCESS_TOKENS
from authz.api.users import USERS
from authz.models import AuthorizationCode
from authz.oauth import codes, pages
from authz.oauth.authorize import CHALLENGE, basic
from authz.oauth.clients import Client, find
from authz.oauth.codes import BadCode, Replayed, Ticket
from authz.oauth.door import Decision, tell
from registry_meta.kube import errors, meta, store
from registry_meta.kube.request import SYSTEM, Context

GRANT_TYPE = "authorization_code"
REASON = "its code was used twice"
PARAMETERS = ("grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier")


class Unfit(Exception):
    """A request that gets no token: the error of the protocol, and words for whoever reads them."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


def redeemed(request: HttpRequest) -> HttpResponse:
    """Answer a client that redeems a code."""
    try:
        return _answer(request, now=meta.now())
    except Unfit as unfit:
        body = {"error": unfit.error, "error_description": unfit.description}
        response = pages.guarded(JsonResponse(body, status=unfit.status))
        if unfit.status == 401:
            response.headers["WWW-Authenticate"] = CHALLENGE
        return response


def _answer(request: HttpRequest, *, now: datetime) -> HttpResponse:
    form = request.POST
    repeated = [name for name in PARAMETERS if len(form.getlist(name)) > 1]
    if repeated:
        raise Unfit("invalid_request", f"{repeated[0]} is given more than once")
    client = _client(request)
    if form.get("grant_type", "") != GRANT_TYPE:
        raise Unfit("unsupported_grant_type", f"grant_type must be {GRANT_TYPE}")
    missing = [name for name in ("code", "redirect_uri") if not form.get(name)]
    if missing:
        raise Unfit("invalid_request", f"{missing[0]} is missing")
    ticket = Ticket(form["code"], client.name, form["redirect_uri"], form.get("code_verifier", ""))
    token, row = given(request, ticket, client, now=now)
    body: dict[str, object] = {"access_token": token, "token_type": "Bearer", "scope": " ".join(row.scopes)}
    if client.lifetime:
        body["expires_in"] = client.lifetime
    return pages.guarded(JsonResponse(body))


def _client(request: HttpRequest) -> Client:
    """Return the client that asks; raises Unfit unless it proves who it is, in the header or in the form."""
    form = request.POST
    header = request.META.get("HTTP_AUTHORIZATION", "")
    shown = basic(header)
    if header and (shown is None or "client_secret" in form):
        raise Unfit("invalid_client", "the client must authenticate in one way", status=401)
    if shown is not None:
        name, secret = unquote_plus(shown[0]), unquote_plus(shown[1])
    else:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
    client = find(name) if name else None
    if client is None or not client.proves_itself(secret) or form.get("client_id", name) != name:
        raise Unfit("invalid_client", "the client is not known, or its secret is wrong", status=401)
    return client


def given(request: HttpRequest, ticket: Ticket, client: Client, *, now: datetime) -> tuple[str, AuthorizationCode]:
    """Return the token that a code is good for, and the code; raises Unfit.

    A code that comes a second time is in somebody else's hands, too, so what it gave is taken back.
    """
    try:
        token, row = codes.redeem(ticket, give=lambda row: _issued(row, client, now=now), now=now)
    except Replayed as replayed:
        tell(request, Decision("deny", client=client.name))
        _take_back(replayed.gave, now=now)
        raise Unfit("invalid_grant", "the code was used before, and the token that it gave is void") from replayed
    except BadCode as error:
        tell(request, Decision("deny", client=client.name))
        raise Unfit("invalid_grant", "the code is not valid for this client, address and verifier") from error
    tell(request, Decision("allow", row.username, client.name))
    return token, row


def _issued(row: AuthorizationCode, client: Client, *, now: datetime) -> tuple[str, str]:
    """Return a new token of whom a code belongs to, and the name of its object; raises BadCode when he is gone."""
    user = store.find(USERS, "", row.username)
    if user is None or user.uid != row.user_uid:
        raise BadCode
    token = accesstokens.issue(
        row.username, uid=row.user_uid, client=client.name, scopes=row.scopes, expires_in=client.lifetime,
        redirect_uri=row.redirect_uri, now=now,
    )  # fmt: skip
    return token, accesstokens.name_of(token)


def _take_back(name: str, *, now: datetime) -> None:
    context = Context(SYSTEM, OAUTH_ACCESS_TOKENS, now, reason=REASON)
    try:
        store.delete(OAUTH_ACCESS_TOKENS, name, context=context, strategy=OAUTH_ACCESS_TOKENS.storage.strategy)
    except errors.StatusError as error:
        if error.code != 404:
            raise
