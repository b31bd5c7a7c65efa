"""Semantic versions and their ranges, against what npm and Masterminds/semver say of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestreams.versions import Range, natural, numbers, version

RANGES = [
    (">=1.4 <2", "1.4.0 1.5.0 1.9.9 v1.5.0", "1.3.9 2.0.0 1.5.0-rc.1"),
    (">= 1.4, < 2", "1.4.0", "2.0.0"),
    ("=>1.0 =<2.0", "1.0.0 2.0.9", "2.1.0"),
    ("1.4", "1.4.0 1.4.9", "1.5.0 1.3.0"),
    ("1.4.x", "1.4.0 1.4.9", "1.5.0"),
    ("1.X", "1.0.0 1.9.0", "2.0.0"),
    ("*", "0.0.1 9.0.0", "1.0.0-alpha"),
    ("=1.4.2", "1.4.2", "1.4.3"),
    ("!=1.4.2", "1.4.1 1.4.3", "1.4.2"),
    (">1.4", "1.5.0", "1.4.0 1.4.9"),
    (">1.4.2", "1.4.3 1.5.0", "1.4.2 1.4.1"),
    ("<=1.4", "1.4.9 0.1.0", "1.5.0"),
    ("<=1.4.2", "1.4.2", "1.4.3"),
    ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"),
    ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"),
    ("^0.0.3", "0.0.3", "0.0.4"),
    ("^0.0", "0.0.1", "0.1.0"),
    ("^0", "0.9.0", "1.0.0"),
    ("~1.2.3", "1.2.3 1.2.9", "1.3.0"),
    ("~>1.2", "1.2.0 1.2.9", "1.3.0"),
    ("~1", "1.9.0", "2.0.0"),
    ("1.2 - 1.4", "1.2.0 1.4.9", "1.5.0 1.1.9"),
    ("1.2 - 1.4.5", "1.4.5", "1.4.6"),
    ("1.x || >=3.1", "1.0.0 3.1.0", "2.0.0 3.0.0"),
    (">=1.5.0-rc.1", "1.5.0-rc.1 1.5.0-rc.2 1.5.0 1.6.0", "1.5.0-beta 1.6.0-rc.1"),
    ("<*", "", "0.0.0 1.0.0"),
    (">*", "", "0.0.0 1.0.0"),
]


@pytest.mark.parametrize(("text", "inside", "outside"), RANGES)
def test_a_range_holds_what_it_says(text: str, inside: str, outside: str) -> None:
    found = Range.parse(text)

    def holds(name: str) -> bool:
        known = version(name)
        assert known is not None
        return found.holds(known, prereleases=False)

    assert [name for name in inside.split() if not holds(name)] == []
    assert [name for name in outside.split() if holds(name)] == []


@pytest.mark.parametrize(
    ("text", "name", "inside"),
    [
        (">=1.4 <2", "1.5.0-rc.1", True),
        (">=1.4 <2", "1.4.0-rc.1", True),
        (">=1.4.0 <2", "1.4.0-rc.1", False),
        (">=1.4 <2", "2.0.0-rc.1", False),
        ("<2.0.0", "2.0.0-rc.1", False),
        ("^1.4", "2.0.0-alpha", False),
        ("*", "1.0.0-alpha", True),
    ],
)
def test_pre_releases_count_where_they_are_asked_for(text: str, name: str, inside: bool) -> None:
    known = version(name)

    assert known is not None
    assert Range.parse(text).holds(known, prereleases=True) is inside


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", ">=", ">=a", "1.2.3.4", "1..2", "|| 1", "1 ||", "1 || || 2", ">=1.2.3-", "1 - ", "- 1", "1.0.0-01",
     "01.0", ">>1", "1" * 30, "x" * 201],
)  # fmt: skip
def test_a_text_that_is_no_range_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be a range"):
        Range.parse(text)


@settings(deadline=None)
@given(st.text(alphabet="0123456789.xX*<>=^~!|, -vabc", max_size=40))
def test_any_text_is_a_range_or_is_refused(text: str) -> None:
    known = version("1.2.3")
    assert known is not None
    try:
        found = Range.parse(text)
    except ValueError:
        return

    assert found.holds(known, prereleases=True) in (True, False)


@settings(deadline=None)
@given(*[st.integers(0, 12)] * 3)
def test_a_caret_is_the_interval_that_npm_says(major: int, minor: int, patch: int) -> None:
    text = f"{major}.{minor}.{patch}"
    end = f"{major + 1}.0.0" if major else f"0.{minor + 1}.0" if minor else f"0.0.{patch + 1}"
    caret, interval = Range.parse(f"^{text}"), Range.parse(f">={text} <{end}")

    for name in (text, end, f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0", "0.0.0"):
        known = version(name)
        assert known is not None
        assert caret.holds(known, prereleases=False) is interval.holds(known, prereleases=False), name


@pytest.mark.parametrize("text", ["1.4", "1", "latest", "1.4.2.1", "01.4.2", "vv1.4.2", ""])
def test_a_moving_tag_is_no_version(text: str) -> None:
    assert version(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("22.04", (22, 4)), ("v2024.01.02-3", (2024, 1, 2, 3)), ("7", (7,)), ("7a", None), ("1..2", None), ("-1", None)],
)
def test_numbers_are_read_part_by_part(text: str, expected: tuple[int, ...] | None) -> None:
    assert numbers(text) == expected


def test_names_are_ordered_as_people_do() -> None:
    names = ["build-9", "build-10", "build", "a2b", "a10b", "2", "10"]

    assert sorted(names, key=natural) == ["a2b", "a10b", "build", "build-9", "build-10", "2", "10"]
