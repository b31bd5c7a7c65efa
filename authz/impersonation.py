"""Acting for somebody else: the Impersonate headers, and the right to use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from authz import scopes
from authz.grants import Grants
from authz.refusal import refusal
from authz.rules import Attributes, account_groups, split_account, with_login_group
from registry_meta.kube import errors
from registry_meta.kube.request import Actor

USER = "HTTP_IMPERSONATE_USER"
GROUP = "HTTP_IMPERSONATE_GROUP"
UID = "HTTP_IMPERSONATE_UID"
EXTRA = "HTTP_IMPERSONATE_EXTRA_"
SCOPE = "HTTP_IMPERSONATE_USER_SCOPE"
"""How older clients of OpenShift name the scopes that they want to be limited to."""

AUTHENTICATION_GROUP = "authentication.k8s.io"


@dataclass(frozen=True, slots=True)
class Wish:
    """As whom a request wants to be served."""

    username: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def questions(self) -> Iterator[Attributes]:
        """Yield what its actor must be allowed, in the order in which a refusal names the first."""
        account = split_account(self.username)
        if account:
            yield Attributes("impersonate", account[0], resource="serviceaccounts", name=account[1])
        else:
            yield Attributes("impersonate", resource="users", name=self.username)
        for group in self.groups:
            yield Attributes("impersonate", resource="groups", name=group)
        for key, values in self.extra.items():
            for value in values:
                yield _authentication(f"userextras/{key}", value)
        if self.uid:
            yield _authentication("uids", self.uid)


def _authentication(resource: str, name: str) -> Attributes:
    return Attributes("impersonate", group=AUTHENTICATION_GROUP, version="v1", resource=resource, name=name)


def wish(headers: Mapping[str, str]) -> Wish | None:
    """Return as whom a request wants to be served, from its WSGI headers; None when it is for itself.

    Raises 400 for headers that name no user: a user whose name was lost on the way must not become the caller.
    """
    extra = {_key(name): _values(value) for name, value in headers.items() if name.startswith(EXTRA)}
    if SCOPE in headers:
        extra[scopes.EXTRA] = (*extra.get(scopes.EXTRA, ()), *_values(headers[SCOPE]))
    if not extra and not any(name in headers for name in (USER, GROUP, UID)):
        return None
    username = headers.get(USER, "")
    if not username:
        raise errors.bad_request("requested groups, uid or extra attributes without impersonating a user")
    return Wish(username, _values(headers.get(GROUP, "")), headers.get(UID, ""), extra)


def _key(header: str) -> str:
    # A WSGI server writes every hyphen of a header as an underscore.
    return unquote(header.removeprefix(EXTRA).lower().replace("_", "-"))


def _values(header: str) -> tuple[str, ...]:
    # A WSGI server joins the lines of a header that is given more than once by commas.
    return tuple(value.strip() for value in header.split(",") if value.strip())


def impersonate(actor: Actor, wished: Wish, policy: Grants) -> Actor:
    """Return the actor that is wished for; raises 403 when this one may not act for it."""
    for asked in wished.questions():
        decision = policy.decide(actor, asked)
        if not decision.allowed:
            refused = refusal(actor, asked, decision)
            refused.asked_by = actor
            raise refused
    groups = wished.groups or account_groups(wished.username)
    return Actor(wished.username, with_login_group(wished.username, groups), wished.uid, wished.extra, via=actor)
