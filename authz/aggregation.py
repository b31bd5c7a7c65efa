"""Cluster roles that are sums of others: their rules follow those of the roles that their selectors choose."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import connection

from authz.rules import PolicyRule
from authz.selectors import LabelSelector
from registry_meta.kube import errors, store
from registry_meta.kube.meta import KubeObject, KubeStruct, always
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.strategy import Strategy

logger = logging.getLogger(__name__)

MOST_ROUNDS = 20
"""How deep sums of sums may go before the rest waits for the next settling."""


class AggregationRule(KubeStruct):
    """Which cluster roles a sum takes its rules from: those that any of the selectors chooses."""

    cluster_role_selectors: list[LabelSelector] | None = None


class ClusterRole(KubeObject):
    """Rights in the whole cluster, or within the namespace of a role binding that gives them."""

    rules: list[PolicyRule] | None = always(None)  # type: ignore[assignment]  # msgspec.field returns its default's type
    aggregation_rule: AggregationRule | None = None


def total(role: ClusterRole, roles: Mapping[str, ClusterRole]) -> list[PolicyRule]:
    """Return the rules of a sum: for each selector those of the roles that it chooses, by name, each rule once."""
    found: list[PolicyRule] = []
    if role.aggregation_rule is None:
        return found
    for selector in role.aggregation_rule.cluster_role_selectors or ():
        for name in sorted(roles):
            part = roles[name]
            if name != role.metadata.name and selector.matches(part.metadata.labels or {}):
                found += [rule for rule in part.rules or () if rule not in found]
    return found


def read_roles(resource: Resource) -> dict[str, ClusterRole]:
    """Return all cluster roles as they are now, by name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, document FROM kube_object WHERE resource = %s", [resource.key])
        return {name: resource.decoder.decode(document) for name, document in cursor.fetchall()}


def settle(resource: Resource, strategy: Strategy[ClusterRole], *, now: datetime) -> int:
    """Bring the sums up to date, sums of sums included; return how many were written.

    The strategy sets the rules of each sum while its row is locked, from what is stored by then, so that of two
    processes that settle at once the later one sees what both have to take in.
    """
    written = 0
    for _ in range(MOST_ROUNDS):
        roles = read_roles(resource)
        stale = [name for name, role in roles.items() if _is_stale(role, roles)]
        if not stale:
            return written
        for name in stale:
            _touch(resource, strategy, name, now=now)
        written += len(stale)
    logger.warning("cluster roles that are sums of each other have not settled: %s", ", ".join(stale))
    return written


def _is_stale(role: ClusterRole, roles: Mapping[str, ClusterRole]) -> bool:
    rule = role.aggregation_rule
    if rule is None or not rule.cluster_role_selectors or role.metadata.deletion_timestamp:
        return False
    return total(role, roles) != (role.rules or [])


def _touch(resource: Resource, strategy: Strategy[ClusterRole], name: str, *, now: datetime) -> None:
    context = Context(SYSTEM, resource, now, reason="cluster roles are summed up")
    try:
        store.update(resource, name, lambda role: role, context=context, strategy=strategy)
    except errors.StatusError as error:
        if error.code != 404:
            raise
