"""Guesses are few, and the newest ones."""

from __future__ import annotations

from imagestreams.api.guesses import Guesses


def test_the_guess_at_a_tag_is_what_was_noted_last() -> None:
    guesses = Guesses()
    guesses.note(("team", "app", "x"), "one")
    guesses.note(("team", "app", "x"), "two")

    assert guesses.of(("team", "app", "x")) == "two"
    assert guesses.of(("team", "app", "y")) == ""


def test_nothing_is_guessed_of_a_tag_that_points_to_no_image() -> None:
    guesses = Guesses()
    guesses.note(("team", "app", "x"), "one")
    guesses.note(("team", "app", "x"), "")

    assert guesses.of(("team", "app", "x")) == ""


def test_the_tags_that_nobody_reads_are_forgotten_first() -> None:
    guesses = Guesses(kept=2)
    guesses.note(("team", "app", "old"), "one")
    guesses.note(("team", "app", "read"), "two")
    guesses.of(("team", "app", "old"))
    guesses.note(("team", "app", "new"), "three")

    assert [guesses.of(("team", "app", tag)) for tag in ("old", "read", "new")] == ["one", "", "three"]
