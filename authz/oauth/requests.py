"""What a request at the authorization endpoint asks for, and what is wrong with it (RFC 6749, section 4); pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from authz import scopes as limits
from authz.oauth import pkce, redirects
from authz.oauth.clients import Client

CODE = "code"
TOKEN = "token"  # noqa: S105  # a word of the protocol
RESPONSE_TYPES = (CODE, TOKEN)

LONGEST_STATE = 4096
LONGEST_SCOPE = 2048

PARAMETERS = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)

Query = Mapping[str, Sequence[str]]
"""The values of each parameter of a request."""

Find = Callable[[str], Client | None]
"""Returns the client of a name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be granted once it is known who asks."""

    client: Client
    redirect_uri: str
    response_type: str
    scopes: tuple[str, ...]
    state: str = ""
    challenge: str = ""
    challenge_method: str = ""

    def back(self, answer: Mapping[str, str]) -> str:
        """Return the address of an answer, in which the client finds its state again."""
        answer = {**answer, "state": self.state}
        put = redirects.in_fragment if self.response_type == TOKEN else redirects.in_query
        return put(self.redirect_uri, answer)


class Refused(Exception):
    """A request whose client or address is not good, so that nobody is sent anywhere (RFC 6749, section 4.1.2.1)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class Rejected(Exception):
    """A request of a good client that is not granted; `location` is the address that says so to the client."""

    def __init__(self, asked: Asked, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.location = asked.back({"error": error, "error_description": description})


def read(query: Query, find: Find) -> Asked:
    """Return what a query asks for; raises Refused and Rejected."""
    client = _client(query, find)
    redirect_uri = _single(query, "redirect_uri")
    if not redirects.is_registered(redirect_uri, client.redirect_uris):
        raise Refused("invalid_request", "The redirect_uri is not one that the client is registered with.")
    asked = Asked(
        client=client,
        redirect_uri=redirect_uri,
        response_type=_first(query, "response_type"),
        scopes=tuple(_first(query, "scope").split()) or (limits.FULL,),
        state=_first(query, "state")[:LONGEST_STATE],
        challenge=_first(query, "code_challenge"),
        challenge_method=_first(query, "code_challenge_method") or pkce.PLAIN,
    )
    for error, description in _problems(query, asked):
        raise Rejected(asked, error, description)
    return asked


def _client(query: Query, find: Find) -> Client:
    name = _single(query, "client_id")
    client = find(name) if name else None
    if client is None:
        raise Refused("unauthorized_client", "The client_id is that of no client.")
    return client


def _problems(query: Query, asked: Asked) -> list[tuple[str, str]]:
    """Return what keeps a request of a good client from being granted, the error first and then the words for it."""
    repeated = [name for name in PARAMETERS if len(query.get(name, ())) > 1]
    if repeated:
        return [("invalid_request", f"{repeated[0]} is given more than once")]
    if len(_first(query, "state")) > LONGEST_STATE:
        return [("invalid_request", f"state is longer than {LONGEST_STATE} characters")]
    if asked.response_type not in RESPONSE_TYPES:
        return [("unsupported_response_type", "response_type must be code or token")]
    return _proof_problems(asked) or _scope_problems(asked)


def _proof_problems(asked: Asked) -> list[tuple[str, str]]:
    if asked.challenge:
        why = pkce.problem(asked.challenge, asked.challenge_method)
        return [("invalid_request", why)] if why else []
    if redirects.is_native(asked.redirect_uri):
        # Another program may listen there, so a code alone must be worth nothing (RFC 8252, section 8.1).
        if asked.response_type == TOKEN:
            return [("unauthorized_client", "a client on the machine of the browser must ask for a code")]
        return [("invalid_request", "a client on the machine of the browser must send a code_challenge")]
    return []


def _scope_problems(asked: Asked) -> list[tuple[str, str]]:
    if sum(map(len, asked.scopes)) > LONGEST_SCOPE:
        return [("invalid_scope", f"scope is longer than {LONGEST_SCOPE} characters")]
    found = [problem.message for problem in limits.problems(asked.scopes, "scope")]
    why = next(iter(found), "") or asked.client.excess(asked.scopes)
    return [("invalid_scope", why)] if why else []


def _first(query: Query, name: str) -> str:
    return next(iter(query.get(name, ())), "")


def _single(query: Query, name: str) -> str:
    """Return the value of a parameter that decides where browsers go; raises Refused when there are two."""
    values = query.get(name, ())
    if len(values) > 1:
        raise Refused("invalid_request", f"The parameter {name} is given more than once.")
    return values[0] if values else ""
