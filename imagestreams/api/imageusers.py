"""The subresource images/users: which tags, triggers and manifest lists use an image, and which tags used it once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from imagestreams import ledger, members, moments, spans
from imagestreams.api.images import IMAGES
from imagestreams.api.imagestreamtags import IMAGE_STREAM_TAGS
from imagestreams.api.imagetrigger import IMAGE_TRIGGERS
from imagestreams.ledgertypes import GROUP, VERSION, ImageUser, instant
from imagestreams.spans import Stay
from imagestreams.triggers import subscriptions
from registry_meta.kube import changes, errors, store, table
from registry_meta.kube.continuation import not_valid, read_token, token
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupKind, ObjectMeta, ObjectReference
from registry_meta.kube.pagination import Page
from registry_meta.kube.parameters import number
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Column, Option, Resource, Subresource

OPTIONS = GroupKind(GROUP, "ImageUserOptions")
ORDER = (IMAGE_STREAM_TAGS.kind, IMAGE_TRIGGERS.kind, IMAGES.kind)
PLACE = "([0-9])[.]([0-9]{1,18})"
"""Which kind the last user of a page is of, and how many of its uses came before."""

Key = tuple[int, str, str, int]
"""Where a use stands among all: its user by kind, namespace and name, and how many uses of the same one are older."""


@dataclass(frozen=True, slots=True)
class _Use:
    """One use of an image; an open end is still going on."""

    user: ObjectReference
    since: datetime
    until: datetime | None = None
    reference: str = ""
    through: ObjectReference | None = None
    platform: str = ""


class UsersStorage:
    """Looks into the ledger and the tables of triggers and manifest lists, whoever may see what it finds."""

    def get(self, name: str, *, context: Context) -> Page:
        """Return who uses an image: tags, triggers, manifest lists; raises 404 for one that nobody ever knew."""
        begin, end = _window(context)
        limit = max(number(context.query, "limit"), 0)
        version, after = _start(context.query.get("continue", ""))
        found = _in_order(_uses(name, version=version))
        if not found and not ledger.knows_image(name) and store.find(IMAGES, "", name) is None:
            raise errors.not_found(IMAGES.group_resource, name)
        rest = [(key, use) for key, use in found if after is None or key > after]
        within = [each for each in rest if spans.overlaps(each[1].since, each[1].until, begin=begin, end=end)]
        page = within[:limit] if limit else within
        continue_ = _token(version, page[-1][0]) if len(page) < len(within) else ""
        return Page([store.encode(_shown(use)) for _, use in page], version, continue_)


def _start(text: str) -> tuple[int, Key | None]:
    """Return the version that a page shows and behind which use it begins."""
    if not text:
        return changes.newest(), None
    known = read_token(text)
    numbers, (namespace, _, name) = re.fullmatch(PLACE, known.start[0]), known.start[1].partition("/")
    if numbers is None:
        raise not_valid(text)
    return known.rv, (int(numbers[1]), namespace, name, int(numbers[2]))


def _token(version: int, last: Key) -> str:
    kind, namespace, name, nth = last
    return token(version, (f"{kind}.{nth}", f"{namespace}/{name}"))


def _in_order(uses: Iterable[_Use]) -> list[tuple[Key, _Use]]:
    seen: Counter[tuple[int, str, str]] = Counter()
    found: list[tuple[Key, _Use]] = []
    for use in uses:
        user = (ORDER.index(use.user.kind), use.user.namespace, use.user.name)
        found.append(((*user, seen[user]), use))
        seen[user] += 1
    return sorted(found, key=lambda each: each[0])


def _window(context: Context) -> tuple[datetime | None, datetime | None]:
    problems: list[FieldError] = []
    begin = moments.asked(context.query, "since", problems)
    end = moments.asked(context.query, "until", problems)
    if begin is not None and end is not None and end < begin:
        problems.append(errors.invalid_value("until", context.query["until"], "must not be before since"))
    if problems:
        raise errors.invalid(OPTIONS, "", problems)
    return begin, end


def _uses(digest: str, *, version: int) -> Iterator[_Use]:
    current: dict[tuple[str, str, str], Stay] = {}
    for stay in spans.joined(ledger.stays(digest, version=version), digest):
        if stay.until is None:
            current[stay.place] = stay
        yield _Use(_tag(stay.place), stay.since, stay.until, reference=stay.reference)
    for (namespace, name), place in subscriptions.of_image(digest):
        if place in current:
            trigger = _reference(IMAGE_TRIGGERS, namespace, name)
            stay = current[place]
            yield _Use(trigger, stay.since, reference=stay.reference, through=_tag(place))
    for row in members.lists_with(digest):
        yield _Use(_reference(IMAGES, "", row.image), row.since, platform=row.platform)


def _tag(place: tuple[str, str, str]) -> ObjectReference:
    namespace, stream, tag = place
    return _reference(IMAGE_STREAM_TAGS, namespace, f"{stream}:{tag}")


def _reference(resource: Resource, namespace: str, name: str) -> ObjectReference:
    return ObjectReference(api_version=resource.api_version, kind=resource.kind, namespace=namespace, name=name)


def _shown(use: _Use) -> ImageUser:
    return ImageUser(
        metadata=ObjectMeta(name=use.user.name, namespace=use.user.namespace),
        user=use.user,
        current=use.until is None,
        since=instant(use.since),
        until=instant(use.until) if use.until is not None else None,
        reference=use.reference,
        through=use.through,
        platform=use.platform,
    )


def row(use: ImageUser, now: datetime) -> list[object]:
    """Return the cells of a use."""
    through = f"{use.through.namespace}/{use.through.name}" if use.through is not None else use.platform
    ended = table.age(use.until, now) if use.until else ""
    return [
        use.user.name, use.user.namespace, use.user.kind, use.current, table.age(use.since, now), ended, through,
        use.reference,
    ]  # fmt: skip


USERS = Subresource(
    name="users",
    storage=UsersStorage(),
    type=ImageUser,
    kind="ImageUser",
    group=GROUP,
    version=VERSION,
    is_list=True,
    columns=(
        Column("Name", format="name", description="The name of the user."),
        Column("Namespace", description="The namespace of the user."),
        Column("Kind", description="The kind of the user."),
        Column("Current", type="boolean", description="Whether it uses the image now."),
        Column("Since", description="How long ago the use began."),
        Column("Until", description="How long ago the use ended."),
        Column("Through", description="The tag that a trigger listens to, or the platform of a member."),
        Column("Reference", description="The pull spec of the image.", priority=1),
    ),
    row=row,
    options=(
        Option(name="continue", description="Where the page begins: the value that came with the page before."),
        Option(name="limit", description="How many uses come at most in one page.", type="integer"),
        Option(name="since", description="A time (RFC 3339): only uses that went on then or began later."),
        Option(name="until", description="A time (RFC 3339): only uses that had begun by then."),
    ),
)
