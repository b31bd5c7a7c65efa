"""How a registry host is reached: https or http, and what it wants to see first (distribution specification, "API
Version Check")."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from imagestreams.upstream.answers import Answer, failure
from imagestreams.upstream.bodies import ERROR_BYTES
from imagestreams.upstream.challenge import Challenge
from imagestreams.upstream.errors import Limited, NotARegistry, ServerFault, Unreachable, Untrusted, UpstreamError
from imagestreams.upstream.failures import request_line
from imagestreams.upstream.transport import Call, Transport
from imagestreams.upstream.values import Deadline

PING_SECONDS = 15.0
REMEMBERED_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registry that answered: its base URL without a final slash, and its challenges."""

    base: str
    challenges: tuple[Challenge, ...]


class Endpoints:
    """The registries that answered lately; each is asked once, by one thread, while the others wait for the answer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: dict[tuple[str, bool], tuple[float, Endpoint]] = {}
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, bool], threading.Lock] = defaultdict(threading.Lock)

    def find(self, host: str, *, insecure: bool, deadline: Deadline) -> Endpoint:
        """Return how to reach `host[:port]`; raises UpstreamError, which is not remembered."""
        key = (host, insecure)
        found = self._remembered(key)
        if found is not None:
            return found
        with self._alone(key, deadline):
            found = self._remembered(key)
            if found is None:
                found = self._ask(host, insecure=insecure, deadline=deadline)
                with self._lock:
                    self._known[key] = (time.monotonic() + REMEMBERED_SECONDS, found)
        return found

    def forget(self, host: str, *, insecure: bool) -> None:
        """Ask the host again at the next occasion, because it did not work."""
        with self._lock:
            self._known.pop((host, insecure), None)

    def _remembered(self, key: tuple[str, bool]) -> Endpoint | None:
        with self._lock:
            until, endpoint = self._known.get(key, (0.0, None))
        return endpoint if until > time.monotonic() else None

    @contextmanager
    def _alone(self, key: tuple[str, bool], deadline: Deadline) -> Iterator[None]:
        with self._lock:
            asking = self._asking[key]
        if not asking.acquire(timeout=deadline.remaining()):
            raise Unreachable(f"{request_line('GET', f'https://{key[0]}/v2/')}: context deadline exceeded")
        try:
            yield
        finally:
            asking.release()

    def _ask(self, host: str, *, insecure: bool, deadline: Deadline) -> Endpoint:
        if not insecure:
            return self._ping(f"https://{host}", insecure=False, deadline=deadline)
        with suppress(Unreachable, Untrusted):
            return self._ping(f"https://{host}", insecure=True, deadline=deadline)
        return self._ping(f"http://{host}", insecure=True, deadline=deadline)

    def _ping(self, base: str, *, insecure: bool, deadline: Deadline) -> Endpoint:
        patience = Deadline(PING_SECONDS, within=deadline)
        told = partial(_told, base)
        answer = self._transport.send(Call("GET", f"{base}/v2/", patience, ERROR_BYTES, insecure, told=told))
        if _speaks_v2(answer):
            return Endpoint(base, answer.challenges if answer.status == 401 else ())
        raise _told(base, answer)


def _speaks_v2(answer: Answer) -> bool:
    is_known = bool(answer.headers.get("Docker-Distribution-Api-Version"))
    return is_known or 200 <= answer.status < 300 or answer.status in (401, 403)


def _told(base: str, answer: Answer) -> UpstreamError:
    """Return the error that an answer is, in the words of whoever makes it one."""
    return failure(answer) if _speaks_v2(answer) else _no_registry(base, answer)


def _no_registry(base: str, answer: Answer) -> UpstreamError:
    text = f'endpoint "{base}" does not support v2 API (got {answer.status_line})'
    if answer.status == 429:
        return Limited(text, retry_after=answer.retry_after)
    if answer.status >= 500:
        return ServerFault(text, status=answer.status, retry_after=answer.retry_after)
    return NotARegistry(text, status=answer.status)
