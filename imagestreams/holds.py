"""Holds: who keeps a tag where it is, why and until when, and what that forbids. Pure.

A hold is written into the annotations of the wish for a tag (`spec.tags[].annotations`):

    holds.registry-meta.io/reason     why; with this the tag is held
    holds.registry-meta.io/owner      who answers for it
    holds.registry-meta.io/expires    until when (RFC 3339); without it, until the hold is lifted

What the server does by itself, importing and following, leaves a held tag where it is and notes what it found as a
condition of the tag. What somebody does is refused, unless the same write takes the hold away or puts another in its
place. A tag that points nowhere yet may take its first image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from imagestreams import moments
from imagestreams.conditions import is_same_failure
from imagestreams.history import history_of, latest, tag_of
from imagestreams.types import ImageStream, TagEvent, TagEventCondition, TagReference
from registry_meta.kube.errors import FieldError, field_forbidden, invalid_value, not_supported, required, too_long
from registry_meta.kube.meta import ObjectReference, timestamp

PREFIX = "holds.registry-meta.io/"
REASON, OWNER, EXPIRES = f"{PREFIX}reason", f"{PREFIX}owner", f"{PREFIX}expires"
KEYS = (EXPIRES, OWNER, REASON)
LONGEST = 500
"""Bytes of a reason or an owner."""

HELD = "Held"
NEWER = "NewerImage"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a tag stays where it is, who answers for it, and when that ends; empty is when it is lifted."""

    reason: str
    owner: str
    expires: str = ""

    def __str__(self) -> str:
        end = self.expires or "it is lifted"
        return f"held by {self.owner or 'nobody named'} until {end}: {self.reason}"

    def is_over(self, now: datetime) -> bool:
        """Return whether the hold holds nothing any more."""
        try:
            return bool(self.expires) and moments.moment(self.expires) <= now
        except ValueError:
            return False

    def annotations(self) -> dict[str, str]:
        """Return the hold as it is written into the annotations of a tag."""
        values = {EXPIRES: self.expires, OWNER: self.owner, REASON: self.reason}
        return {key: value for key, value in values.items() if value}


