"""The client of upstream registries, as the settings want it."""

from __future__ import annotations

import time
from functools import lru_cache

from django.conf import settings

from imagestreams import metrics
from imagestreams.imports import budgets
from imagestreams.upstream.budget import Budget, Pace, Standing
from imagestreams.upstream.client import Limits, UpstreamClient

MOST_HOSTS = 200
"""How many registries the metrics tell apart: whoever may import can make up names of hosts."""

_shown: set[str] = set()


def _show(host: str, standing: Standing) -> None:
    """Let the metrics say what is known of a registry; moments are seconds from now."""
    if host not in _shown and len(_shown) >= MOST_HOSTS:
        return
    _shown.add(host)
    if standing.believed_until:
        metrics.QUOTA_REMAINING.labels(host).set(standing.remaining)
    closed = max(standing.stopped_until, standing.pulls_until)
    if closed:
        metrics.LIMITED_UNTIL.labels(host).set(time.time() + closed)


@lru_cache(maxsize=1)
def budget() -> Budget:
    """Return what lets the requests of this process through to upstream registries."""
    environment = settings.ENVIRONMENT
    pace = Pace(environment.upstream_requests_per_second)
    return Budget(budgets.ledger(environment.redis_url), pace=pace, observe=_show)


@lru_cache(maxsize=2)
def upstream_client(*, background: bool = False) -> UpstreamClient:
    """Return the client of this process, whose connections and tokens all imports share.

    In the `background` is the schedule, which lets people go first.
    """
    if background:
        return upstream_client().in_background()
    environment = settings.ENVIRONMENT
    return UpstreamClient(
        limits=Limits(
            per_host=environment.upstream_concurrency,
            connect_seconds=environment.upstream_connect_timeout,
            read_seconds=environment.upstream_read_timeout,
            total_seconds=environment.upstream_timeout,
        ),
        allow_private=environment.allow_private_networks,
        allowed=environment.upstream_allowed_networks,
        ca_bundle=environment.upstream_ca_bundle or None,
        budget=budget(),
    )
