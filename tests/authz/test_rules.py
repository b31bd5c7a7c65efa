"""Which questions a rule covers."""

from __future__ import annotations

import pytest

from authz.rules import (
    Attributes,
    Permissions,
    PolicyRule,
    account_groups,
    covers_path,
    places,
    split_account,
    with_login_group,
)

IMAGES = "image.openshift.io"


def allows(rule: PolicyRule, asked: Attributes) -> bool:
    return Permissions([rule]).allow(asked, places(asked))


def ask(verb: str = "get", resource: str = "imagestreams", name: str = "", group: str = IMAGES) -> Attributes:
    return Attributes(verb, "ns", group, "v1", resource, name)


def rule(verbs: str, groups: str, resources: str, names: str = "") -> PolicyRule:
    return PolicyRule(
        verbs=verbs.split(),
        api_groups=["" if group == "core" else group for group in groups.split()],
        resources=resources.split(),
        resource_names=names.split() or None,
    )


@pytest.mark.parametrize(
    ("granted", "asked", "allowed"),
    [
        (rule("get", IMAGES, "imagestreams"), ask(), True),
        (rule("get list", IMAGES, "images imagestreams"), ask("list"), True),
        (rule("get", IMAGES, "imagestreams"), ask("list"), False),
        (rule("get", "core", "imagestreams"), ask(), False),
        (rule("*", "*", "*"), ask("escalate", "a/b", "x", "c"), True),
        (rule("get", "*", "imagestreams"), ask(group="other"), True),
        (rule("get", IMAGES, "imagestreams"), ask(resource="imagestreams/layers"), False),
        (rule("get", IMAGES, "imagestreams/layers"), ask(resource="imagestreams/layers"), True),
        (rule("get", IMAGES, "imagestreams/layers"), ask(), False),
        (rule("get", IMAGES, "imagestreams/*"), ask(resource="imagestreams/layers"), False),
        (rule("get", IMAGES, "*/layers"), ask(resource="imagestreams/layers"), True),
        (rule("get", IMAGES, "*/layers"), ask(resource="imagestreams/status"), False),
        (rule("get", IMAGES, "*"), ask(resource="imagestreams/status"), True),
        (rule("get", IMAGES, "image*"), ask(), False),
        (rule("get", IMAGES, "imagestreams", "app"), ask(name="app"), True),
        (rule("get", IMAGES, "imagestreams", "app"), ask(name="other"), False),
        (rule("list", IMAGES, "imagestreams", "app"), ask("list"), False),
        (rule("get", IMAGES, "imagestreams"), ask("*"), False),
    ],
)
def test_a_rule_covers_what_it_names_and_no_more(granted: PolicyRule, asked: Attributes, allowed: bool) -> None:
    assert allows(granted, asked) is allowed


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("/version", "/version", True),
        ("/version", "/version/", False),
        ("/apis/*", "/apis/x", True),
        ("/apis/*", "/apis", False),
        ("/a*", "/abc/d", True),
        ("*", "/anything", True),
    ],
)
def test_a_path_is_covered_exactly_or_by_its_beginning(pattern: str, path: str, covered: bool) -> None:
    assert covers_path([pattern], path) is covered


def test_a_rule_for_resources_says_nothing_of_paths() -> None:
    assert not allows(rule("*", "*", "*"), Attributes("get", path="/metrics"))
    assert not allows(PolicyRule(verbs=["*"], non_resource_urls=["*"]), ask())


@pytest.mark.parametrize("username", ["ann", "system:serviceaccount:", "system:serviceaccount:ns:", "system:admin"])
def test_other_users_are_no_service_accounts(username: str) -> None:
    assert split_account(username) is None
    assert account_groups(username) == ()


def test_a_service_account_is_in_the_groups_of_its_kind() -> None:
    assert split_account("system:serviceaccount:ns:robot") == ("ns", "robot")
    assert account_groups("system:serviceaccount:ns:robot") == ("system:serviceaccounts", "system:serviceaccounts:ns")


@pytest.mark.parametrize(
    ("username", "groups", "result"),
    [
        ("ann", (), ("system:authenticated",)),
        ("ann", ("system:authenticated", "a"), ("system:authenticated", "a")),
        ("ann", ("system:unauthenticated",), ("system:unauthenticated",)),
        ("system:anonymous", (), ("system:unauthenticated",)),
    ],
)
def test_known_users_are_in_one_group_and_the_unknown_one_in_another(
    username: str, groups: tuple[str, ...], result: tuple[str, ...]
) -> None:
    assert with_login_group(username, groups) == result
