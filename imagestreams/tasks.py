"""What workers do when the image configuration of the cluster changes."""

from __future__ import annotations

from celery import shared_task

from imagestreams import addresses
from registry_meta.kube import meta


@shared_task
def sweep_addresses() -> None:
    """Let streams tell of the hosts of the registry that are in force; hinted, and every hour."""
    addresses.sweep(meta.now())
