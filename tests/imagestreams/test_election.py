"""What is elected of the tags that a registry lists, and that nothing it lists brings a tag down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagestreams import follow
from imagestreams.election import KEPT, Content, Election, Mark, Reason, Sighting, Tally, decide
from imagestreams.follow import ALLOW_LOWER, EXCLUDE, MIN_AGE, ORDER, SEMVER, TRUST_EXISTING, Rule
from imagestreams.reference import precedence
from tests.imagestreams.builders import NOW, wish

RANGE = {SEMVER: ">=1.4 <2"}
AGED = {**RANGE, MIN_AGE: "72h"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG_AGO = NOW - 100 * DAY


def rule(annotations: Mapping[str, str]) -> Rule:
    tag = wish("stable", "quay.io/acme/app")
    tag.annotations = dict(annotations)
    found = follow.rule_of(tag)
    assert found is not None
    return found


def elect(
    annotations: Mapping[str, str],
    listed: Mapping[str, datetime] | Sequence[str],
    *,
    mark: Mark | str | None = None,
    start: str = "",
    contents: Mapping[str, Content] | None = None,
    known: Sequence[Sighting] = (),
    existing: bool = False,
    doubted: bool = False,
    now: datetime = NOW,
) -> Election:
    """Elect of tags, each with when it was first seen; without contents those are as old as their tags."""
    seen = listed if isinstance(listed, Mapping) else dict.fromkeys(listed, LONG_AGO)
    mark = Mark(mark) if isinstance(mark, str) else mark
    tally = Tally(rule(annotations), now=now, mark=mark, start=start, known=known)
    for tag, since in seen.items():
        tally.add(Sighting(tag, since, existing))
    if contents is None:
        contents = {tag: Content(f"sha256:{tag}", seen[tag], is_first=True) for tag in tally.to_ask()}
    return decide(tally, contents, doubted=doubted)


def said(found: Election) -> tuple[str, str]:
    return found.tag, found.reason


# --- what is elected


def test_the_highest_tag_that_fits_is_elected() -> None:
    found = elect(RANGE, ["1.4.0", "2.0.0", "1.10.0", "1.9.0", "latest"])

    assert found == Election("1.10.0", Reason.NEWEST, '1.10.0 is elected by semver ">=1.4 <2"')
    assert found.is_elected


def test_the_tag_that_was_seen_last_is_newest_whatever_its_name() -> None:
    listed = {"main-9": NOW - DAY, "main-10": NOW - 2 * DAY, "main-1": NOW - HOUR}

    assert elect({ORDER: "newest"}, listed).tag == "main-1"


def test_of_tags_that_were_first_seen_together_the_name_decides_as_people_read_it() -> None:
    assert elect({ORDER: "newest"}, ["main-9", "main-10", "main-1"]).tag == "main-10"


def test_where_a_rule_sees_no_difference_the_tag_stays() -> None:
    assert elect(RANGE, ["v1.4.2", "1.4.2"]).tag == "1.4.2"
    assert elect(RANGE, ["v1.4.2", "1.4.2"], mark="v1.4.2").tag == "v1.4.2"


def test_a_tag_that_means_the_same_takes_the_place_of_one_that_is_gone() -> None:
    assert said(elect(RANGE, ["v1.4.2", "1.4.1"], mark="1.4.2")) == ("v1.4.2", Reason.NEWEST)


def test_where_nothing_fits_nothing_is_elected() -> None:
    found = elect(RANGE, ["latest", "3.0.0"])

    assert (found.tag, found.reason, found.is_elected) == ("", Reason.NO_MATCH, False)


# --- where it starts


def test_a_tag_starts_where_its_source_says_until_one_is_elected() -> None:
    found = elect(AGED, {"latest": NOW, "1.5.0": NOW}, start="latest")

    assert (said(found), found.stays, found.is_elected) == (("latest", Reason.START), False, False)
    assert found.wakes_at == NOW + 3 * DAY


def test_nothing_below_the_start_is_elected() -> None:
    assert said(elect(RANGE, ["1.4.0", "1.4.2"], start="1.5.0")) == ("1.5.0", Reason.START)
    assert said(elect(RANGE, ["1.4.0", "1.6.0"], start="1.5.0")) == ("1.6.0", Reason.NEWEST)


def test_the_start_need_not_be_old() -> None:
    assert said(elect(AGED, {"1.5.0": NOW, "1.4.0": LONG_AGO}, start="1.5.0")) == ("1.5.0", Reason.NEWEST)


# --- what it never goes below


def test_a_tag_that_is_not_listed_any_more_is_not_left() -> None:
    found = elect(RANGE, ["1.4.0", "1.4.2"], mark="1.5.0")

    assert (said(found), found.stays, found.is_elected) == (("1.5.0", Reason.GONE), True, False)
    assert found.message == (
        f"1.5.0 stays, which is not listed any more; 1.4.2 is lower, and is elected only with {ALLOW_LOWER}: 1.5.0"
    )


def test_the_word_for_going_lower_works_once_and_only_from_the_tag_that_it_names() -> None:
    allowed = {**RANGE, ALLOW_LOWER: "1.5.0"}

    assert said(elect(allowed, ["1.4.0", "1.4.2"], mark="1.5.0")) == ("1.4.2", Reason.NEWEST)
    assert said(elect(allowed, ["1.4.0"], mark="1.4.2")) == ("1.4.2", Reason.GONE)
    assert said(elect(allowed, ["1.4.0", "1.5.0"], mark="1.5.0")) == ("1.5.0", Reason.NEWEST)


def test_a_rule_that_no_longer_knows_the_tag_is_a_word_for_leaving_it() -> None:
    assert said(elect({**RANGE, EXCLUDE: "1.5.0"}, ["1.4.2", "1.5.0"], mark="1.5.0")) == ("1.4.2", Reason.NEWEST)
    assert said(elect({SEMVER: "<1.5"}, ["1.4.2", "1.5.0"], mark="1.5.0")) == ("1.4.2", Reason.NEWEST)


def test_a_list_that_is_doubted_moves_nothing() -> None:
    found = elect(RANGE, ["1.6.0"], mark="1.5.0", doubted=True)

    assert (said(found), found.stays, found.is_elected) == (("1.5.0", Reason.LIST_SHRANK), True, False)


def test_a_list_that_is_doubted_is_good_for_a_start() -> None:
    assert said(elect(RANGE, ["1.6.0"], doubted=True)) == ("1.6.0", Reason.NEWEST)


# --- how old it must be


def test_a_young_tag_waits_and_the_next_one_is_elected() -> None:
    found = elect(AGED, {"1.5.0": NOW - DAY, "1.4.2": LONG_AGO, "1.4.3": LONG_AGO})

    assert said(found) == ("1.4.3", Reason.WAITING)
    assert (found.digest, found.wakes_at) == ("sha256:1.4.3", NOW + 2 * DAY)
    assert found.message == (
        '1.4.3 is elected by semver ">=1.4 <2"; 1.5.0 waits until 2026-01-04T03:04:05Z (min-age 72h)'
    )


def test_a_tag_is_elected_at_the_moment_that_was_told() -> None:
    listed = {"1.5.0": NOW - DAY, "1.4.2": LONG_AGO}
    wakes_at = elect(AGED, listed).wakes_at
    assert wakes_at is not None

    assert elect(AGED, listed, now=wakes_at).tag == "1.5.0"
    assert elect(AGED, listed, now=wakes_at - timedelta(seconds=1)).tag == "1.4.2"


def test_what_is_told_of_those_that_wait_does_not_change_with_each_new_one() -> None:
    listed = {"1.4.0": LONG_AGO, "1.5.0": NOW - DAY}

    assert elect(AGED, listed).message == elect(AGED, {**listed, "1.5.1": NOW, "1.5.2": NOW}).message


def test_another_content_of_a_tag_has_to_wait_itself() -> None:
    mark = Mark("1.5.0", "sha256:good")
    moved = {"1.5.0": Content("sha256:evil", NOW - HOUR)}

    found = elect(AGED, ["1.5.0", "1.4.2"], mark=mark, contents=moved)

    assert (said(found), found.stays) == (("1.5.0", Reason.WAITING), True)
    assert found.wakes_at == NOW - HOUR + 3 * DAY
    assert "its new image waits until" in found.message


def test_an_old_tag_with_new_content_is_passed_over() -> None:
    moved = {"1.6.0": Content("sha256:evil", NOW), "1.5.0": Content("sha256:good", LONG_AGO)}

    assert said(elect(AGED, ["1.6.0", "1.5.0"], contents=moved)) == ("1.5.0", Reason.WAITING)


def test_a_tag_whose_content_is_not_known_is_passed_over() -> None:
    known = {"1.5.0": Content("sha256:good", LONG_AGO)}

    assert said(elect(AGED, ["1.6.0", "1.5.0"], contents=known)) == ("1.5.0", Reason.NEWEST)


def test_what_was_there_at_first_is_as_old_as_the_ledger_unless_it_is_trusted() -> None:
    assert said(elect(AGED, {"1.5.0": NOW}, existing=True)) == ("", Reason.WAITING)
    assert said(elect({**AGED, TRUST_EXISTING: "true"}, {"1.5.0": NOW}, existing=True)) == ("1.5.0", Reason.NEWEST)


def test_trust_in_what_was_there_is_none_in_what_took_its_place() -> None:
    later = {"1.5.0": Content("sha256:evil", NOW, is_first=False)}

    found = elect({**AGED, TRUST_EXISTING: "true"}, {"1.5.0": NOW}, existing=True, contents=later)

    assert said(found) == ("", Reason.WAITING)


def test_many_young_tags_do_not_hide_the_one_that_is_old_enough() -> None:
    listed = {f"1.5.{number}": NOW for number in range(10 * KEPT)} | {"1.4.0": LONG_AGO}

    assert said(elect(AGED, listed)) == ("1.4.0", Reason.WAITING)


def test_a_tally_keeps_few_of_many() -> None:
    tally = Tally(rule(AGED), now=NOW)
    for number in range(5000):
        tally.add(Sighting(f"1.5.{number}", LONG_AGO if number % 2 else NOW))

    assert len(tally.ranked()) == 2 * KEPT
    assert tally.to_ask() == ["1.5.4998", "1.5.4996", "1.5.4994", "1.5.4999", "1.5.4997", "1.5.4995"]


def test_a_name_that_comes_twice_is_one_tag() -> None:
    tally = Tally(rule(RANGE), now=NOW)
    for tag in ("1.4.0", "1.5.0", "1.4.0", "1.5.0"):
        tally.add(Sighting(tag, LONG_AGO))

    assert [seen.tag for seen in tally.ranked()] == ["1.5.0", "1.4.0"]


# --- under any list

CALM = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VERSIONS = st.builds("{}.{}.{}".format, st.integers(1, 2), st.integers(0, 6), st.integers(0, 3))
LISTS = st.lists(st.lists(VERSIONS, max_size=8), max_size=10)
ORDERS = st.sampled_from([
    {SEMVER: ">=1.4 <2"}, {SEMVER: "*"}, {ORDER: "numerical"}, {ORDER: "alphabetical"}, {ORDER: "newest"},
    {SEMVER: "*", MIN_AGE: "2h"}, {ORDER: "newest", MIN_AGE: "3h"},
])  # fmt: skip


class World:
    """A repository as a server sees it: what is listed each hour, and what it has seen and elected so far."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self.annotations = annotations
        self.now = NOW
        self.seen: dict[str, Sighting] = {}
        self.mark: Mark | None = None
        self.marks: list[str] = []

    def list(self, names: Sequence[str], *, doubted: bool = False) -> Election:
        for name in names:
            self.seen.setdefault(name, Sighting(name, self.now))
        known = [self.seen[self.mark.tag]] if self.mark is not None else []
        tally = Tally(rule(self.annotations), now=self.now, mark=self.mark, known=known)
        for name in dict.fromkeys(names):
            tally.add(self.seen[name])
        contents = {name: Content(f"sha256:{name}", self.seen[name].since) for name in tally.to_ask()}
        found = decide(tally, contents, doubted=doubted)
        if found.is_elected and not found.stays:
            self.mark = Mark(found.tag, found.digest)
            self.marks.append(found.tag)
        self.now += HOUR
        return found

    def key(self, name: str) -> object:
        value = rule(self.annotations).value(name)
        return (self.seen[name].since, value) if self.annotations.get(ORDER) == "newest" else value


