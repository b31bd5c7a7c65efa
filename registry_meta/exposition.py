"""What `/metrics` answers: the sum over all processes of the host, and what only the database knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from imagestreams.imports import pauses
from imagestreams.imports import queue as imports
from imagestreams.imports.backlog import backlog_at
from imagestreams.triggers import queue as deliveries
from registry_meta import counters
from registry_meta.kube import changes, consumers, meta

PAUSED_HOSTS = 100
"""The most registries that are told of by name."""


class Processes(Collector):
    """Sums what the processes have counted."""

    def collect(self) -> Iterator[Metric]:
        """Yield each metric that any process has counted."""
        yield from MultiProcessCollector.merge(counters.files(settings.COUNTERS))  # type: ignore[no-untyped-call]  # has none


class Backlog(Collector):
    """Asks the database how much work lies there."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; the numbers are those of the whole installation, whichever host answers."""
        newest = GaugeMetricFamily("registry_meta_change_log_version", "The newest version of the change log.")
        newest.add_metric([], changes.newest())
        yield newest
        lag = GaugeMetricFamily(
            "registry_meta_consumer_lag", "Versions that a reader of the change log is behind.", labels=["consumer"]
        )
        for name, behind in sorted(consumers.lag().items()):
            lag.add_metric([name], behind)
        yield lag
        depth = GaugeMetricFamily("registry_meta_queue_depth", "Work that is to be done.", labels=["queue"])
        depth.add_metric(["deliveries"], deliveries.depth())
        depth.add_metric(["imports"], imports.depth(meta.now()))
        yield depth
        yield from _schedule(meta.now())


def _schedule(now: datetime) -> Iterator[Metric]:
    """Yield how far the clock is behind, and which registries it leaves alone."""
    backlog = backlog_at(now)
    for name, text, value in (
        ("tags", "Tags that the clock looks after.", backlog.tags),
        ("due", "Tags whose time to be looked at has come, at registries that may be asked.", backlog.due),
        ("lag_seconds", "Seconds since the first of them was due.", backlog.lag),
    ):
        gauge = GaugeMetricFamily(f"registry_meta_schedule_{name}", text)
        gauge.add_metric([], value)
        yield gauge
    paused = GaugeMetricFamily(
        "registry_meta_schedule_paused_seconds", "Seconds for which a registry is left alone yet.", labels=["host"]
    )
    # Whoever may import makes up names of hosts: the series are bounded.
    for host, until in sorted(pauses.paused(now).items(), key=lambda entry: entry[1], reverse=True)[:PAUSED_HOSTS]:
        paused.add_metric([host], (until - now).total_seconds())
    yield paused


registry = CollectorRegistry(auto_describe=False)
registry.register(Processes())
registry.register(Backlog())


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer /metrics in the text format of Prometheus."""
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
