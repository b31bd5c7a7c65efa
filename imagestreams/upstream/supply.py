"""Credentials that are made when they are needed, and again before they end."""

from __future__ import annotations

from typing import Protocol

from imagestreams.upstream.values import Credential, Deadline


class Supply(Protocol):
    """Gives the credential that counts at the moment; both methods raise UpstreamError when there is none.

    `origin` is that of its credentials.
    """

    @property
    def origin(self) -> object:
        """Return a word of whoever gave it."""

    def credential(self, *, deadline: Deadline) -> Credential:
        """Return the credential of the moment."""

    def renewed(self, refused: Credential, *, deadline: Deadline) -> Credential | None:
        """Return another one in place of one that was refused; None when another would be no better."""


Offer = Credential | Supply | None
"""What may be tried at a registry: a credential, one that is made first, or none."""
