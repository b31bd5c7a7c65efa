"""The programs that people log in with, as the OAuth server knows them."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from authz.api.oauthclients import AUTO, OAUTH_CLIENTS, OAuthClient, excess
from registry_meta.kube import store
from registry_meta.kube.validation import path_segment

DAY = 86_400
"""The seconds that a token lives whose client says nothing else."""

LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Client:
    """A program: where it may send browsers, what it may ask for, and how it proves who it is."""

    declared: OAuthClient = field(repr=False)

    @property
    def name(self) -> str:
        """How the client calls itself."""
        return self.declared.metadata.name

    @property
    def redirect_uris(self) -> Sequence[str]:
        """The addresses to which browsers may be sent back."""
        return self.declared.redirect_uris or ()

    @property
    def is_trusted(self) -> bool:
        """Whether nobody is asked before the client gets a token of his."""
        return self.declared.grant_method == AUTO

    @property
    def challenges(self) -> bool:
        """Whether programs that act for the client are asked for a name and a password without a page."""
        return self.declared.respond_with_challenges

    @property
    def lifetime(self) -> int:
        """The seconds that a token of the client lives; 0 for ever."""
        seconds = self.declared.access_token_max_age_seconds
        return DAY if seconds is None else seconds

    def excess(self, scopes: Sequence[str]) -> str:
        """Return why the client may not ask for scopes; nothing when it may."""
        return excess(self.declared, scopes)

    def proves_itself(self, secret: str) -> bool:
        """Return whether a secret is one of the client's; a public client has none, and must show none."""
        known = [each for each in (self.declared.secret, *(self.declared.additional_secrets or ())) if each]
        if not known:
            return not secret
        matches = [hmac.compare_digest(secret.encode(), each.encode()) for each in known]
        return any(matches)


def find(name: str) -> Client | None:
    """Return the client of a name."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or path_segment(name):
        return None
    stored = store.find(OAUTH_CLIENTS, "", name)
    return Client(stored.object()) if stored is not None else None