@given(ORDERS, LISTS, st.data())
@CALM
def test_whatever_is_listed_what_is_elected_never_goes_lower(
    annotations: dict[str, str], lists: list[list[str]], data: st.DataObject
) -> None:
    world = World(annotations)

    for names in lists:
        found = world.list(names, doubted=data.draw(st.booleans()))
        assert world.mark is None or found.tag == world.mark.tag

    keys = [world.key(name) for name in world.marks]
    assert keys == sorted(keys)  # type: ignore[type-var]  # values of one rule are comparable


@given(ORDERS, LISTS, st.lists(VERSIONS, min_size=1, max_size=8))
@CALM
def test_once_the_list_is_whole_again_the_right_tag_is_elected(
    annotations: dict[str, str], lists: list[list[str]], whole: list[str]
) -> None:
    world = World(annotations)
    for names in [*lists, whole]:
        world.list(names)
    whole = sorted({*whole, *(name for names in lists for name in names)})
    for _ in range(5):
        found = world.list(whole)

    fitting = [name for name in whole if world.key(name) is not None and rule(annotations).value(name) is not None]
    highest = max(fitting, key=world.key, default="")  # type: ignore[arg-type]  # as above
    assert found.tag == highest


@CALM
@given(ORDERS, st.lists(VERSIONS, max_size=12).flatmap(lambda names: st.tuples(st.just(names), st.permutations(names))))
def test_the_order_of_a_list_is_of_no_matter(annotations: dict[str, str], lists: tuple[list[str], list[str]]) -> None:
    names, shuffled = lists

    assert elect(annotations, names) == elect(annotations, shuffled)


@CALM
@given(st.lists(VERSIONS, min_size=1, max_size=12))
def test_the_highest_version_is_what_semver_says(names: list[str]) -> None:
    def order(name: str) -> object:
        return precedence(name)

    assert elect({SEMVER: "*"}, names).tag == max(names, key=order)  # type: ignore[arg-type]  # none of them is None
