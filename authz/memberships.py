"""The groups that an identity provider puts its people in, kept in step with what it says at each log-in."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from authz import people, policy
from authz.api.groups import GROUPS, Group
from registry_meta.kube import errors, store
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.store import Preconditions

logger = logging.getLogger(__name__)

GENERATED = "oauth.openshift.io/generated"
"""The annotation that says `true` of groups that were made at a log-in; the last member takes them with him."""

SYNCED = "synced"
REASON = "an identity provider named the groups of somebody"
ATTEMPTS = 4
MOST_GROUPS = 1000
"""What is taken of the groups of one person."""


class Step(Protocol):
    """Puts a user into a group, or out of it; raises 404 or 409 when the group was written meanwhile."""

    def __call__(self, provider: str, username: str, name: str, /, *, now: datetime) -> None:
        """Take the step."""


def mark(provider: str) -> str:
    """Return the annotation that says `synced` of groups whose members a provider names."""
    return f"oauth.openshift.io/idp.{provider}"


def follow(provider: str, username: str, wanted: Iterable[str], *, now: datetime) -> None:
    """Have a user in the groups that his provider names, and in no other of those that it keeps."""
    named = _possible(provider, wanted)
    present = set(policy.current().groups_of(username))
    for group in sorted(present - named):
        _insisting(_leave, provider, username, group, now=now)
    for group in sorted(named - present):
        _insisting(_join, provider, username, group, now=now)


def _possible(provider: str, wanted: Iterable[str]) -> set[str]:
    """Return the names that groups may have; a provider cannot put anybody into groups of the system."""
    names = sorted(set(wanted))
    possible = [name for name in names if name and not people.group_name(name)]
    if len(possible) != len(names) or len(possible) > MOST_GROUPS:
        logger.warning(
            "%s names %d groups, of which %d are used", provider, len(names), min(len(possible), MOST_GROUPS)
        )
    return set(possible[:MOST_GROUPS])


def _insisting(step: Step, provider: str, username: str, group: str, *, now: datetime) -> None:
    """Take a step on a group, anew when somebody else wrote it meanwhile."""
    for attempt in range(ATTEMPTS):
        try:
            step(provider, username, group, now=now)
            return
        except errors.StatusError as error:
            if error.code not in (404, 409) or attempt == ATTEMPTS - 1:
                raise


def _leave(provider: str, username: str, name: str, *, now: datetime) -> None:
    stored = store.find(GROUPS, "", name)
    group: Group | None = stored.object() if stored else None
    if stored is None or group is None or not _is_kept(group, provider) or username not in (group.users or ()):
        return
    annotations = group.metadata.annotations or {}
    at = Preconditions(version=str(stored.version))
    context, strategy = Context(SYSTEM, GROUPS, now, reason=REASON), GROUPS.storage.strategy
    if group.users == [username] and annotations.get(GENERATED) == "true":
        store.delete(GROUPS, name, context=context, strategy=strategy, preconditions=at)
        return

    def edit(found: Group) -> Group:
        found.users = [user for user in found.users or () if user != username]
        return found

    store.update(GROUPS, name, edit, context=context, strategy=strategy, preconditions=at)


def _join(provider: str, username: str, name: str, *, now: datetime) -> None:
    context, strategy = Context(SYSTEM, GROUPS, now, reason=REASON), GROUPS.storage.strategy
    if store.find(GROUPS, "", name) is None:
        annotations = {GENERATED: "true", mark(provider): SYNCED}
        group = Group(metadata=ObjectMeta(name=name, annotations=annotations), users=[username])
        store.create(GROUPS, group, context=context, strategy=strategy)
        return

    def edit(found: Group) -> Group:
        present = found.users or []
        found.users = present if username in present else [*present, username]
        found.metadata.annotations = {**(found.metadata.annotations or {}), mark(provider): SYNCED}
        return found

    store.update(GROUPS, name, edit, context=context, strategy=strategy)


def _is_kept(group: Group, provider: str) -> bool:
    return (group.metadata.annotations or {}).get(mark(provider)) == SYNCED
