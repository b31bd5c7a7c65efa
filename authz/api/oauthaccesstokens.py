"""The kind OAuthAccessToken: a token that somebody logged in for; its name is the hash of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from authz import people, scopes, tokens
from authz.api.oauthclients import GROUP, OAUTH_CLIENTS, VERSION, OAuthClient, excess, redirect_problem
from authz.rules import split_account
from registry_meta.kube import errors, store
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, parse_time
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.table import age
from registry_meta.kube.validation import dns_subdomain, path_segment

SHORTEST_NAME = 32


class OAuthAccessToken(KubeObject):
    """Whose token it is, by which client he logged in, what it may be used for and how long."""

    client_name: str = ""
    expires_in: int = 0
    scopes: list[str] | None = None
    redirect_uri: str = msgspec.field(default="", name="redirectURI")
    user_name: str = ""
    user_uid: str = msgspec.field(default="", name="userUID")
    authorize_token: str = ""
    refresh_token: str = ""
    inactivity_timeout_seconds: int = 0

    def expires_at(self) -> datetime | None:
        """Return when the token ends, unused as it then is; None for one that never does."""
        lifetimes = [seconds for seconds in (self.expires_in, self.inactivity_timeout_seconds) if seconds > 0]
        if not lifetimes or not self.metadata.creation_timestamp:
            return None
        return parse_time(self.metadata.creation_timestamp) + timedelta(seconds=min(lifetimes))

    def used_until(self, now: datetime, idle: int) -> int:
        """Return how many seconds after its creation a token ends that may go unused for `idle` seconds from now."""
        created = parse_time(self.metadata.creation_timestamp) if self.metadata.creation_timestamp else now
        return int((now - created).total_seconds()) + idle

    def is_over(self, now: datetime) -> bool:
        """Return whether the time of the token is over."""
        ends = self.expires_at()
        return ends is not None and ends <= now


class OAuthAccessTokenStrategy(Strategy[OAuthAccessToken]):
    """A token changes but by its use; it ends at the next request when its object goes."""

    unconditional_update = False

    @staticmethod
    def name_problems(name: str) -> list[str]:
        """Return what keeps a text from being the hash of a token."""
        problems = path_segment(name)
        if not problems and len(name) < SHORTEST_NAME:
            problems = [f"must be at least {SHORTEST_NAME} characters long"]
        if not problems and not name.startswith(tokens.PREFIX):
            problems = ["only the new format of tokens (prefixed with sha256~) is allowed"]
        return problems

    def validate(self, obj: OAuthAccessToken, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the names and the limits of a token."""
        problems = client_name_problems(obj.client_name, "clientName")
        problems += user_name_problems(obj.user_name, "userName")
        problems += scopes.problems(obj.scopes, "scopes")
        if not obj.user_uid:
            problems.append(errors.required("userUID"))
        problems += _not_negative("inactivityTimeoutSeconds", obj.inactivity_timeout_seconds)
        why = redirect_problem(obj.redirect_uri)
        if why:
            problems.append(errors.invalid_value("redirectURI", obj.redirect_uri, why))
        problems += _not_negative("expiresIn", obj.expires_in)
        return problems + client_problems(obj.client_name, obj.scopes or [], "clientName")

    def validate_update(self, new: OAuthAccessToken, old: OAuthAccessToken, *, context: Context) -> list[FieldError]:
        """Return what changed, metadata excepted: nothing may, but how long a token may go unused grows."""
        problems = [
            errors.invalid_value(field.encode_name, getattr(new, field.name), "field is immutable")
            for field in msgspec.structs.fields(OAuthAccessToken)
            if field.name not in ("metadata", "inactivity_timeout_seconds")
            and getattr(new, field.name) != getattr(old, field.name)
        ]
        return problems + _idle_problems(new.inactivity_timeout_seconds, old.inactivity_timeout_seconds)

    def recorded(
        self, new: OAuthAccessToken | None, old: OAuthAccessToken | None, *, version: int, context: Context
    ) -> None:
        """Have a token that is going or gone recognised no more."""
        last = new or old
        is_over = last is not None and last.is_over(context.now)
        # A token whose time is over is refused wherever it is remembered; one that times out is remembered nowhere.
        if not is_over and (new is None or new.metadata.deletion_timestamp):
            tokens.forget()


def client_name_problems(name: str, field: str) -> list[FieldError]:
    """Return what keeps a text from being the name of an OAuth client, which may be a service account."""
    if not name:
        return [errors.required(field)]
    account = split_account(name)
    texts = dns_subdomain(account[1] if account else name)
    return [errors.invalid_value(field, name, ", ".join(texts))] if texts else []


def client_problems(name: str, asked: Sequence[str], field: str) -> list[FieldError]:
    """Return why there is no OAuth client of a name that may ask for scopes."""
    stored = store.find(OAUTH_CLIENTS, "", name)
    if stored is None:
        return [errors.internal_field(field, errors.not_found(OAUTH_CLIENTS.group_resource, name).message)]
    client: OAuthClient = stored.object()
    why = excess(client, asked)
    return [errors.internal_field(field, why)] if why else []


def user_name_problems(name: str, field: str) -> list[FieldError]:
    """Return what keeps a text from being the name of a user."""
    if not name:
        return [errors.required(field)]
    texts = people.user_name(name)
    return [errors.invalid_value(field, name, ", ".join(texts))] if texts else []


def _idle_problems(new: int, old: int) -> list[FieldError]:
    field = "inactivityTimeoutSeconds"
    problems = _not_negative(field, new)
    if 0 < new < old:
        problems.append(errors.invalid_value(field, new, f"cannot be less than the current value={old}"))
    if not old and new:
        problems.append(errors.invalid_value(field, new, "cannot update non-timing-out token"))
    return problems


def _not_negative(field: str, value: int) -> list[FieldError]:
    return [errors.invalid_value(field, value, "cannot be a negative value")] if value < 0 else []


def expiry(token: OAuthAccessToken) -> str:
    """Return the cell of an Expires column."""
    ends = token.expires_at()
    return "never" if ends is None else ends.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def row(token: OAuthAccessToken, now: datetime) -> list[object]:
    """Return the table row of a token."""
    return [token.metadata.name, token.user_name, *own_cells(token, now)]


def own_cells(token: OAuthAccessToken, now: datetime) -> Sequence[object]:
    """Return the cells that people see of their own tokens."""
    created = age(token.metadata.creation_timestamp, now)
    return (token.client_name, created, expiry(token), token.redirect_uri, ",".join(token.scopes or ()))


OWN_COLUMNS = (
    Column("Client Name", format="name", description="The client by which the user logged in."),
    Column("Created", description="How long ago the token was given out."),
    Column("Expires", description="When the token ends."),
    Column("Redirect URI", description="Where the browser was sent back to."),
    Column("Scopes", description="What the token may be used for."),
)

FIELDS = {
    "clientName": lambda obj: str(obj.get("clientName", "")),
    "userName": lambda obj: str(obj.get("userName", "")),
    "userUID": lambda obj: str(obj.get("userUID", "")),
    "authorizeToken": lambda obj: str(obj.get("authorizeToken", "")),
}

OAUTH_ACCESS_TOKENS = Resource(
    group=GROUP,
    version=VERSION,
    kind="OAuthAccessToken",
    plural="oauthaccesstokens",
    singular="oauthaccesstoken",
    namespaced=False,
    type=OAuthAccessToken,
    storage=ObjectStorage(OAuthAccessTokenStrategy()),
    columns=(NAME, Column("User Name", format="name", description="Whose token it is."), *OWN_COLUMNS),
    row=row,
    fields=FIELDS,
)
