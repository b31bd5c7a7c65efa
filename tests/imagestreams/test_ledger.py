from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from imagestreams import ledger, tags
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.ledger import Use
from imagestreams.models import TagEvent
from imagestreams.types import ImageStream
from registry_meta.kube.request import Actor, Context
from tests.imagestreams.builders import NOW, digest, event, stream

pytestmark = pytest.mark.django_db


class Writer:
    """Writes states of a stream into the ledger, one a minute."""

    def __init__(self, name: str = "app") -> None:
        self.name = name
        self.current: ImageStream | None = None

    def write(self, version: int, *, reason: str = "", **heads: str) -> datetime:
        """Record the state in which tags point to images, given by the start of their digests."""
        new = stream(self.name)
        new.metadata.uid = f"uid-of-{self.name}"
        for tag, image in heads.items():
            tags.push(new, tag, event(image, generation=version))
        return self.record(new, version, reason=reason)

    def record(self, new: ImageStream | None, version: int, *, reason: str = "") -> datetime:
        moment = NOW + timedelta(minutes=version)
        context = Context(Actor("jane"), IMAGE_STREAMS, moment, namespace="shop", reason=reason)
        ledger.record(new, self.current, version=version, context=context)
        self.current = new
        return moment


def test_only_moved_tags_are_entered() -> None:
    writer = Writer()
    writer.write(1, latest="a", v1="a")

    moment = writer.write(2, reason="imported", latest="b", v1="a")

    newest = TagEvent.objects.get(version=2)
    assert (newest.namespace, newest.stream, newest.stream_uid, newest.tag) == ("shop", "app", "uid-of-app", "latest")
    assert (newest.digest, newest.previous_digest) == (digest("b"), digest("a"))
    assert newest.reference == f"quay.io/example/app@{digest('b')}"
    assert (newest.actor, newest.reason, newest.generation) == ("jane", "imported", 2)
    assert newest.moved_at == newest.first_seen == moment


def test_a_write_that_moves_no_tag_enters_nothing() -> None:
    writer = Writer()
    writer.write(1, latest="a")
    writer.write(2, latest="a")

    assert TagEvent.objects.count() == 1


def test_a_move_without_a_reason_is_an_edit() -> None:
    Writer().write(1, latest="a")

    assert TagEvent.objects.get().reason == "edited"


def test_a_digest_that_comes_back_is_known_since_it_first_came() -> None:
    writer = Writer()
    first = writer.write(1, latest="a")
    writer.write(2, latest="b")
    writer.write(3, latest="a", v1="a")
    Writer("other").write(4, latest="a")

    seen = {(row.stream, row.version): row.first_seen for row in TagEvent.objects.filter(digest=digest("a"))}
    assert seen["app", 1] == seen["app", 3] == first
    assert seen["other", 4] > first


def test_removed_tags_and_streams_are_entered_without_an_image() -> None:
    writer = Writer()
    writer.write(1, latest="a", v1="a")
    writer.write(2, latest="a")
    writer.record(None, 3)

    removed = TagEvent.objects.filter(digest="", reference="").order_by("version")
    assert [(row.tag, row.version, row.previous_digest) for row in removed] == [
        ("v1", 2, digest("a")),
        ("latest", 3, digest("a")),
    ]


def test_the_history_of_a_tag_begins_with_the_newest() -> None:
    writer = Writer()
    for version, image in enumerate("abc", start=1):
        writer.write(version, latest=image, v1="f")

    history = ledger.history("shop", "app", "latest")
    assert [row.digest for row in history] == [digest("c"), digest("b"), digest("a")]
    assert len(ledger.history("shop", "app", "latest", limit=2)) == 2
    assert ledger.history("shop", "app", "v2") == []


def test_the_ledger_knows_what_a_tag_was_at_any_moment() -> None:
    writer = Writer()
    first = writer.write(1, latest="a")
    second = writer.write(2, latest="b")
    gone = writer.record(None, 3)

    def at(moment: datetime) -> str | None:
        found = ledger.at("shop", "app", "latest", moment)
        return found.digest if found is not None else None

    assert at(first - timedelta(seconds=1)) is None
    assert at(first) == at(second - timedelta(seconds=1)) == digest("a")
    assert at(second) == digest("b")
    assert at(gone) is None


def test_the_ledger_knows_who_uses_a_digest_now() -> None:
    app, other = Writer("app"), Writer("other")
    app.write(1, latest="a", v1="a")
    other.write(2, latest="a")
    app.write(3, latest="b", v1="a")

    assert ledger.uses(digest("a")) == [Use("shop", "app", "v1"), Use("shop", "other", "latest")]
    assert ledger.uses(digest("b")) == [Use("shop", "app", "latest")]
    other.record(None, 4)
    assert ledger.uses(digest("a")) == [Use("shop", "app", "v1")]
