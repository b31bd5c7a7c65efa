"""Requests to the token services of clouds, and what their refusals are told as."""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from imagestreams.upstream.answers import Answer, parsed, redacted
from imagestreams.upstream.errors import TOKEN, Limited, Malformed, ServerFault, Unauthorized, UpstreamError
from imagestreams.upstream.transport import Call, Transport
from imagestreams.upstream.tries import retried
from imagestreams.upstream.values import Deadline

PATIENCE_SECONDS = 15.0
MOST_BYTES = 64 * 1024
SHOWN = 300
SKEW_SECONDS = 120
"""By how much clocks may differ before that is told as a likely cause."""

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "slow_down"}
)
"""What services that answer 400 call their wish to be left alone."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

CHANGING = re.compile(r":? \d{8}T\d{6}Z| Trace ID:")
"""Where words of Amazon and of Microsoft begin to be about one request; a failure that stays must read the same."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a token service: `who` names it in messages, `hide` holds what these must not repeat.

    `is_ours` tells that the address was named by those who run the server, who may name private ones.
    """

    who: str
    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    authorization: str = field(default="", repr=False)
    hide: Sequence[str] = field(default=(), repr=False)
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a token service, and whether those who run the server named it."""

    url: str
    is_ours: bool = False


class Exchange:
    """Asks token services for all threads; `endpoints` are addresses that replace those of the clouds, by name.

    `transport` reaches what users may reach, `inside` also what is next to the server.
    """

    def __init__(
        self, transport: Transport, inside: Transport, *, endpoints: Mapping[str, str], now: Clock = utc_now
    ) -> None:
        self._transport = transport
        self._inside = inside
        self._endpoints = endpoints
        self.now = now

    def trust(self, authorities: Mapping[str, str]) -> None:
        """Trust further authorities (PEM), each with the `host[:port]` that it is given for."""
        for transport in (self._transport, self._inside):
            transport.authorities.add(authorities)

    def endpoint(self, name: str, default: str) -> Endpoint:
        """Return the address of a service."""
        ours = self._endpoints.get(name)
        return Endpoint(ours, True) if ours else Endpoint(default)

    def send(self, ask: Ask, *, deadline: Deadline) -> Answer:
        """Return the successful answer to a request, which is made again while that may help; raises UpstreamError."""
        until = Deadline(PATIENCE_SECONDS, within=deadline)
        return retried(lambda: self._once(ask, until), deadline=until)

    def _once(self, ask: Ask, deadline: Deadline) -> Answer:
        transport = self._inside if ask.is_ours else self._transport
        call = Call(
            ask.method, ask.url, deadline, MOST_BYTES,
            headers={"Accept": "application/json", **ask.headers}, authorization=ask.authorization, body=ask.body,
        )  # fmt: skip
        try:
            answer = transport.send(call)
        except UpstreamError as error:
            error.answered_by = TOKEN
            raise
        if 200 <= answer.status < 300:
            return answer
        raise refusal(answer, ask, now=self.now())


def form(fields: Mapping[str, str]) -> bytes:
    """Return the body of a form, without what is empty."""
    return urlencode({name: value for name, value in fields.items() if value}).encode()


def fields_of(answer: Answer, *, who: str) -> Mapping[str, object]:
    """Return the JSON object that a service answered; raises Malformed."""
    try:
        document = parsed(answer.body)
    except Malformed as error:
        raise Malformed(f"{who}: the answer is no JSON", answered_by=TOKEN) from error
    if not isinstance(document, dict):
        raise Malformed(f"{who}: the answer is no JSON object", answered_by=TOKEN)
    return document


def text_in(fields: Mapping[str, object], name: str, *, who: str) -> str:
    """Return a text of an answer that must be there, fit for a header; raises Malformed."""
    value = fields.get(name)
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        raise Malformed(f"{who}: the answer has no {name}", answered_by=TOKEN)
    return value


def refusal(answer: Answer, ask: Ask, *, now: datetime) -> UpstreamError:
    """Return the error that a refusal of a token service is; its text is short and without secrets."""
    code, words = _said(answer)
    told = redacted(": ".join(part for part in (code, words) if part), ask.hide)[:SHOWN]
    text = f"{ask.who}: {told or answer.status_line}"
    if answer.status == 429 or code in THROTTLED:
        return Limited(text, retry_after=answer.retry_after, status=answer.status, answered_by=TOKEN)
    if answer.status >= 500:
        return ServerFault(text, status=answer.status, retry_after=answer.retry_after, answered_by=TOKEN)
    return Unauthorized(text + _skew(answer, now), status=answer.status, answered_by=TOKEN)


def _skew(answer: Answer, now: datetime) -> str:
    """Return words for a clock that is wrong, by the time that the service gives with its answer (RFC 9110 §6.6.1)."""
    try:
        theirs = email.utils.parsedate_to_datetime(answer.headers.get("Date") or "")
    except ValueError:
        return ""
    ahead = now.timestamp() - theirs.timestamp()
    if abs(ahead) < SKEW_SECONDS:
        return ""
    return f" (the clock of this server is {abs(ahead) / 60:.0f} minutes {'ahead' if ahead > 0 else 'behind'})"


def _said(answer: Answer) -> tuple[str, str]:
    """Return the code and the words of a refusal: those of OAuth 2.0, of AWS, or of a registry."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return _said_in_xml(answer.body.decode(errors="replace"))
    if not isinstance(document, dict):
        return "", ""
    listed = document.get("errors")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        return _text(listed[0].get("code")), _line(_text(listed[0].get("message")))
    error = document.get("error") or document.get("Error")
    if isinstance(error, dict):
        code = _text(error.get("code")) or _text(error.get("Code")) or _text(error.get("status"))
        return code, _line(_text(error.get("message") or error.get("Message")))
    code = _text(error) or _text(document.get("__type")).rpartition("#")[2] or _text(document.get("code"))
    words = document.get("error_description") or document.get("message") or document.get("Message")
    return code, _line(_text(words))


def _said_in_xml(text: str) -> tuple[str, str]:
    return element(text, "Code"), _line(element(text, "Message"))


def element(text: str, name: str) -> str:
    """Return the text of the first element of that name in flat XML, as AWS answers it; empty when there is none."""
    _, begun, rest = text.partition(f"<{name}>")
    content, ended, _ = rest.partition(f"</{name}>")
    if not (begun and ended) or "<" in content:
        return ""
    for entity, meant in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        content = content.replace(entity, meant)
    return content.strip()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _line(text: str) -> str:
    """Return the first line of what was said, up to what would be another text each time."""
    first = text.strip().splitlines()[0] if text.strip() else ""
    return CHANGING.split(first)[0].strip()
