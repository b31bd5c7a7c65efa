"""One HTTP request to a server out there: within its limits, over redirects, and never with a secret too many."""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urldefrag, urljoin, urlsplit

import urllib3
from requests.utils import get_environ_proxies, select_proxy

from imagestreams.upstream import quotas
from imagestreams.upstream.adapter import Adapter, Session
from imagestreams.upstream.answers import Answer
from imagestreams.upstream.bodies import ERROR_BYTES, FAULTS, Body, Stream
from imagestreams.upstream.budget import Asker, Budget, LocalLedger, Pace
from imagestreams.upstream.errors import Malformed, Refused, Unreachable, UpstreamError
from imagestreams.upstream.failures import failure_of, request_line, shown
from imagestreams.upstream.guard import Guard
from imagestreams.upstream.values import Deadline, Limits
from imagestreams.upstream.watchdog import Patience, Watch, Watchdog

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 10

Origin = tuple[str, str, int | None]


def origin(url: str) -> Origin:
    """Return scheme, host and port of a URL; raises Malformed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Malformed(f"{shown(url)}: the URL is malformed") from error
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port or default


def join(base: str, url: str) -> str:
    """Return a URL as it is meant at another one; raises Malformed."""
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise Malformed(f"{shown(base)} leads to a URL that is malformed") from error


@dataclass(frozen=True, slots=True)
class Call:
    """A request: what to ask, until when, and how many bytes the answer may have.

    `insecure` accepts any certificate and plain http. A `form` or a `body` is sent along, and follows no redirects.
    `payer` says whose quota is used. With `stream` a successful answer is read by whoever asked, from `Answer.stream`.
    `told` returns the error that a refusal is: its words are for all who may not ask meanwhile, unless they hold one of
    the `private` names.
    """

    method: str
    url: str
    deadline: Deadline
    limit: int
    insecure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str = field(default="", repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    payer: str = ""
    stream: bool = False
    told: Callable[[Answer], UpstreamError] | None = field(default=None, repr=False)
    private: tuple[str, ...] = ()


class Transport:
    """Sends requests for all threads of a process, at most `limits.per_host` at a time to one host.

    How many in a time is up to a budget, which other processes may share. `direct` leaves out the proxies of the
    environment.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        guard: Guard,
        ca_bundle: Path | None,
        user_agent: str,
        budget: Budget | None = None,
        direct: bool = False,
    ) -> None:
        self._limits = limits
        self._budget = budget or Budget(LocalLedger(), pace=Pace(limits.per_second))
        self._is_background = False
        self._guard = guard
        self._user_agent = user_agent
        self._direct = direct
        adapter = Adapter(connections=limits.per_host, guard=guard, ca_bundle=ca_bundle)
        self.authorities = adapter.authorities
        self._session = Session(adapter)
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._slots: dict[str, threading.BoundedSemaphore] = defaultdict(
            lambda: threading.BoundedSemaphore(limits.per_host)
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def in_background(self) -> Self:
        """Return the same transport for work that nobody waits for: its requests let others go first."""
        other = copy.copy(self)
        other._is_background = True
        return other

    def send(self, call: Call) -> Answer:
        """Return the answer to a request, whatever its status; raises UpstreamError when there is none.

        The authorization goes to the first server only: a redirect to another scheme, host or port drops it.
        """
        url, authorization = call.url, call.authorization
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._send_once(call, url, authorization)
            if answer.status not in REDIRECTS or call.form is not None or call.body is not None:
                return answer
            url = _redirected(call, answer)
            if origin(url) != origin(call.url):
                authorization = ""
        raise Malformed(f"{request_line(call.method, url)}: stopped after {MOST_REDIRECTS} redirects")

    def _send_once(self, call: Call, url: str, authorization: str) -> Answer:
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **call.headers}
        if authorization:
            headers["Authorization"] = authorization
        asker = self._asker(call, url)
        self._budget.admit(asker, deadline=call.deadline)
        with ExitStack() as held:
            held.enter_context(self._slot(call, url))
            watch = self._watchdog.watch(call.deadline)
            held.callback(watch.end)
            try:
                answer = self._exchange(call, url, headers, held, watch)
            except FAULTS as error:
                if watch.was_cut:
                    raise Unreachable(f"{request_line(call.method, url)}: context deadline exceeded") from None
                # Not chained: what the libraries say may hold a signed URL or a header.
                raise failure_of(error, method=call.method, url=url) from None
        return self._heard(asker, call, answer)

    def _heard(self, asker: Asker, call: Call, answer: Answer) -> Answer:
        """Return an answer that the budget knows of; one to a HEAD has no words for a limit, and gets those of all."""
        news = quotas.news(answer, counted=asker.counted)
        if news is None or news.stop is None:
            self._budget.heard(asker, news)
            return answer
        is_mute = call.method == "HEAD" and answer.status == 429
        limit = self._budget.heard(asker, news if is_mute else replace(news, words=_words(call, answer)))
        return replace(answer, limit=limit) if is_mute else answer

    def _asker(self, call: Call, url: str) -> Asker:
        """Return who asks a host for what; somewhere else than at first nobody is known."""
        is_first = origin(url) == origin(call.url)
        is_pull = call.method == "GET" and "/manifests/" in urlsplit(url).path
        payer = call.payer if is_first else ""
        return Asker(urlsplit(url).netloc.rpartition("@")[2].lower(), payer, is_pull, self._is_background)

    @contextmanager
    def _slot(self, call: Call, url: str) -> Iterator[None]:
        """Hold one of the places at a host; raises Unreachable when none gets free in time."""
        with self._lock:
            slot = self._slots[urlsplit(url).netloc]
        if not slot.acquire(timeout=call.deadline.remaining()):
            raise Unreachable(f"{request_line(call.method, url)}: too many requests to the registry are waiting")
        try:
            yield
        finally:
            slot.release()

    def _exchange(self, call: Call, url: str, headers: Mapping[str, str], held: ExitStack, watch: Watch) -> Answer:
        remaining = call.deadline.remaining()
        if not remaining:
            raise Unreachable(f"{request_line(call.method, url)}: context deadline exceeded")
        proxies = {} if self._direct else get_environ_proxies(url)
        if select_proxy(url, proxies):
            _, host, port = origin(url)
            self._guard.check(host, port or 443)
        connect, read = (
            min(seconds, remaining) for seconds in (self._limits.connect_seconds, self._limits.read_seconds)
        )
        patience = Patience(connect=connect, read=read, watch=watch)
        response = self._session.request(
            call.method,
            url,
            headers=headers,
            data=call.form if call.body is None else call.body,
            proxies=proxies,
            verify=not call.insecure,
            allow_redirects=False,
            stream=True,
            timeout=patience,  # type: ignore[arg-type]  # the stubs do not know that it may be urllib3's
        )
        raw: urllib3.HTTPResponse = held.enter_context(response).raw
        is_success = 200 <= raw.status < 300
        limit = call.limit if is_success else ERROR_BYTES
        body = Body(raw, call.method, url, limit=limit, deadline=call.deadline)
        if is_success and call.stream:
            stream = Stream(body, held.pop_all(), watch, call.method, url)
            return Answer(url, raw.status, raw.reason or "", raw.headers, b"", stream)
        return Answer(url, raw.status, raw.reason or "", raw.headers, body.whole() if is_success else body.start())


def _words(call: Call, answer: Answer) -> str:
    """Return what all are told who may not ask after a refusal: nothing that is the business of one of them alone."""
    text = call.told(answer).text if call.told is not None else ""
    return "" if any(name and name in text for name in call.private) else text


def _redirected(call: Call, answer: Answer) -> str:
    """Return where a redirect leads; raises Malformed, or Refused when it gives up encryption."""
    where = answer.headers.get("Location")
    if not where:
        raise Malformed(f"{request_line(call.method, answer.url)}: {answer.status} response missing Location header")
    url = urldefrag(join(answer.url, where)).url
    check_scheme(url, base=answer.url, insecure=call.insecure)
    return url


def check_scheme(url: str, *, base: str, insecure: bool) -> None:
    """Raise unless a URL that a server named may be followed: http only from http, or when insecure."""
    scheme, host, _ = origin(url)
    if scheme not in ("http", "https") or not host:
        raise Malformed(f"{shown(base)} leads to {shown(url)}, which is no HTTP URL")
    if scheme == "http" and origin(base)[0] == "https" and not insecure:
        raise Refused(f"{shown(base)} leads to {shown(url)}, which is not encrypted")
