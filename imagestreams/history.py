"""The wishes and the history of a stream's tags: finding, adding and removing them.

A stream wishes tags (`spec.tags`) and remembers for each what it pointed to (`status.tags`, newest first). Both lists
are kept sorted by tag name. Every function here that changes a stream changes the one it was handed.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from imagestreams.types import (
    ImageStream,
    NamedTagEventList,
    TagEvent,
    TagEventCondition,
    TagReference,
)

NOWHERE = ("", "")


@dataclass(frozen=True, slots=True)
class Move:
    """A tag points elsewhere than before; a removed tag has neither digest nor reference, a new one no previous.

    Of the moves of one tag in one write, `position` counts from the oldest.
    """

    tag: str
    digest: str
    reference: str
    previous_digest: str
    previous_reference: str
    generation: int = 0
    position: int = 0

    @property
    def removed(self) -> bool:
        """Return whether the tag points nowhere any more."""
        return not (self.digest or self.reference)


def tag_of(stream: ImageStream, name: str) -> TagReference | None:
    """Return the wish for a tag, or None."""
    return next((tag for tag in stream.spec.tags or [] if tag.name == name), None)


def history_of(stream: ImageStream, name: str) -> NamedTagEventList | None:
    """Return what a tag pointed to and what is the matter with it, or None."""
    return next((history for history in stream.status.tags or [] if history.tag == name), None)


def latest(stream: ImageStream, name: str) -> TagEvent | None:
    """Return what a tag points to, or None."""
    history = history_of(stream, name)
    return history.items[0] if history is not None and history.items else None


def conditions_of(stream: ImageStream, name: str) -> list[TagEventCondition] | None:
    """Return what is the matter with a tag, or None when nothing is."""
    history = history_of(stream, name)
    return history.conditions if history is not None else None


def set_tag(stream: ImageStream, tag: TagReference) -> None:
    """Wish a tag, in place of a wish of the same name."""
    kept = [other for other in stream.spec.tags or [] if other.name != tag.name]
    bisect.insort(kept, tag, key=lambda each: each.name)
    stream.spec.tags = kept


def drop_wish(stream: ImageStream, name: str) -> bool:
    """Wish a tag no longer, keep its history; return whether it was wished."""
    kept = [tag for tag in stream.spec.tags or [] if tag.name != name]
    dropped = len(kept) < len(stream.spec.tags or [])
    stream.spec.tags = kept or None
    return dropped


def remove(stream: ImageStream, name: str) -> bool:
    """Remove a tag, wish and history; return whether there was one."""
    dropped = drop_wish(stream, name)
    kept = [history for history in stream.status.tags or [] if history.tag != name]
    forgotten = len(kept) < len(stream.status.tags or [])
    stream.status.tags = kept or None
    return dropped or forgotten


def open_history(stream: ImageStream, name: str) -> NamedTagEventList:
    """Return the history of a tag, a new empty one when there is none."""
    history = history_of(stream, name)
    if history is None:
        history = NamedTagEventList(tag=name)
        histories = stream.status.tags or []
        bisect.insort(histories, history, key=lambda each: each.tag)
        stream.status.tags = histories
    return history


def push(stream: ImageStream, name: str, event: TagEvent) -> bool:
    """Let a tag point to what an event says; return whether anything changed.

    Only an event that differs in image and in pull spec from the newest is a new entry. One that differs in less
    corrects the newest, which keeps its time. Any change clears the conditions of the tag. The event is copied.
    """
    history = open_history(stream, name)
    if not history.items:
        history.items = [msgspec.structs.replace(event)]
        history.conditions = None
        return True
    newest = history.items[0]
    if _points(newest) == _points(event):
        return False
    history.conditions = None
    same_image = newest.image == event.image
    same_reference = newest.docker_image_reference == event.docker_image_reference
    if not same_image and not same_reference:
        history.items.insert(0, msgspec.structs.replace(event))
        return True
    newest.image, newest.docker_image_reference = event.image, event.docker_image_reference
    newest.generation = event.generation
    return True


def _points(event: TagEvent) -> tuple[str, str, int]:
    """Return what an event says, without when."""
    return event.image, event.docker_image_reference, event.generation


def set_condition(stream: ImageStream, name: str, condition: TagEventCondition) -> None:
    """Note what is the matter with a tag, unless it says so already but for the time."""
    history = open_history(stream, name)
    known = [msgspec.structs.replace(each, last_transition_time="") for each in history.conditions or []]
    if known != [msgspec.structs.replace(condition, last_transition_time="")]:
        history.conditions = [msgspec.structs.replace(condition)]


def clear_conditions(stream: ImageStream, name: str) -> bool:
    """Forget what was the matter with a tag; return whether anything was."""
    history = history_of(stream, name)
    if history is None or not history.conditions:
        return False
    history.conditions = None
    return True


def sort_tags(stream: ImageStream) -> None:
    """Sort wishes and histories by tag name; of two with one name the last counts."""
    wishes = {tag.name: tag for tag in stream.spec.tags or []}
    stream.spec.tags = [wishes[name] for name in sorted(wishes)] or None
    histories = {history.tag: history for history in stream.status.tags or []}
    stream.status.tags = [histories[name] for name in sorted(histories)] or None


def drop_empty_histories(stream: ImageStream) -> None:
    """Drop histories that hold neither events nor conditions."""
    kept = [history for history in stream.status.tags or [] if history.items or history.conditions]
    stream.status.tags = kept or None


def moves(old: ImageStream | None, new: ImageStream | None) -> list[Move]:
    """Return what a write let tags point to, by tag and from the oldest on; either stream may not exist.

    A write may put several events on a history, or one below others that were there: whatever is above the lowest new
    one counts again, so that every event of a history is a move, the moves are in its order, and its head is the last.
    """
    before, after = _histories(old), _histories(new)
    return [move for tag in sorted(before.keys() | after.keys()) for move in _moves_of(tag, before, after)]


def heads(stream: ImageStream | None) -> dict[str, tuple[str, str]]:
    """Return digest and pull spec of the newest event of each tag."""
    return {tag: _target(events[0]) for tag, events in _histories(stream).items()}


def _histories(stream: ImageStream | None) -> dict[str, list[TagEvent]]:
    histories = stream.status.tags or [] if stream is not None else []
    return {history.tag: history.items for history in histories if history.items}


def _moves_of(tag: str, before: dict[str, list[TagEvent]], after: dict[str, list[TagEvent]]) -> Iterator[Move]:
    known, events = before.get(tag, []), after.get(tag, [])
    here = _target(known[0]) if known else NOWHERE
    if not events:
        yield Move(tag, *NOWHERE, *here)
        return
    fresh = events[: _fresh(known, events)]
    if not fresh and _target(events[0]) != here:
        fresh = events[:1]
    position = 0
    for event in reversed(fresh):
        target = _target(event)
        if target != here:
            yield Move(tag, *target, *here, generation=event.generation, position=position)
            here, position = target, position + 1


def _fresh(known: list[TagEvent], events: list[TagEvent]) -> int:
    """Return how many events there are down to the lowest that is not among those known, in their order."""
    older = (_target(event) for event in reversed(known))
    for index, event in enumerate(reversed(events)):
        target = _target(event)
        if not any(each == target for each in older):
            return len(events) - index
    return 0


def _target(event: TagEvent) -> tuple[str, str]:
    return event.image, event.docker_image_reference
