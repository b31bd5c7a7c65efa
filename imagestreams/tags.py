"""The rules of tags: how a stream's wishes become history, and who follows whom.

Import the whole vocabulary of tags from here; its parts live in `history` (find, add, remove), `generations` (what a
write moves), `repositories` (pull specs of the integrated registry) and `outcomes` (what an import writes).

    spec.tags ──prepare──▶ generations ──apply_references──▶ status.tags ──track──▶ followers
                                             │
                    DockerImage: the importer brings it in later, unless it is only a reference
                    ImageStreamTag, ImageStreamImage: copied now, from this or another stream
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from imagestreams import holds
from imagestreams.generations import (
    changed,
    default_import,
    default_stream,
    default_tag,
    prepare_create,
    prepare_status_update,
    prepare_update,
)
from imagestreams.history import (
    Move,
    clear_conditions,
    conditions_of,
    drop_wish,
    heads,
    history_of,
    latest,
    moves,
    open_history,
    push,
    remove,
    set_condition,
    set_tag,
    sort_tags,
    tag_of,
)
from imagestreams.outcomes import (
    is_importable,
    is_scheduled,
    needs_import,
    next_generation,
    observed_generation,
    record_failure,
    record_success,
)
from imagestreams.reference import DEFAULT_TAG, id_matches
from imagestreams.repositories import RegistryHosts, decorate, resolve_reference, rewritten
from imagestreams.types import GROUP, ImageStream, TagEvent, TagReference
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupResource, timestamp

__all__ = [
    "Move",
    "RegistryHosts",
    "Source",
    "apply_references",
    "changed",
    "clear_conditions",
    "conditions_of",
    "decorate",
    "default_import",
    "default_stream",
    "default_tag",
    "drop_wish",
    "followers",
    "history_of",
    "is_importable",
    "is_scheduled",
    "latest",
    "moves",
    "needs_import",
    "next_generation",
    "observed_generation",
    "open_history",
    "prepare_create",
    "prepare_status_update",
    "prepare_update",
    "push",
    "record_failure",
    "record_success",
    "remove",
    "resolve_reference",
    "set_condition",
    "set_tag",
    "sort_tags",
    "sources",
    "tag_of",
    "track",
]

DOCKER_IMAGE, STREAM_TAG, STREAM_IMAGE = "DockerImage", "ImageStreamTag", "ImageStreamImage"
FORM = "must be of the form <tag>, <repo>:<tag>, <id>, or <repo>@<id>"

Source = Callable[[str, str], ImageStream | None]
"""Returns the stream of a namespace and name, or None when there is none."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What a wish points to: a stream, and in it a tag or the start of an image id."""

    namespace: str
    stream: str
    key: str


def sources(new: ImageStream, old: ImageStream | None) -> set[tuple[str, str]]:
    """Return the other streams (namespace, name) that the new and changed wishes of a stream point to."""
    own = (new.metadata.namespace, new.metadata.name)
    targets = (_target(tag, new) for tag in _unfulfilled(new, old))
    return {(target.namespace, target.stream) for target in targets if target is not None} - {own}


def apply_references(
    new: ImageStream,
    old: ImageStream | None,
    *,
    source: Source,
    forbidden: Mapping[tuple[str, str], str],
    now: datetime,
    hosts: RegistryHosts,
    given: Mapping[str, TagEvent] | None = None,
) -> list[FieldError]:
    """Fulfil, in place, the new and changed wishes that need no import, and let the followers of moved tags follow.

    `source` answers for the streams that `sources` names; `forbidden` holds, for those that the writer may not pull
    from, what to say. A tag of another stream that has no history yet is left for later without a word. `given` are
    tags whose event the writer knows, so that it is not looked up.
    """
    problems: list[FieldError] = []
    for tag in _sources_first(new, old):
        tag.generation = new.metadata.generation
        known = (given or {}).get(tag.name)
        if known is not None:
            push(new, tag.name, msgspec.structs.replace(known, generation=tag.generation))
            continue
        outcome = _fulfil(tag, new, source=source, forbidden=forbidden, now=now, hosts=hosts)
        if isinstance(outcome, FieldError):
            problems.append(outcome)
        elif outcome is not None:
            push(new, tag.name, outcome)
    _let_go(new, old, now=now)
    _refresh_followers(new, old, now=now)
    return problems


