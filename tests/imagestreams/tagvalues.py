"""The values of the model of the tag engine: wishes, histories, and what one event makes of a history."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]
Place = tuple[str, str]
Points = tuple[str, str]
Condition = tuple[str, str, str, str, int]

HOLD = "holds.registry-meta.io/"
REASON, OWNER, EXPIRES = f"{HOLD}reason", f"{HOLD}owner", f"{HOLD}expires"
OVER = "2020-01-01T00:00:00Z"
"""The only expiry of the past that is used with the model."""


class Refused(Exception):
    """A write that does not happen; `code` is the HTTP status of the answer."""

    def __init__(self, code: int, why: str = "") -> None:
        super().__init__(f"{code} {why}")
        self.code = code


@dataclass
class Event:
    """One item of a history; when it was made is told beside it."""

    image: str
    reference: str
    generation: int
    created: object = field(default="", compare=False)

    @property
    def points(self) -> tuple[str, str]:
        return self.image, self.reference


@dataclass
class History:
    """What a tag pointed to, newest first, and what is the matter with it."""

    items: list[Event] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)


@dataclass(repr=False)
class Wish:
    """One of spec.tags."""

    kind: str = ""
    source: str = ""
    namespace: str = ""
    sourced: bool = False
    reference: bool = False
    mode: str = "Legacy"
    scheduled: bool = False
    insecure: bool = False
    policy: str = "Source"
    generation: int | None = None
    annotations: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        plain = vars(Wish())
        return f"Wish({', '.join(f'{key}={value!r}' for key, value in vars(self).items() if value != plain[key])})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @property
    def hold(self) -> tuple[str, str, str] | None:
        """Reason, owner and expiry of the hold that is written here, over or not."""
        if REASON not in self.annotations:
            return None
        return self.annotations[REASON], self.annotations.get(OWNER, ""), self.annotations.get(EXPIRES, "")

    @property
    def held(self) -> bool:
        return self.hold is not None and self.hold[2] != OVER


@dataclass
class Stream:
    """A stream without its metadata."""

    generation: int = 1
    local: bool = False
    repository: str = ""
    wishes: dict[str, Wish] = field(default_factory=dict)
    tags: dict[str, History] = field(default_factory=dict)

    def head(self, tag: str) -> Event | None:
        history = self.tags.get(tag)
        return history.items[0] if history is not None and history.items else None


Move = tuple[str, str, str, str, str, str, str, str]
"""Namespace, stream, tag, image, pull spec, those before, and the reason."""


# --- the history of one tag


def push(stream: Stream, tag: str, event: Event) -> bool:
    """Let a tag point somewhere: a new item only where both image and pull spec differ from the newest."""
    history = stream.tags.setdefault(tag, History())
    if not history.items:
        history.items, history.conditions = [replace(event)], []
        return True
    newest = history.items[0]
    if newest == event:
        return False
    history.conditions = []
    if newest.image != event.image and newest.reference != event.reference:
        history.items.insert(0, replace(event))
    else:
        history.items[0] = replace(event, created=newest.created)
    return True


def changed(before: Wish | None, wish: Wish, namespace: str) -> bool:
    """Whether a wish asks for another image than the one before it."""
    if not (wish.kind or wish.source):
        return False
    if before is None:
        return True
    return (
        (before.namespace or namespace, before.source, before.reference, before.mode)
        != (wish.namespace or namespace, wish.source, wish.reference, wish.mode)
    ) or (wish.generation == 0 and bool(before.generation))


def note(history: History, condition: Condition) -> None:
    """Say what is the matter with a tag, unless that is what it says."""
    if [one[:4] for one in history.conditions] != [condition[:4]]:
        history.conditions = [condition]