def problems(annotations: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """Return what is wrong with the hold among the annotations of the tag that lies at `path`."""
    given = {key: value for key, value in (annotations or {}).items() if key.startswith(PREFIX)}
    if not given:
        return []
    field = f"{path}.annotations"
    found = [not_supported(field, key, KEYS) for key in sorted(given) if key not in KEYS]
    for key, detail in ((OWNER, "a hold names who answers for it"), (REASON, "a hold says why")):
        text = given.get(key, "")
        if not text.strip():
            found.append(required(f"{field}[{key}]", detail))
        elif not text.isprintable():
            found.append(invalid_value(f"{field}[{key}]", text, "must be one line of printable characters"))
        elif len(text.encode()) > LONGEST:
            found.append(too_long(f"{field}[{key}]", LONGEST))
    if EXPIRES in given:
        found += _expiry(given[EXPIRES], f"{field}[{EXPIRES}]")
    return found


def _expiry(text: str, path: str) -> list[FieldError]:
    try:
        moments.moment(text)
    except ValueError:
        return [invalid_value(path, text[:100], moments.FORM)]
    return []


def written(tag: TagReference | None) -> Hold | None:
    """Return the hold that a wish speaks of, whether it is over or not."""
    annotations = (tag.annotations if tag is not None else None) or {}
    if REASON not in annotations:
        return None
    return Hold(annotations[REASON], annotations.get(OWNER, ""), annotations.get(EXPIRES, ""))


def of_wish(tag: TagReference | None, *, now: datetime) -> Hold | None:
    """Return the hold on a wish that is in force."""
    hold = written(tag)
    return None if hold is None or hold.is_over(now) else hold


def on(stream: ImageStream, tag: str, *, now: datetime) -> Hold | None:
    """Return the hold on a tag of a stream that is in force."""
    return of_wish(tag_of(stream, tag), now=now)


def with_hold(annotations: Mapping[str, str] | None, hold: Hold | None) -> dict[str, str] | None:
    """Return the annotations of a tag with another hold, or none, in place of the one that they hold."""
    others = {key: value for key, value in (annotations or {}).items() if key not in KEYS}
    return {**others, **(hold.annotations() if hold is not None else {})} or None


def kept(annotations: dict[str, str] | None, before: TagReference | None, *, now: datetime) -> dict[str, str] | None:
    """Return the annotations of a tag that is replaced: where they speak of nothing, a hold in force stays."""
    hold = None if annotations else of_wish(before, now=now)
    return annotations if hold is None else hold.annotations()


def keeps_away(stream: ImageStream, tag: str, event: TagEvent, *, now: datetime) -> Hold | None:
    """Return the hold that keeps a tag from pointing to what an event says, or None when nothing does."""
    newest = latest(stream, tag)
    if newest is None or _points(newest) == _points(event):
        return None
    return on(stream, tag, now=now)


def _points(event: TagEvent) -> tuple[str, str]:
    return event.image, event.docker_image_reference


def note(stream: ImageStream, tag: str, event: TagEvent, hold: Hold, *, now: datetime) -> bool:
    """Say of a held tag, in place, which image it would point to; return whether that is new."""
    history = history_of(stream, tag)
    if history is None:
        return False
    wish = tag_of(stream, tag)
    condition = TagEventCondition(
        type=HELD,
        status="True",
        last_transition_time=timestamp(now),
        reason=NEWER,
        message=f"{event.docker_image_reference} was found, but the tag is {hold}",
        generation=(wish.generation or 0) if wish is not None else 0,
    )
    others = history.conditions or []
    if len(others) == 1 and is_same_failure(condition, others[0]):
        return False
    history.conditions = [condition]
    return True


def released(new: ImageStream, old: ImageStream | None, *, now: datetime) -> list[str]:
    """Return the tags that a write, or time, has let go of: they may go where they would have gone."""
    if old is None:
        return []
    noted = [history.tag for history in new.status.tags or [] if _is_noted(history.conditions)]
    was_held = [tag.name for tag in old.spec.tags or [] if of_wish(tag, now=now) is not None]
    return [name for name in dict.fromkeys([*noted, *was_held]) if on(new, name, now=now) is None]


def next_end(stream: ImageStream, *, now: datetime) -> datetime | None:
    """Return when the first of the tags that a hold keeps from a newer image may go on, or None when none will."""
    noted = [history.tag for history in stream.status.tags or [] if _is_noted(history.conditions)]
    found = [hold for tag in noted if (hold := on(stream, tag, now=now)) is not None and hold.expires]
    return min((moments.moment(hold.expires) for hold in found), default=None)


def forget(stream: ImageStream, tag: str) -> None:
    """Say no longer, in place, that a tag is held."""
    history = history_of(stream, tag)
    if history is not None and _is_noted(history.conditions):
        history.conditions = [other for other in history.conditions or [] if other.type != HELD] or None


def _is_noted(conditions: list[TagEventCondition] | None) -> bool:
    return any(condition.type == HELD for condition in conditions or [])


def violations(new: ImageStream, old: ImageStream, *, now: datetime) -> list[FieldError]:
    """Return what a write may not do to the tags of a stream that are held."""
    return [refusal(f"spec.tags[{name}]", hold) for name, hold in _violated(new, old, now=now)]


def refusal(path: str, hold: Hold) -> FieldError:
    """Return the error of moving a held tag that is named at a path."""
    return field_forbidden(path, f"the tag is {hold}; lift the hold first, or in the same write")


def _violated(new: ImageStream, old: ImageStream, *, now: datetime) -> Iterator[tuple[str, Hold]]:
    for before in old.spec.tags or []:
        hold = of_wish(before, now=now)
        if hold is None:
            continue
        after = tag_of(new, before.name)
        if after is None or (written(after) == hold and (_moved(new, old, before.name) or _differs(after, before))):
            yield before.name, hold


def _moved(new: ImageStream, old: ImageStream, tag: str) -> bool:
    """Return whether a tag that pointed somewhere points elsewhere, or nowhere any more."""
    then, now = latest(old, tag), latest(new, tag)
    return then is not None and (now is None or _points(now) != _points(then))


def _differs(after: TagReference, before: TagReference) -> bool:
    """Return whether a wish asks for the image of another place, which is to come later."""
    if after.from_ is None:
        return False
    return _source(after) != _source(before)


def _source(tag: TagReference) -> tuple[str, str, str, bool, str]:
    """Return what of a wish says which image it asks for."""
    source = tag.from_ or ObjectReference()
    return source.kind, source.namespace, source.name, tag.reference, tag.import_policy.import_mode