def _sources_first(new: ImageStream, old: ImageStream | None) -> list[TagReference]:
    """Return the new and changed wishes, each behind the one whose tag it points to; in a circle the name decides."""
    left = {tag.name: tag for tag in _unfulfilled(new, old)}
    own = (new.metadata.namespace, new.metadata.name)
    ordered: list[TagReference] = []
    while left:
        trail = [next(iter(left.values()))]
        while (target := _target(trail[-1], new)) is not None:
            followed = left.get(target.key) if (target.namespace, target.stream) == own else None
            if followed is None or followed in trail or trail[-1].from_ is None or trail[-1].from_.kind != STREAM_TAG:
                break
            trail.append(followed)
        ordered += [left.pop(tag.name) for tag in reversed(trail)]
    return ordered


def _unfulfilled(new: ImageStream, old: ImageStream | None) -> Iterator[TagReference]:
    """Yield the wishes with a source that are new or changed."""
    for tag in new.spec.tags or []:
        before = tag_of(old, tag.name) if old is not None else None
        is_new = before is None and tag.from_ is not None
        if is_new or changed(before, tag, stream_namespace=new.metadata.namespace):
            yield tag


def _fulfil(
    tag: TagReference,
    stream: ImageStream,
    *,
    source: Source,
    forbidden: Mapping[tuple[str, str], str],
    now: datetime,
    hosts: RegistryHosts,
) -> TagEvent | FieldError | None:
    """Return what a wish makes of its tag now, what is wrong with it, or None when there is nothing to do yet."""
    wish, path = tag.from_, f"spec.tags[{tag.name}].from"
    if wish is None or (wish.kind in (STREAM_TAG, STREAM_IMAGE) and not wish.name):
        return None
    if wish.kind == DOCKER_IMAGE and wish.name and wish.namespace in ("", stream.metadata.namespace):
        event = TagEvent(created=timestamp(now), docker_image_reference=wish.name, generation=tag.generation or 0)
        return event if tag.reference else None
    target = _target(tag, stream)
    if target is None:
        return errors.invalid_value(f"{path}.name", wish.name, FORM)
    key = (target.namespace, target.stream)
    if key in forbidden:
        return errors.field_forbidden(path, forbidden[key])
    own = key == (stream.metadata.namespace, stream.metadata.name)
    pointed = stream if own else source(*key)
    if pointed is None:
        return errors.field_not_found(f"{path}.name", wish.name)
    found = _found(wish.kind, target.key, pointed, now=now)
    if isinstance(found, str):
        return errors.invalid_value(f"{path}.name", wish.name, f"error generating tag event: {found}")
    if found is None:
        return None
    reference = found.docker_image_reference
    if not tag.reference:
        reference = rewritten(reference, source=pointed, target=stream, hosts=hosts)
    return msgspec.structs.replace(found, docker_image_reference=reference, generation=tag.generation or 0)


def _target(tag: TagReference, stream: ImageStream) -> _Target | None:
    """Return what a wish of a stream points to, or None when it has not the form; a lone tag or id is this stream's."""
    wish = tag.from_
    if wish is None or wish.kind not in (STREAM_TAG, STREAM_IMAGE) or not wish.name:
        return None
    parts = wish.name.split(":" if wish.kind == STREAM_TAG else "@")
    if len(parts) == 1:
        parts = [stream.metadata.name, *parts]
    if len(parts) > 2 or not parts[0]:
        return None
    key = parts[1] or (DEFAULT_TAG if wish.kind == STREAM_TAG else "")
    return _Target(wish.namespace or stream.metadata.namespace, parts[0], key) if key else None


