"""What makes credentials of a cloud's registries: one small interface for all clouds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from imagestreams.upstream.values import Credential, Deadline


@dataclass(frozen=True, slots=True)
class Minted:
    """A credential that was made, and for how many seconds it counts."""

    credential: Credential
    seconds: float


class Minter(Protocol):
    """Makes credentials for one identity; both methods raise UpstreamError."""

    def reach(self, host: str) -> str:
        """Return what a credential for a host is good for: hosts with the same reach share one."""

    def mint(self, host: str, *, deadline: Deadline) -> Minted:
        """Return a new credential for a registry."""
