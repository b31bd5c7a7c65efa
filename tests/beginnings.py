"""The first start of a server in tests: what it writes is kept, since most tests begin there and few are about it."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from authz import bootstrap, policy
from authz.grants import Grants
from registry_meta.kube import changes
from registry_meta.kube.models import Object

Rows = dict[type[models.Model], list[models.Model]]


@dataclass(frozen=True)
class Beginning:
    """What the first start makes of the database at a version, and the policy that is in force then."""

    version: int
    rows: Rows
    grants: Grants


_kept: dict[str, Beginning] = {}
"""By the address of the server, which is part of what is written."""


def begin() -> None:
    """Make a first start: by itself the first time and where something is there already, and else as it was kept."""
    address, version = settings.ENVIRONMENT.server_url, changes.newest()
    kept = _kept.get(address)
    if Object.objects.exists() or (kept is not None and kept.version != version):
        bootstrap.begin()
    elif kept is None:
        before = _values()
        bootstrap.begin()
        touched = [model for model, values in _values().items() if values != before[model]]
        rows: Rows = {model: list(model._default_manager.all()) for model in touched}
        _kept[address] = Beginning(version, rows, policy.current().copy())
    else:
        _put(kept)


def _values() -> dict[type[models.Model], list[object]]:
    return {model: list(model._default_manager.order_by("pk").values()) for model in apps.get_models()}


def _put(kept: Beginning) -> None:
    with transaction.atomic():
        for model, rows in kept.rows.items():
            model._default_manager.all().delete()
            model._default_manager.bulk_create(rows)
    policy.memory._known = kept.grants.copy()
