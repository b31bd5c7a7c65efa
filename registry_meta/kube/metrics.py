"""What is counted of requests, under the names that Kubernetes gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from registry_meta.kube.catalog import catalog
from registry_meta.kube.request import RequestInfo

VERBS = {
    "get": "GET",
    "list": "LIST",
    "watch": "WATCH",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETECOLLECTION",
    "post": "POST",
    "put": "PUT",
    "head": "HEAD",
}
"""An RBAC verb, or the method of a path that is no resource → the verb as it is counted."""

LABELS = ("verb", "group", "version", "resource", "subresource", "scope")
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)

REQUESTS = Counter(
    "apiserver_request_total", "Requests that were answered; a watch counts when it begins.",
    (*LABELS, "code"), registry=None,
)  # fmt: skip
DURATIONS = Histogram(
    "apiserver_request_duration_seconds", "How long requests took that were no watches.",
    LABELS, registry=None, buckets=BUCKETS,
)  # fmt: skip
IN_FLIGHT = Gauge(
    "apiserver_current_inflight_requests", "Requests that are being answered, without watches and imports.",
    ("request_kind",), registry=None, multiprocess_mode="livesum",
)  # fmt: skip
LONG_RUNNING = Gauge(
    "apiserver_longrunning_requests", "Watches that are open, and imports that are being answered.",
    LABELS, registry=None, multiprocess_mode="livesum",
)  # fmt: skip
WATCHERS = Gauge(
    "apiserver_registered_watchers", "Watches that follow the change log.",
    ("group", "resource"), registry=None, multiprocess_mode="livesum",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Series:
    """Where requests of one sort are counted; finding it by its labels each time would take as long as counting.

    Of watches the duration is not told.
    """

    requests: Counter
    durations: Histogram | None


_known: dict[tuple[str, ...], Series] = {}


def count(info: RequestInfo, code: int, seconds: float) -> None:
    """Count a request that was answered."""
    key = (info.verb, info.group, info.version, info.resource, info.subresource, scope(info), str(code))
    series = _known.get(key)
    if series is None:
        labels = described(info)
        series = Series(
            REQUESTS.labels(*labels, str(code)), DURATIONS.labels(*labels) if info.verb != "watch" else None
        )
        if not info.is_resource or labels[3]:
            # What clients make up is not remembered.
            _known[key] = series
    series.requests.inc()
    if series.durations is not None:
        series.durations.observe(seconds)


def scope(info: RequestInfo) -> str:
    """Return what a request is about: one object (`resource`), a `namespace`, the `cluster`, or no object at all."""
    if not info.is_resource:
        return ""
    if info.name and info.verb not in ("list", "watch"):
        return "resource"
    return "namespace" if info.namespace else "cluster"


def described(info: RequestInfo) -> tuple[str, ...]:
    """Return the labels of a request; a kind that there is not has none, so that nobody can make up series."""
    verb = VERBS.get(info.verb, "OTHER")
    resource = catalog.find(info.group, info.version, info.resource) if info.is_resource else None
    if resource is None:
        return (verb, "", "", "", "", scope(info))
    subresource = info.subresource if resource.subresource(info.subresource) else ""
    return (verb, info.group, info.version, info.resource, subresource, scope(info))


@contextmanager
def long_running(info: RequestInfo) -> Iterator[None]:
    """Count a request among those that take long, for as long as it takes."""
    gauge = LONG_RUNNING.labels(*described(info))
    gauge.inc()
    try:
        yield
    finally:
        gauge.dec()


def held(info: RequestInfo, frames: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the frames of a watch, which counts among the long ones from the first to the last."""
    with long_running(info):
        yield from frames


@contextmanager
def watching(group: str, resource: str) -> Iterator[None]:
    """Count a watch that follows the change log."""
    gauge = WATCHERS.labels(group, resource)
    gauge.inc()
    try:
        yield
    finally:
        gauge.dec()
