"""The mint of this process: what makes its credentials of cloud registries."""

from __future__ import annotations

import os
from functools import lru_cache

from django.conf import settings

from imagestreams import metrics
from imagestreams.minting import minters
from imagestreams.minting.identities import Identity, cloud_of
from imagestreams.minting.mint import Mint, Outcome
from imagestreams.minting.minters import Surroundings
from imagestreams.upstream.guard import Guard
from imagestreams.upstream.values import Limits


@lru_cache(maxsize=1)
def mint() -> Mint:
    """Return the mint that all imports of this process share."""
    environment = settings.ENVIRONMENT
    endpoints = dict(item.split("=", 1) for item in environment.cloud_endpoints)
    return minters.mint(
        Surroundings(os.environ, endpoints, environment.cloud_metadata),
        limits=Limits(per_host=environment.upstream_concurrency),
        guard=Guard.allowing(environment.upstream_allowed_networks, anything=environment.allow_private_networks),
        ca_bundle=environment.upstream_ca_bundle or None,
        tell=_count,
    )


def _count(identity: Identity, outcome: Outcome) -> None:
    metrics.CLOUD_CREDENTIALS.labels(cloud_of(identity).name.lower(), outcome.value).inc()
