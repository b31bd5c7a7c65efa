"""Everything that can go wrong at an upstream registry, as one tree.

UpstreamError
├── Transient            another try may succeed
│   ├── Unreachable      no connection, none in time, or it was lost
│   ├── Limited          429: slow down
│   └── ServerFault      5xx
└── Permanent            another try will fail, until somebody changes something
    ├── NotFound         404; `codes` says whether manifest, repository or blob is unknown
    ├── Unauthorized     401, or no credential for a registry that wants one
    ├── Denied           403
    ├── Rejected         another 4xx
    ├── NotARegistry     the server does not speak the registry protocol
    ├── Untrusted        TLS failed: certificate, protocol, or no TLS at all
    ├── Malformed        the answer cannot be read, or is too large
    ├── IntegrityError   the content is not what its digest says
    └── Refused          this server may not connect to that address
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

REGISTRY = "registry"
TOKEN = "token"  # noqa: S105 - who answered, no secret


class UpstreamError(Exception):
    """A request to a registry failed.

    `text` is the sentence shown to users, without credentials; `codes` are the error codes of the answer (such as
    MANIFEST_UNKNOWN); `status` is its HTTP status, None when there was none; `answered_by` is `registry` or `token`.
    """

    def __init__(
        self, text: str, *, codes: Sequence[str] = (), status: int | None = None, answered_by: str = REGISTRY
    ) -> None:
        super().__init__(text)
        self.text = text
        self.codes = tuple(codes)
        self.status = status
        self.answered_by = answered_by

    def while_asking(self, request: str) -> Self:
        """Return the same error of the token service, told of the registry request that needed the token."""
        error = copy.copy(self)
        error.text = f"{request}: {self.text}"
        error.args = (error.text,)
        error.answered_by = TOKEN
        return error


class Transient(UpstreamError):
    """A failure that may be gone at the next try; `retry_after` is the wish of the server in seconds, 0 for none."""

    retry_after: int = 0
    is_worth_retrying: bool = True


class Unreachable(Transient):
    """There was no connection, or none in time; `lost` tells that there was one before."""

    def __init__(self, text: str, *, lost: bool = False) -> None:
        super().__init__(text)
        self.is_worth_retrying = lost


class Limited(Transient):
    """The registry asks to slow down (429), or has asked for it lately: then `status` is None, and nothing was sent."""

    def __init__(
        self,
        text: str,
        *,
        retry_after: int = 0,
        codes: Sequence[str] = (),
        status: int | None = 429,
        answered_by: str = REGISTRY,
    ) -> None:
        super().__init__(text, codes=codes, status=status, answered_by=answered_by)
        self.retry_after = retry_after


class ServerFault(Transient):
    """The registry itself failed (5xx)."""

    def __init__(self, text: str, *, status: int = 500, retry_after: int = 0, answered_by: str = REGISTRY) -> None:
        super().__init__(text, status=status, answered_by=answered_by)
        self.retry_after = retry_after
        self.is_worth_retrying = status in (500, 502, 503, 504)


class Permanent(UpstreamError):
    """A failure that stays until somebody changes something."""


class NotFound(Permanent):
    """The manifest, repository or blob is not there, or is not shown to this credential."""


class Unauthorized(Permanent):
    """The credential is missing or was not accepted."""


class Denied(Permanent):
    """The credential does not allow this."""


class Rejected(Permanent):
    """The server did not want the request for another reason (4xx)."""


class NotARegistry(Permanent):
    """What answers at the address is no registry."""


class Untrusted(Permanent):
    """The TLS connection could not be trusted."""


class Malformed(Permanent):
    """The answer cannot be read, or is larger than allowed."""


class IntegrityError(Permanent):
    """The content does not have the digest that it was asked by."""


class Refused(Permanent):
    """The address is one that this server may not connect to."""
