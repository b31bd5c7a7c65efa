"""The subresource imagestreams/history: what the ledger knows of a stream, the living and those that are gone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from imagestreams import ledger, models, moments
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.ledgertypes import GROUP, VERSION, TagEvent, instant
from registry_meta.kube import changes, errors, store, table
from registry_meta.kube.continuation import not_valid, read_token, token
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupKind, ObjectMeta, timestamp
from registry_meta.kube.pagination import Page
from registry_meta.kube.parameters import number
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Option, Subresource

OPTIONS = GroupKind(GROUP, "TagEventOptions")
MOST = 2**31
"""More than there can be in a page; what a database takes as a number ends somewhere."""

PLACE = "([0-9]{1,18})(?:-([0-9]{1,9}))?"
"""Version and, where it is not 0, position of the last move of a page."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request for history asks for; `after` is version, tag and position of the last move given already."""

    tag: str
    at: datetime | None
    since: datetime | None
    limit: int
    version: int
    after: tuple[int, str, int] | None


class HistoryStorage:
    """Lists the moves of a stream's tags, newest first, or what each tag stood at in a moment, by tag."""

    def get(self, name: str, *, context: Context) -> Page:
        """Return a page; raises 404 when there never was such a stream, 400 or 422 for what makes no sense."""
        asked = _asked(context)
        look = ledger.Look(context.namespace, name, asked.version, tag=asked.tag, since=asked.since)
        wanted = asked.limit + 1 if asked.limit else 0
        if asked.at is not None:
            after = asked.after[1] if asked.after is not None else ""
            found = ledger.states(look, asked.at, after=after, limit=wanted)
        else:
            found = ledger.moves(look, after=asked.after, limit=wanted)
        if not found and not _was_there(context.namespace, name):
            raise errors.not_found(IMAGE_STREAMS.group_resource, name)
        return _page(found, asked)


def _asked(context: Context) -> _Asked:
    query = context.query
    problems: list[FieldError] = []
    at, since = moments.asked(query, "at", problems), moments.asked(query, "since", problems)
    if query.get("at") and query.get("since"):
        problems.append(errors.field_forbidden("since", "may not be given together with at"))
    tag = query.get("tag", "")
    if not tag.isprintable():
        problems.append(errors.invalid_value("tag", tag, "must be the name of a tag"))
    if problems:
        raise errors.invalid(OPTIONS, "", problems)
    limit = min(max(number(query, "limit"), 0), MOST)
    text = query.get("continue", "")
    if not text:
        return _Asked(tag, at, since, limit, changes.newest(), None)
    known = read_token(text)
    place, last = known.start
    numbers = re.fullmatch(PLACE, place)
    if numbers is None:
        raise not_valid(text)
    return _Asked(tag, at, since, limit, known.rv, (int(numbers[1]), last, int(numbers[2] or 0)))


def _was_there(namespace: str, name: str) -> bool:
    return ledger.knows(namespace, name) or store.find(IMAGE_STREAMS, namespace, name) is not None


def _page(found: list[models.TagEvent], asked: _Asked) -> Page:
    """Return moves as a page of the ledger as it was when the first page was asked for."""
    continue_ = ""
    if asked.limit and len(found) > asked.limit:
        found = found[: asked.limit]
        continue_ = token(asked.version, (_place(found[-1]), found[-1].tag))
    return Page([store.encode(shown(event)) for event in found], asked.version, continue_)


def _place(event: models.TagEvent) -> str:
    return f"{event.version}-{event.position}" if event.position else str(event.version)


def shown(event: models.TagEvent) -> TagEvent:
    """Return a move as the API tells it."""
    meta = ObjectMeta(
        name=f"{event.tag}.{_place(event)}",
        namespace=event.namespace,
        resource_version=str(event.version),
        creation_timestamp=timestamp(event.moved_at),
    )
    return TagEvent(
        metadata=meta,
        stream_uid=event.stream_uid,
        tag=event.tag,
        image=event.digest,
        reference=event.reference,
        previous_image=event.previous_digest,
        previous_reference=event.previous_reference,
        moved_at=instant(event.moved_at),
        actor=event.actor,
        reason=event.reason,
        first_seen=instant(event.first_seen) if event.digest else None,
        generation=event.generation,
    )


def row(event: TagEvent, now: datetime) -> list[object]:
    """Return the cells of a move."""
    target = event.image or event.reference or "<removed>"
    return [
        event.metadata.name, event.tag, target, table.age(event.moved_at, now), event.actor, event.reason,
        event.reference, event.previous_image or event.previous_reference, table.age(event.first_seen, now),
    ]  # fmt: skip


HISTORY = Subresource(
    name="history",
    storage=HistoryStorage(),
    type=TagEvent,
    kind="TagEvent",
    group=GROUP,
    version=VERSION,
    is_list=True,
    columns=(
        NAME,
        Column("Tag", description="The tag that moved."),
        Column("Image", description="The digest that it points to since."),
        Column("Moved", description="How long ago it moved."),
        Column("Actor", description="Who moved it."),
        Column("Reason", description="Why it moved."),
        Column("Reference", description="The pull spec of the image.", priority=1),
        Column("Previous", description="What it pointed to before.", priority=1),
        Column("First Seen", description="How long ago the stream first had the image.", priority=1),
    ),
    row=row,
    options=(
        Option(name="at", description="A time (RFC 3339): what each tag was at that moment, instead of all moves."),
        Option(name="continue", description="Where the page begins: the value that came with the page before."),
        Option(name="limit", description="How many moves come at most in one page.", type="integer"),
        Option(name="since", description="A time (RFC 3339): only moves from then on."),
        Option(name="tag", description="Only moves of this tag."),
    ),
)
