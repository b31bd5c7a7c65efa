from __future__ import annotations

from dataclasses import replace

import pytest

from imagestreams.triggers.match import Match, TagMove, is_news, matches
from tests.imagestreams.builders import digest
from tests.imagestreams.triggers.builders import UID, listener, move


def test_a_move_concerns_those_who_listen_to_its_tag() -> None:
    listeners = [listener("one"), listener("two", tag="v1"), listener("three")]

    assert matches(listeners, move()) == [Match("one", held=False), Match("three", held=False)]


@pytest.mark.parametrize(
    "elsewhere", [replace(move(), namespace="other"), replace(move(), stream="other"), move(tag="other")]
)
def test_a_move_elsewhere_concerns_nobody(elsewhere: TagMove) -> None:
    assert matches([listener()], elsewhere) == []


@pytest.mark.parametrize(("since", "count"), [(6, 1), (7, 0), (8, 0)])
def test_moves_from_before_a_trigger_are_none_of_its_business(since: int, count: int) -> None:
    assert len(matches([listener(since=since)], move(version=7))) == count


def test_a_paused_trigger_holds_what_it_has_to_tell() -> None:
    assert matches([listener(paused=True)], move()) == [Match(UID, held=True)]


@pytest.mark.parametrize(("resumed", "held"), [(6, False), (7, True), (8, True)])
def test_a_move_read_late_is_held_if_it_came_during_the_pause(resumed: int, held: bool) -> None:
    assert matches([listener(resumed=resumed)], move(version=7)) == [Match(UID, held=held)]


def test_another_image_than_the_one_told_is_news() -> None:
    assert is_news(move("c", "a"), (digest("b"), f"quay.io/example/app@{digest('b')}"))


def test_the_image_told_last_is_no_news() -> None:
    told = move("b", "a")

    assert not is_news(move("b", "c"), (told.digest, told.reference))


def test_before_anything_was_told_the_image_before_the_pause_is_no_news() -> None:
    assert not is_news(move("a", "a"), None)
    assert is_news(move("b", "a"), None)


def test_a_move_without_an_image_is_a_removal() -> None:
    assert move("", "a").removed
    assert not move("b", "").removed
