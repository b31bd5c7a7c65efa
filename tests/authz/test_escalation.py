"""Which rights lie outside of those that somebody holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from authz.escalation import EVERYTHING, covers, described, missing, refusal, rights
from authz.rules import PolicyRule

words = some.lists(some.sampled_from(["a", "b", "a/s", "*", "*/s"]), min_size=1, max_size=3)
names = some.one_of(some.none(), some.lists(some.sampled_from(["x", "y"]), min_size=1, max_size=2))
resource_rules = some.builds(PolicyRule, verbs=words, api_groups=words, resources=words, resource_names=names)
path_rules = some.builds(
    PolicyRule, verbs=words, non_resource_urls=some.lists(some.sampled_from(["/", "/a", "/a*", "*"]), min_size=1)
)
rules = some.lists(some.one_of(resource_rules, path_rules), max_size=4)


@given(rules)
def test_who_holds_rules_may_give_them(held: list[PolicyRule]) -> None:
    assert missing(held, held) == []


@given(rules)
def test_who_may_do_everything_may_give_everything(wanted: list[PolicyRule]) -> None:
    assert missing(EVERYTHING, wanted) == []


@given(rules, rules)
def test_what_is_missing_is_covered_by_no_rule_and_the_rest_by_one(
    held: list[PolicyRule], wanted: list[PolicyRule]
) -> None:
    outside = missing(held, wanted)

    for right in rights(wanted):
        assert (right in outside) is not any(covers(rule, right) for rule in held)


def rule(verbs: list[str], resources: list[str], *, resource_names: list[str] | None = None) -> PolicyRule:
    return PolicyRule(verbs=verbs, api_groups=["g"], resources=resources, resource_names=resource_names)


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (rule(["get"], ["a"], resource_names=["x"]), rule(["get"], ["a"])),
        (rule(["get"], ["a"], resource_names=["x"]), rule(["get"], ["a"], resource_names=["y"])),
        (rule(["get"], ["a", "b"]), rule(["get"], ["*"])),
        (rule(["get", "list"], ["a"]), rule(["*"], ["a"])),
        (rule(["get"], ["a"]), rule(["get"], ["a/s"])),
        (rule(["get"], ["*/s"]), rule(["get"], ["a"])),
    ],
)
def test_more_than_is_held_is_missing(held: PolicyRule, wanted: PolicyRule) -> None:
    assert missing([held], [wanted])


def test_missing_rights_are_listed_by_resource_with_their_verbs_together() -> None:
    wanted = [
        PolicyRule(verbs=["get", "update"], api_groups=["image.openshift.io"], resources=["images"]),
        PolicyRule(verbs=["*"], api_groups=["apps", ""], resources=["deployments"], resource_names=["b", "a"]),
        PolicyRule(verbs=["get", "head"], non_resource_urls=["/x"]),
    ]

    assert described(missing([], wanted)).splitlines() == [
        '{APIGroups:[""], Resources:["deployments"], ResourceNames:["a"], Verbs:["*"]}',
        '{APIGroups:[""], Resources:["deployments"], ResourceNames:["b"], Verbs:["*"]}',
        '{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["a"], Verbs:["*"]}',
        '{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["b"], Verbs:["*"]}',
        '{APIGroups:["image.openshift.io"], Resources:["images"], Verbs:["get" "update"]}',
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
        '{NonResourceURLs:["/x"], Verbs:["head"]}',
    ]


def test_a_refusal_names_the_user_and_the_groups() -> None:
    text = refusal("ann", ("team", "system:authenticated"), missing([], [rule(["get"], ["a"])]))

    assert text == (
        'user "ann" (groups=["team" "system:authenticated"]) is attempting to grant RBAC permissions not currently'
        ' held:\n{APIGroups:["g"], Resources:["a"], Verbs:["get"]}'
    )
