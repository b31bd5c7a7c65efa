"""What workers do for namespaces, quotas, events, roles and tokens."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from authz import accesstokens, aggregation, lifecycle, quotas, signingkeys, tokens
from authz.api import events
from authz.api.clusterroles import CLUSTER_ROLES
from authz.oauth import codes, guesses, sessions
from registry_meta.kube import meta


@shared_task
def sweep_namespaces() -> None:
    """Finish the namespaces that are going, and furnish those that lack something; hinted, and every few seconds."""
    lifecycle.sweep(meta.now())


@shared_task
def sweep_quotas() -> None:
    """Bring up to date what quotas say is used; hinted, and every few seconds."""
    quotas.recount.sweep(meta.now())


@shared_task
def sweep_events() -> None:
    """Drop the events whose time is over; every minute."""
    now = meta.now()
    events.sweep(now - timedelta(seconds=settings.ENVIRONMENT.event_ttl), now=now)


@shared_task
def settle_roles() -> None:
    """Bring cluster roles that are sums up to date, in case a process died before it did; every minute."""
    aggregation.settle(CLUSTER_ROLES, CLUSTER_ROLES.storage.strategy, now=meta.now())


@shared_task
def sweep_tokens() -> None:
    """Drop the tokens that ended, those of programs long ago, and the signing keys that none needs; every hour."""
    now = meta.now()
    tokens.sweep(now)
    accesstokens.sweep(now)
    signingkeys.sweep(now)


@shared_task
def sweep_logins() -> None:
    """Drop codes, sessions and counts of wrong passwords that are over; every hour."""
    now = meta.now()
    codes.sweep(now)
    guesses.sweep(now)
    sessions.sweep()