def _found(kind: str, key: str, stream: ImageStream, *, now: datetime) -> TagEvent | str | None:
    """Return the event that a tag or an image id means in a stream; a text says why an id means none."""
    if kind == STREAM_TAG:
        return latest(stream, key)
    singular = GroupResource(GROUP, "imagestreamimage")
    matching: dict[str, TagEvent] = {}
    for history in stream.status.tags or []:
        for event in history.items or []:
            if event.image and id_matches(event.image, key):
                matching.setdefault(event.image, event)
    if not matching:
        return str(errors.not_found(singular, key))
    if len(matching) > 1:
        listed = ", ".join(sorted(matching))
        return str(errors.conflict(singular, key, f'multiple images match the prefix "{key}": {listed}'))
    return msgspec.structs.replace(matching.popitem()[1], created=timestamp(now))


def followers(stream: ImageStream, tag: str) -> list[str]:
    """Return the tags of a stream that follow one of its tags, by name."""
    meta = stream.metadata
    followed = _Target(meta.namespace, meta.name, tag)
    wishes = (wish for wish in stream.spec.tags or [] if wish.from_ is not None and wish.from_.kind == STREAM_TAG)
    return sorted(wish.name for wish in wishes if wish.name != tag and _target(wish, stream) == followed)


def track(stream: ImageStream, tag: str, event: TagEvent, *, now: datetime) -> list[str]:
    """Let the followers of a moved tag point, in place, to what it points to; return those that moved.

    One level: a push moves the followers of its tag and not theirs. Those that are held stay.
    """
    return [name for name in followers(stream, tag) if _follow(stream, name, event, now=now)]


def _follow(stream: ImageStream, tag: str, event: TagEvent, *, now: datetime) -> bool:
    """Let a tag point, in place, to what the tag that it follows points to, unless it is held."""
    hold = holds.keeps_away(stream, tag, event, now=now)
    if hold is not None:
        holds.note(stream, tag, event, hold, now=now)
        return False
    return push(stream, tag, event)


def _let_go(new: ImageStream, old: ImageStream | None, *, now: datetime) -> None:
    """Let the tags that are no longer held catch up, in place, with those that they follow."""
    for name in holds.released(new, old, now=now):
        holds.forget(new, name)
        wish = tag_of(new, name)
        target = _target(wish, new) if wish is not None and wish.from_ is not None else None
        own = (new.metadata.namespace, new.metadata.name)
        if wish is None or wish.from_ is None or wish.from_.kind != STREAM_TAG or target is None:
            continue
        event = latest(new, target.key) if (target.namespace, target.stream) == own else None
        if event is not None:
            push(new, name, event)


def _refresh_followers(new: ImageStream, old: ImageStream | None, *, now: datetime) -> None:
    """Let the followers of each tag that moved follow, and theirs; no tag moves twice, so circles end."""
    moved = _elsewhere(new, old)
    moved += [tag for tag in _regenerated(new, old) if tag not in moved]
    settled: set[str] = set()
    while moved:
        tag = moved.pop(0)
        event = latest(new, tag)
        if event is None:
            continue
        for name in followers(new, tag):
            if name not in settled:
                settled.add(name)
                _follow(new, name, event, now=now)
                moved.append(name)


def _elsewhere(new: ImageStream, old: ImageStream | None) -> list[str]:
    """Return the tags that point elsewhere than before, whatever they pointed to in between."""
    before = heads(old)
    return [tag for tag, target in sorted(heads(new).items()) if target != before.get(tag)]


def _regenerated(new: ImageStream, old: ImageStream | None) -> list[str]:
    """Return the tags that point to the same image as before, now for a newer generation of their wish."""
    before = {history.tag: history for history in (old.status.tags or [] if old is not None else [])}
    tags = []
    for history in new.status.tags or []:
        past = before.get(history.tag)
        if past is not None and past.items and history.items:
            newest, previous = history.items[0], past.items[0]
            if newest.generation != previous.generation:
                tags.append(history.tag)
    return tags
