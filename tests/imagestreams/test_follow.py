"""How rules to follow are written, and which tags they know."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from imagestreams import follow, rollbacks
from imagestreams.follow import (
    ALLOW_LOWER,
    EXCLUDE,
    MIN_AGE,
    ORDER,
    PATTERN,
    PREFIX,
    PRERELEASES,
    SEMVER,
    TRUST_EXISTING,
    Rule,
)
from imagestreams.types import TagReference
from tests.imagestreams.builders import NOW, digest, event, stream, wish

FIELD = "spec.tags[stable].annotations"
RANGE = {SEMVER: ">=1.4 <2"}
SIGNATURE = f"sha256-{'a' * 64}.sig"


def following(annotations: dict[str, str], source: str = "quay.io/acme/app") -> TagReference:
    tag = wish("stable", source, generation=1)
    tag.annotations = annotations
    return tag


def rule(annotations: dict[str, str]) -> Rule:
    found = follow.rule_of(following(annotations))
    assert found is not None
    return found


def known(annotations: dict[str, str], *names: str) -> list[str]:
    """Return the names that a rule knows, the lowest first."""
    found = rule(annotations)
    values = {name: found.value(name) for name in names}
    return sorted((name for name in names if values[name] is not None), key=lambda name: values[name])


# --- how a rule is written


@pytest.mark.parametrize(
    ("annotations", "fields"),
    [
        ({}, []),
        ({"other": "note"}, []),
        (RANGE, []),
        ({ORDER: "newest"}, []),
        ({ORDER: "semver", PRERELEASES: "true"}, []),
        (
            {**RANGE, PATTERN: r"^v(?P<version>\d+\.\d+\.\d+)$", EXCLUDE: "v1.5.0", MIN_AGE: "3d12h",
             TRUST_EXISTING: "false", ALLOW_LOWER: "v1.5.0"}, [],
        ),
        ({PATTERN: "v.*"}, [ORDER]),
        ({SEMVER: "a"}, [SEMVER]),
        ({ORDER: "random"}, [ORDER]),
        ({SEMVER: "1", ORDER: "newest"}, [SEMVER]),
        ({ORDER: "newest", PRERELEASES: "true"}, [PRERELEASES]),
        ({**RANGE, PRERELEASES: "yes"}, [PRERELEASES]),
        ({**RANGE, TRUST_EXISTING: ""}, [TRUST_EXISTING]),
        ({**RANGE, PATTERN: "(a"}, [PATTERN]),
        ({**RANGE, PATTERN: r"(?=a)b"}, [PATTERN]),
        ({**RANGE, PATTERN: r"(a)\1"}, [PATTERN]),
        ({**RANGE, PATTERN: "a" * 501}, [PATTERN]),
        ({**RANGE, PATTERN: ""}, [PATTERN]),
        ({**RANGE, EXCLUDE: r"((\pL{100}){10}){10}"}, [EXCLUDE]),
        ({**RANGE, MIN_AGE: "72"}, [MIN_AGE]),
        ({**RANGE, MIN_AGE: "-3d"}, [MIN_AGE]),
        ({**RANGE, MIN_AGE: "9999d"}, [MIN_AGE]),
        ({**RANGE, MIN_AGE: "999999999d999999999d999999999d"}, [MIN_AGE]),
        ({**RANGE, ALLOW_LOWER: "not a tag"}, [ALLOW_LOWER]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_named(annotations: dict[str, str], fields: list[str]) -> None:
    found = follow.problems(following(annotations), "spec.tags[stable]")

    assert [problem.field for problem in found] == [f"{FIELD}[{key}]" for key in fields]


def test_a_word_of_rules_that_there_is_not_is_refused() -> None:
    [problem] = follow.problems(following({**RANGE, f"{PREFIX}minage": "3d"}), "spec.tags[stable]")

    assert str(problem).startswith(f'{FIELD}: Unsupported value: "{PREFIX}minage"')


def test_a_pattern_that_is_none_is_told_why() -> None:
    [problem] = follow.problems(following({**RANGE, PATTERN: "v(?=1)"}), "tag")

    assert "must be a regular expression (RE2): invalid perl operator: (?=" in str(problem)


@pytest.mark.parametrize(
    ("tag", "field"),
    [
        (wish("stable", "app:latest", kind="ImageStreamTag"), FIELD),
        (wish("stable"), FIELD),
        (wish("stable", "quay.io/acme/app:1", reference=True), "spec.tags[stable].reference"),
        (wish("stable", f"quay.io/acme/app@{digest('a')}"), "spec.tags[stable].from.name"),
    ],
)
def test_only_what_is_imported_by_tag_can_follow(tag: TagReference, field: str) -> None:
    tag.annotations = dict(RANGE)

    assert [problem.field for problem in follow.problems(tag, "spec.tags[stable]")] == [field]


def test_an_evil_pattern_takes_no_time() -> None:
    found = rule({ORDER: "newest", PATTERN: r"(a*)*(a|a|a?)+b"})
    begin = time.monotonic()

    for _ in range(1000):
        assert found.value("a" * 127 + "c") is None

    assert time.monotonic() - begin < 5


def test_a_length_of_time_may_have_parts() -> None:
    assert rule({**RANGE, MIN_AGE: "1d2h30m"}).min_age == timedelta(days=1, hours=2, minutes=30)


def test_a_tag_that_is_pinned_by_a_rollback_follows_no_longer() -> None:
    tag = following({**RANGE, "note": "kept"})
    of = stream("app", tag, stable=[event("b"), event("a")])

    rollbacks.apply(of, "stable", rollbacks.point(digest("a"), "quay.io/acme/app", now=NOW), hold=None)

    [pinned] = of.spec.tags or []
    assert pinned.annotations == {"note": "kept"}
    assert follow.problems(pinned, "tag") == []


# --- which tags a rule knows


def test_versions_are_ordered_as_versions() -> None:
    names = ("1.9.0", "1.10.0", "v1.4.0", "2.0.0", "1.5", "latest", "1.11.0-rc.1", "1.4.2-alpine")

    assert known(RANGE, *names) == ["v1.4.0", "1.9.0", "1.10.0"]
    assert known({**RANGE, PRERELEASES: "true"}, *names) == [
        "v1.4.0", "1.4.2-alpine", "1.9.0", "1.10.0", "1.11.0-rc.1",
    ]  # fmt: skip


def test_a_pattern_takes_the_version_out_of_a_tag() -> None:
    pattern = {**RANGE, PATTERN: r"(?P<version>\d+\.\d+\.\d+)-alpine"}

    assert known(pattern, "1.4.2-alpine", "1.4.10-alpine", "1.4.3", "1.4.4-alpine3.20") == [
        "1.4.2-alpine", "1.4.10-alpine",
    ]  # fmt: skip


def test_a_pattern_must_fit_all_of_a_tag() -> None:
    assert known({ORDER: "alphabetical", PATTERN: "main-.*"}, "main-1", "not-main-1") == ["main-1"]


def test_a_group_that_took_nothing_leaves_a_tag_out() -> None:
    assert known({ORDER: "newest", PATTERN: "v(?P<version>[0-9]+)?"}, "v", "v1") == ["v1"]


def test_what_is_excluded_does_not_count() -> None:
    assert known({**RANGE, EXCLUDE: r"1\.5\.0|.*-broken"}, "1.5.0", "1.4.0", "1.5.1") == ["1.4.0", "1.5.1"]


def test_numbers_are_ordered_as_numbers() -> None:
    assert known({ORDER: "numerical"}, "22.10", "22.4", "9", "22.4.1", "noble") == ["9", "22.4", "22.4.1", "22.10"]


@pytest.mark.parametrize("order", ["alphabetical", "newest"])
def test_tags_that_sign_and_describe_images_never_count(order: str) -> None:
    assert known({ORDER: order}, SIGNATURE, SIGNATURE.removesuffix(".sig"), "sha256-beta") == ["sha256-beta"]


@pytest.mark.parametrize(
    ("annotations", "text"),
    [
        (RANGE, 'semver ">=1.4 <2"'),
        ({ORDER: "newest", PATTERN: "main-.*"}, 'newest order of pattern "main-.*"'),
        ({ORDER: "semver", EXCLUDE: "1.0.0"}, 'semver "*" without "1.0.0"'),
    ],
)
def test_a_rule_says_what_it_is(annotations: dict[str, str], text: str) -> None:
    assert str(rule(annotations)) == text
