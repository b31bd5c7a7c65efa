"""What the tags of streams become, written from the specification of the API and independent of the server's code.

A `World` holds streams as plain values. Each of its operations is one write, and either changes the world or raises
`Refused` with the HTTP status of the answer. Moments are whatever the caller numbers them with.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.imagestreams.tagvalues import (
    HOLD,
    OWNER,
    REASON,
    Event,
    History,
    Move,
    Place,
    Points,
    Refused,
    Stream,
    Wish,
    changed,
    note,
    push,
)


@dataclass(frozen=True)
class Outcome:
    """What came of importing one image to a tag: an image and its pull spec, or the reason of a failure.

    A named one is an entry of spec.images, another is one tag of a whole repository.
    """

    tag: str
    asked: Wish
    image: str = ""
    reference: str = ""
    failure: str = ""
    named: bool = True


@dataclass
class World:
    """All streams, all images, and every move of a tag that ever was."""

    internal: str = ""
    streams: dict[Place, Stream] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    ledger: list[Move] = field(default_factory=list)
    now: object = ""

    # --- writes

    def create(self, place: Place, new: Stream, *, dry: bool = False) -> None:
        """Make a stream: all generations start at 1, the history is empty."""
        new.generation, new.tags = 1, {}
        for wish in new.wishes.values():
            wish.generation = 1
        self._engine(place, new, None)
        if place in self.streams:
            raise Refused(409)
        self._keep(place, new, None, "edited", dry=dry)

    def update(
        self,
        place: Place,
        new: Stream,
        *,
        reason: str = "edited",
        dry: bool = False,
        given: dict[str, Event] | None = None,
    ) -> bool:
        """Write spec and history of a stream as the server itself does; return whether anything changed."""
        old = self.streams[place]
        self._generations(place, new, old)
        self._engine(place, new, old, given)
        if self._violates(new, old):
            raise Refused(422, "held")
        return self._keep(place, new, old, reason, dry=dry)

    def write(self, place: Place, new: Stream, *, dry: bool = False) -> bool:
        """PUT or PATCH a stream: the spec is the writer's, the history is the server's."""
        new.tags = copy.deepcopy(self.streams[place].tags)
        return self.update(place, new, dry=dry)

    def write_status(self, place: Place, new: Stream, *, dry: bool = False, reason: str = "edited") -> bool:
        """PUT or PATCH the status: the history is the writer's; new events without a generation get one."""
        old = self.streams[place]
        new.wishes, new.repository, new.generation = copy.deepcopy(old.wishes), old.repository, old.generation
        for tag, history in new.tags.items():
            if history.items and not history.items[0].generation:
                wish, then = old.wishes.get(tag), old.head(tag)
                moved = then is not None and (
                    then.points != history.items[0].points or then.generation > history.items[0].generation
                )
                own = wish.generation if wish is not None and moved else None
                history.items[0].generation = own or new.generation
        if self._violates(new, old):
            raise Refused(422, "held")
        return self._keep(place, new, old, reason, dry=dry)

    def remap(self, place: Place, tag: str, image: str, reference: str, *, managed: bool = False) -> bool:
        """POST an ImageStreamMapping: an image was pushed to a tag; its followers go along, theirs do not."""
        if place not in self.streams:
            raise Refused(404)
        old = self.streams[place]
        if tag in old.wishes and old.wishes[tag].held:
            raise Refused(422, "held")
        if managed and image in self.images:
            own = f"{self.internal}/{place[0]}/{place[1]}" if self.internal else old.repository
            reference = f"{own}@{image}" if own else reference
        self.images.add(image)
        new = copy.deepcopy(old)
        event = Event(image, reference, old.generation, self.now)
        if not push(new, tag, event):
            return False
        for follower in self._followers(place, new, tag):
            self._follow(new, follower, event)
        return self.write_status(place, new, reason="pushed")

    def remove_tag(self, place: Place, tag: str, *, dry: bool = False) -> None:
        """DELETE an ImageStreamTag or ImageTag: wish and history go."""
        new = copy.deepcopy(self.streams[place]) if place in self.streams else Stream()
        if new.wishes.pop(tag, None) is None and tag not in new.tags:
            raise Refused(404)
        new.tags.pop(tag, None)
        self.update(place, new, dry=dry)

    def delete(self, place: Place, *, dry: bool = False) -> None:
        """DELETE a stream: all its tags point nowhere any more."""
        if place not in self.streams:
            raise Refused(404)
        if not dry:
            self._enter(place, Stream(), self.streams.pop(place), "edited")

    def roll_back(self, place: Place, tag: str, image: str, *, hold: bool, lift: bool, owner: str, reason: str) -> None:
        """POST a rollback: a tag goes back to an image of its ledger, and is held there or pinned to it."""
        if place not in self.streams:
            raise Refused(404)
        known = [move for move in self.ledger if move[:4] == (*place, tag, image)]
        if not known:
            raise Refused(422, "the tag never had it")
        new = copy.deepcopy(self.streams[place])
        wish = new.wishes.setdefault(tag, Wish())
        event = Event(image, known[-1][4], new.generation + 1, self.now)
        if lift or hold:
            wish.annotations = {key: text for key, text in wish.annotations.items() if not key.startswith(HOLD)}
        if hold:
            wish.annotations |= {REASON: reason, OWNER: owner}
        else:
            wish.sourced, wish.kind, wish.source = True, "ImageStreamImage", f"{place[1]}@{image}"
            wish.namespace, wish.reference, wish.scheduled = "", False, False
        head = new.head(tag)
        if head is None or head.points != event.points:
            wish.generation = 0
            push(new, tag, event)
        self.update(place, new, reason=f"rolled back: {reason}" if reason else "rolled back", given={tag: event})

    def bring_in(self, place: Place, outcomes: Sequence[Outcome], *, reason: str) -> bool:
        """Record what an import found, repository first; what came stands for all that was before it at its tag."""
        new = copy.deepcopy(self.streams[place])
        ordered = sorted(outcomes, key=lambda each: each.named)
        last = {each.tag: number for number, each in enumerate(ordered) if not each.failure}
        for outcome in (each for number, each in enumerate(ordered) if number >= last.get(each.tag, 0)):
            if outcome.failure:
                self._failed(new, outcome)
            else:
                self._found(new, outcome)
        return self.update(place, new, reason=reason)

    def _failed(self, new: Stream, outcome: Outcome) -> None:
        known = new.tags.setdefault(outcome.tag, History())
        before = known.conditions
        condition = (
            "ImportSuccess",
            "False",
            "InternalError",
            f"Internal error occurred: {outcome.failure}",
            new.generation + 1,
        )
        wish = new.wishes.get(outcome.tag)
        if condition[:4] not in [each[:4] for each in before]:
            known.conditions = [condition]
        elif outcome.named and wish is not None and wish.source == outcome.asked.source and wish.kind == "DockerImage":
            known.conditions[0] = (*condition[:4], max(before[0][4], wish.generation or 0))
        if wish is None and outcome.named:
            new.wishes[outcome.tag] = replace(outcome.asked, generation=0)
        elif wish is not None and known.conditions is not before:
            wish.generation = 0

    def _found(self, new: Stream, outcome: Outcome) -> None:
        event = Event(outcome.image, outcome.reference, new.generation + 1, self.now)
        wish, head, asked = new.wishes.get(outcome.tag), new.head(outcome.tag), outcome.asked
        if wish is not None and wish.held and head is not None and head.points != event.points:
            self._stay(new, outcome.tag, event)
            return
        if wish is not None:
            wish.mode, wish.scheduled, wish.insecure = asked.mode, asked.scheduled, asked.insecure
        news = (
            head is None
            or head.points != event.points
            or (wish is not None and (wish.generation or 0) > head.generation)
        )
        if wish is None:
            new.wishes[outcome.tag] = replace(asked, generation=0)
        elif news:
            wish.sourced, wish.kind, wish.source, wish.namespace = True, "DockerImage", asked.source, ""
            wish.generation = 0
        if wish is None or news:
            push(new, outcome.tag, event)
        new.tags[outcome.tag].conditions = []

    # --- generations

    def _generations(self, place: Place, new: Stream, old: Stream) -> None:
        new.generation = old.generation
        new.tags = {tag: each for tag, each in new.tags.items() if each.items or each.conditions}
        for name, wish in new.wishes.items():
            if name in old.wishes and wish.generation != 0:
                wish.generation = old.wishes[name].generation
        if (new.local, new.repository, new.wishes) != (old.local, old.repository, old.wishes):
            new.generation += 1
        for name, wish in new.wishes.items():
            before = old.wishes.get(name)
            if before is None or not wish.generation or changed(before, wish, place[0]):
                wish.generation = new.generation

    # --- from wishes to history

    def _engine(self, place: Place, new: Stream, old: Stream | None, given: dict[str, Event] | None = None) -> None:
        before = old or Stream()
        asked = {
            name
            for name, wish in new.wishes.items()
            if (name not in before.wishes and wish.sourced) or changed(before.wishes.get(name), wish, place[0])
        }
        for name in self._in_order(place, new, asked):
            event = (given or {}).get(name) or self._fulfilled(place, new, name)
            wish = new.wishes[name]
            wish.generation = new.generation
            if event is not None:
                push(new, name, replace(event, generation=new.generation))
        if old is not None:
            self._let_go(place, new, old)
        self._follow_on(place, new, before)

    def _in_order(self, place: Place, new: Stream, asked: set[str]) -> Iterator[str]:
        """What a tag points to comes first; apart from that, and in circles, names do."""
        begun: set[str] = set()

        def visit(name: str) -> Iterator[str]:
            if name not in asked or name in begun:
                return
            begun.add(name)
            target = self._target(place, new.wishes[name])
            if target is not None and new.wishes[name].kind == "ImageStreamTag" and target[0] == place:
                yield from visit(target[1])
            yield name

        for name in sorted(asked):
            yield from visit(name)

    def _target(self, place: Place, wish: Wish) -> tuple[Place, str] | None:
        """The stream and the tag, or the start of an id, that a wish points to."""
        if wish.kind not in ("ImageStreamTag", "ImageStreamImage") or not wish.source:
            return None
        parts = wish.source.split(":" if wish.kind == "ImageStreamTag" else "@")
        name, key = parts if len(parts) == 2 else (place[1], parts[0])
        return (wish.namespace or place[0], name), key or "latest"

    def _fulfilled(self, place: Place, new: Stream, name: str) -> Event | None:
        wish = new.wishes[name]
        if wish.kind == "DockerImage" and wish.namespace in ("", place[0]):
            return Event("", wish.source, 0, self.now) if wish.reference else None
        found = self._target(place, wish)
        if found is None:
            raise Refused(422, "of no form")
        (namespace, stream), key = found
        source = new if (namespace, stream) == place else self.streams.get((namespace, stream))
        if source is None:
            raise Refused(422, "no such stream")
        event = source.head(key) if wish.kind == "ImageStreamTag" else self._with_image(source, key)
        if event is None:
            return None
        own, here = f"{self.internal}/{namespace}/{stream}", f"{self.internal}/{place[0]}/{place[1]}"
        rest = event.reference.removeprefix(own)
        if self.internal and not wish.reference and rest != event.reference and rest[:1] in ("", "@", ":"):
            event = replace(event, reference=here + rest)
        return event

    def _with_image(self, source: Stream, key: str) -> Event:
        items = [item for _, history in sorted(source.tags.items()) for item in history.items if item.image]
        found = [item for item in items if item.image.startswith(key) or item.image.partition(":")[2].startswith(key)]
        if len({item.image for item in found}) != 1:
            raise Refused(422, "no such image, or several")
        return replace(found[0], created=self.now)

    # --- those who follow

    def _followers(self, place: Place, stream: Stream, tag: str) -> list[str]:
        return [
            name
            for name, wish in sorted(stream.wishes.items())
            if name != tag and wish.kind == "ImageStreamTag" and self._target(place, wish) == (place, tag)
        ]

    def _follow(self, stream: Stream, tag: str, event: Event) -> None:
        head, wish = stream.head(tag), stream.wishes[tag]
        if head is not None and head.points != event.points and wish.held:
            self._stay(stream, tag, event)
        else:
            push(stream, tag, event)

    def _stay(self, stream: Stream, tag: str, event: Event) -> None:
        """Say of a held tag what it would have pointed to."""
        wish = stream.wishes[tag]
        reason, owner, expires = wish.hold or ("", "", "")
        why = f"held by {owner} until {expires or 'it is lifted'}: {reason}"
        text = f"{event.reference} was found, but the tag is {why}"
        note(stream.tags[tag], ("Held", "True", "NewerImage", text, wish.generation or 0))

    def _let_go(self, place: Place, new: Stream, old: Stream) -> None:
        noted = [tag for tag, each in sorted(new.tags.items()) if any(one[0] == "Held" for one in each.conditions)]
        was_held = [tag for tag, wish in sorted(old.wishes.items()) if wish.held]
        for tag in dict.fromkeys([*noted, *was_held]):
            wish = new.wishes.get(tag)
            if wish is not None and wish.held:
                continue
            if tag in new.tags:
                new.tags[tag].conditions = [one for one in new.tags[tag].conditions if one[0] != "Held"]
            target = self._target(place, wish) if wish is not None and wish.kind == "ImageStreamTag" else None
            event = new.head(target[1]) if target is not None and target[0] == place else None
            if event is not None:
                push(new, tag, event)

    def _follow_on(self, place: Place, new: Stream, old: Stream) -> None:
        moved = [tag for tag in sorted(new.tags) if new.head(tag) is not None and new.head(tag) != old.head(tag)]
        settled: set[str] = set()
        while moved:
            tag = moved.pop(0)
            event = new.head(tag)
            for name in self._followers(place, new, tag):
                if event is not None and name not in settled:
                    settled.add(name)
                    self._follow(new, name, event)
                    moved.append(name)

    # --- what is kept

    def _violates(self, new: Stream, old: Stream) -> bool:
        """Whether a write moves a tag that is held and stays so."""
        for name, before in old.wishes.items():
            after, was, is_ = new.wishes.get(name), old.head(name), new.head(name)
            if not before.held or (after is not None and after.hold != before.hold):
                continue
            moved = was is not None and (is_ is None or is_.points != was.points)
            if after is None or moved or (after.sourced and _asks(after) != _asks(before)):
                return True
        return False

    def _keep(self, place: Place, new: Stream, old: Stream | None, reason: str, *, dry: bool) -> bool:
        if dry or new == old:
            return False
        self.streams[place] = new
        self._enter(place, new, old or Stream(), reason)
        return True

    def _enter(self, place: Place, new: Stream, old: Stream, reason: str) -> None:
        for tag in sorted({*old.tags, *new.tags}):
            was = [item.points for item in old.tags.get(tag, History()).items]
            is_ = [item.points for item in new.tags.get(tag, History()).items]
            before = was[0] if was else ("", "")
            for after in _passed(was, is_):
                if before != after:
                    self.ledger.append((*place, tag, *after, *before, reason))
                before = after


def _passed(was: list[Points], is_: list[Points]) -> list[Points]:
    """What a tag pointed to one after the other while its history became another one: both are newest first.

    Everything from the oldest item on that was not there before, of which the history is no mere remainder.
    """
    known = next(many for many in range(len(is_), -1, -1) if _remains(is_[len(is_) - many :], was))
    added = is_[: len(is_) - known]
    return added[::-1] or is_[:1] or [("", "")]


def _remains(part: list[Points], whole: list[Points]) -> bool:
    """Whether a history came from another one by leaving items out."""
    return any(list(each) == part for each in itertools.combinations(whole, len(part)))


def _asks(wish: Wish) -> tuple[str, str, str, bool, str]:
    return wish.kind, wish.namespace, wish.source, wish.reference, wish.mode
