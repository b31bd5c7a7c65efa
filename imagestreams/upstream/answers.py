"""What a server answered, and which error that is (distribution specification, "Error Codes")."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from urllib3 import HTTPHeaderDict

from imagestreams.upstream import challenge
from imagestreams.upstream.bodies import Stream
from imagestreams.upstream.errors import (
    REGISTRY,
    Denied,
    Limited,
    Malformed,
    NotFound,
    Permanent,
    Rejected,
    ServerFault,
    Unauthorized,
    UpstreamError,
)

DEFAULT_MESSAGES = {
    "UNKNOWN": "unknown error",
    "UNSUPPORTED": "The operation is unsupported.",
    "UNAUTHORIZED": "authentication required",
    "DENIED": "requested access to the resource is denied",
    "UNAVAILABLE": "service unavailable",
    "TOOMANYREQUESTS": "too many requests",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "SIZE_INVALID": "provided length did not match content length",
    "RANGE_INVALID": "invalid content range",
    "NAME_INVALID": "invalid repository name",
    "TAG_INVALID": "manifest tag did not match URI",
    "NAME_UNKNOWN": "repository name not known to registry",
    "MANIFEST_UNKNOWN": "manifest unknown",
    "MANIFEST_INVALID": "manifest invalid",
    "MANIFEST_UNVERIFIED": "manifest failed signature verification",
    "MANIFEST_BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "BLOB_UPLOAD_INVALID": "blob upload invalid",
    "PAGINATION_NUMBER_INVALID": "invalid number of results requested",
}
CODE_OF_STATUS = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}
CODE_OF_BEARER = {"invalid_token": "UNAUTHORIZED", "insufficient_scope": "DENIED"}
ERRORS: dict[int, type[Permanent]] = {401: Unauthorized, 403: Denied, 404: NotFound}
SHOWN_BODY = 1024
SHOWN_TEXT = 4096
SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `url` is that of the last redirect, `body` decoded and read to its end, unless there is a `stream`.

    `limit` is what others said of a limit, for an answer that tells of one and cannot have a body.
    """

    url: str
    status: int
    reason: str
    headers: HTTPHeaderDict
    body: bytes
    stream: Stream | None = None
    limit: str = ""

    @property
    def status_line(self) -> str:
        """The status with its words, as in `404 Not Found`."""
        reason = self.reason or (HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "")
        return f"{self.status} {reason}".strip()

    @property
    def challenges(self) -> tuple[challenge.Challenge, ...]:
        """What the server wants to see first."""
        return challenge.parse(self.headers.getlist("WWW-Authenticate"))

    @property
    def retry_after(self) -> int:
        """The seconds that the server wants to be left alone, 0 when it does not say (RFC 9110 §10.2.3)."""
        text = (self.headers.get("Retry-After") or "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        try:
            return max(0, round(email.utils.parsedate_to_datetime(text).timestamp() - time.time()))
        except (ValueError, TypeError, OverflowError):
            return 0


def parsed(body: bytes) -> object:
    """Return the value of a JSON text; raises Malformed, also for a text that is nested too deep."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(_json_fault(body, error)) from error


def _json_fault(body: bytes, error: Exception) -> str:
    text = body.decode(errors="replace").strip()
    if not text:
        return "unexpected end of JSON input"
    if isinstance(error, RecursionError):
        return "exceeded max depth"
    if text[0] not in '{["-0123456789tfn':
        return f"invalid character '{text[0]}' looking for beginning of value"
    return str(error)


@dataclass(frozen=True, slots=True)
class _Said:
    """One error as the server tells it."""

    code: str
    message: str = ""

    def __str__(self) -> str:
        words = self.code.lower().replace("_", " ")
        return f"{words}: {self.message}" if self.message else words


def failure(answer: Answer, *, hide: Sequence[str] = (), answered_by: str = REGISTRY) -> UpstreamError:
    """Return the error that an answer without success is; `hide` holds the secrets that its text must not repeat."""
    status = answer.status
    if not 400 <= status < 500:
        text = f"received unexpected HTTP status: {answer.status_line}"
        if status >= 500:
            return ServerFault(text, status=status, retry_after=answer.retry_after, answered_by=answered_by)
        return Malformed(text, status=status, answered_by=answered_by)
    if answer.limit:
        codes = [CODE_OF_STATUS[429]]
        return Limited(answer.limit, retry_after=answer.retry_after, codes=codes, answered_by=answered_by)
    said, text = _told(answer)
    text = redacted(text, hide)[:SHOWN_TEXT]
    codes = [error.code for error in said]
    if status == 429:
        return Limited(text, retry_after=answer.retry_after, codes=codes, answered_by=answered_by)
    kind = ERRORS.get(status, Rejected)
    return kind(text, codes=codes, status=status, answered_by=answered_by)


def redacted(text: str, secrets: Sequence[str]) -> str:
    """Return a text in which secrets that a server echoed are replaced; very short ones cannot be told from words."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[hidden]")
    return text


def _told(answer: Answer) -> tuple[list[_Said], str]:
    """Return the errors that a 4xx answer tells, and the text for all of them."""
    refusals = _refusals(answer) if answer.status == 401 else []
    try:
        said = _listed(answer)
    except Malformed as fault:
        if refusals:
            return refusals, _joined(refusals)
        if answer.status == 401:
            unauthorized = _Said("UNAUTHORIZED", DEFAULT_MESSAGES["UNAUTHORIZED"])
            return [unauthorized], str(unauthorized)
        body = json.dumps(answer.body[:SHOWN_BODY].decode(errors="replace"), ensure_ascii=False)
        return [], f"error parsing HTTP {answer.status} response body: {fault.text}: {body}"
    return refusals + said, _joined(refusals + said)


def _joined(said: Sequence[_Said]) -> str:
    if len(said) == 1:
        return str(said[0])
    return "".join(["errors:\n", *(f"{error}\n" for error in said)])


def _refusals(answer: Answer) -> list[_Said]:
    """Return what the challenges of a 401 say of the token that was sent (RFC 6750 §3)."""
    found = []
    for item in answer.challenges:
        code = CODE_OF_BEARER.get(item["error"]) if item.scheme == "bearer" else None
        if code:
            found.append(_Said(code, item["error_description"] or DEFAULT_MESSAGES[code]))
    return found


def _listed(answer: Answer) -> list[_Said]:
    """Return the errors in a body; raises Malformed when there are none."""
    document = parsed(answer.body)
    if not isinstance(document, dict):
        raise Malformed("no error details found in HTTP response body")
    details = document.get("details")
    if isinstance(details, str) and details:
        return [_Said(CODE_OF_STATUS.get(answer.status, "UNKNOWN"), details)]
    listed = document.get("errors")
    said = [_said(item) for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    if not said:
        raise Malformed("no error details found in HTTP response body")
    return said


def _said(item: dict[str, object]) -> _Said:
    code, message = item.get("code"), item.get("message")
    code = code if isinstance(code, str) and code in DEFAULT_MESSAGES else "UNKNOWN"
    message = message if isinstance(message, str) else ""
    is_plain = item.get("detail") is None and message in ("", DEFAULT_MESSAGES[code])
    return _Said(code, "" if is_plain else message)
