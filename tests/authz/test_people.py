"""Users, identities and groups: their names, oneself, and who is in which group."""

from __future__ import annotations

import pytest

from authz import people, policy
from authz.grants import GROUPS, Grants
from registry_meta.kube.validation import NameRule
from tests.authz.conftest import Api

USER = "/apis/user.openshift.io/v1"
USERS, GROUPS_PATH, IDENTITIES = f"{USER}/users", f"{USER}/groups", f"{USER}/identities"


@pytest.mark.parametrize(
    ("rule", "name", "problems"),
    [
        (people.user_name, "ann", []),
        (people.user_name, "ann@example.com", []),
        (people.user_name, "b64:c3lzdGVtOmFkbWlu", []),
        (people.user_name, "system:admin", ['usernames that contain ":" must begin with "b64:"']),
        (people.user_name, "~", ['may not equal "~"']),
        (people.user_name, "a/b", ["may not contain '/'"]),
        (people.user_name, "..", ["may not be '..'"]),
        (people.group_name, "system:masters", ['may not contain ":"']),
        (people.group_name, "b64:x", ['may not contain ":"']),
        (people.group_name, "~", ['may not equal "~"']),
        (people.identity_name, "company:ann", []),
        (people.identity_name, "company:b64:YTpi", []),
        (people.identity_name, "company", [people.NOT_IDENTITY]),
        (people.identity_name, "company:a:b", [people.NOT_IDENTITY]),
        (people.identity_name, ":ann", [f"{people.NOT_IDENTITY} with a non-empty providerName"]),
        (people.identity_name, "company:", [f"{people.NOT_IDENTITY} with a non-empty providerUserName"]),
    ],
)
def test_a_name_follows_the_rule_of_its_kind(rule: NameRule, name: str, problems: list[str]) -> None:
    assert rule(name) == problems


@pytest.mark.parametrize(("text", "name"), [("ann", "ann"), ("a:b", "b64:YTpi"), ("a/b?", "b64:YS9iPw")])
def test_what_cannot_be_a_name_is_encoded(text: str, name: str) -> None:
    assert people.nameable(text) == name
    assert people.user_name(name) == []


def test_a_user_holds_no_groups(admin: Api) -> None:
    body = {"metadata": {"name": "ann"}, "fullName": "Ann", "groups": ["system:masters"], "identities": ["c:ann"]}

    status, user = admin.post(USERS, body)

    assert status == 201
    assert {key: user[key] for key in ("fullName", "groups", "identities")} == {
        "fullName": "Ann", "groups": None, "identities": ["c:ann"],
    }  # fmt: skip


def test_a_user_is_no_user_of_the_system(admin: Api) -> None:
    status, answer = admin.post(USERS, {"metadata": {"name": "system:admin"}, "identities": ["ann"]})

    assert status == 422
    assert [cause["field"] for cause in answer["details"]["causes"]] == ["metadata.name", "identities[0]"]
    assert admin.get(f"{USERS}/system:admin")[0] == 422


def test_everybody_reads_himself_and_no_other(admin: Api) -> None:
    admin.post(USERS, {"metadata": {"name": "ann"}, "fullName": "Ann"})
    stored = admin.get(f"{USERS}/ann")[1]
    ann = admin.acting_for("ann", "b", "a", "system:authenticated")

    status, me = ann.get(f"{USERS}/~")

    assert status == 200
    assert me["metadata"] == stored["metadata"]
    assert (me["fullName"], me["groups"]) == ("Ann", ["a", "b", "system:authenticated"])
    assert ann.get(f"{USERS}/ann")[0] == 403


def test_who_has_no_user_object_is_a_name_and_groups(admin: Api) -> None:
    status, me = admin.get(f"{USERS}/~")

    assert status == 200
    assert me == {
        "kind": "User",
        "apiVersion": "user.openshift.io/v1",
        "metadata": {"name": "system:admin"},
        "groups": ["system:authenticated", "system:masters"],
    }


def test_the_unknown_user_reads_nobody(admin: Api) -> None:
    assert Api().get(f"{USERS}/~")[0] == 403


def test_an_identity_is_named_by_what_it_holds(admin: Api) -> None:
    body = {"providerName": "company", "providerUserName": "7c9e", "user": {"name": "ann", "uid": "u"}}

    status, identity = admin.post(IDENTITIES, body)

    assert (status, identity["metadata"]["name"]) == (201, "company:7c9e")
    assert admin.get(f"{IDENTITIES}?fieldSelector=user.name%3Dann")[1]["items"][0]["user"] == body["user"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"providerName": ""}, "providerName"),
        ({"providerName": "a:b"}, "providerName"),
        ({"providerUserName": ""}, "providerUserName"),
        ({"providerUserName": "a/b"}, "providerUserName"),
        ({"user": {"name": "ann"}}, "user.uid"),
        ({"user": {"uid": "u"}}, "user.username"),
        ({"user": {"name": "system:admin", "uid": "u"}}, "user.name"),
    ],
)
def test_an_identity_says_whose_it_is(admin: Api, change: dict[str, object], field: str) -> None:
    status, answer = admin.post(IDENTITIES, {"providerName": "company", "providerUserName": "7c9e", **change})

    assert status == 422
    assert field in {cause["field"] for cause in answer["details"]["causes"]}


def test_an_identity_stays_the_same(admin: Api) -> None:
    admin.post(IDENTITIES, {"providerName": "company", "providerUserName": "7c9e"})

    status, answer = admin.patch(f"{IDENTITIES}/company:7c9e", {"providerUserName": "other"})

    assert status == 422
    assert "providerUserName" in {cause["field"] for cause in answer["details"]["causes"]}


def test_a_group_lists_names_that_users_may_have(admin: Api) -> None:
    status, answer = admin.post(GROUPS_PATH, {"metadata": {"name": "team"}, "users": ["ann", "", "system:admin"]})

    assert status == 422
    assert [cause["field"] for cause in answer["details"]["causes"]] == ["users[1]", "users[2]"]


def test_nothing_of_the_system_is_a_group(admin: Api) -> None:
    status, _ = admin.post(GROUPS_PATH, {"metadata": {"name": "system:masters"}, "users": ["ann"]})

    assert status == 422


def test_a_group_of_many_is_known_by_its_members() -> None:
    grants = Grants(0)
    grants.put(GROUPS, "", "b", '{"users":["ann","bob","ann"]}')
    grants.put(GROUPS, "", "a", '{"users":["ann"]}')
    both = grants.groups_of("ann")
    grants.put(GROUPS, "", "b", '{"users":["bob"]}')
    one = grants.groups_of("ann")
    grants.put(GROUPS, "", "a", None)

    assert (both, one) == (("a", "b"), ("a",))
    assert (grants.groups_of("ann"), grants.groups_of("bob")) == ((), ("b",))


def test_a_group_counts_from_its_creation_to_its_end(admin: Api) -> None:
    before = policy.current().groups_of("ann")
    admin.post(GROUPS_PATH, {"metadata": {"name": "team"}, "users": ["ann"]})
    inside = policy.current().groups_of("ann")
    admin.patch(f"{GROUPS_PATH}/team", {"users": None})

    assert (before, inside) == ((), ("team",))
    assert policy.current().groups_of("ann") == ()


def test_tables_show_what_oc_shows(admin: Api) -> None:
    table = {"HTTP_ACCEPT": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    admin.post(USERS, {"metadata": {"name": "ann"}, "fullName": "Ann", "identities": ["c:1", "d:2"]})
    admin.post(GROUPS_PATH, {"metadata": {"name": "team"}, "users": ["ann", "bob"]})
    admin.post(IDENTITIES, {"providerName": "c", "providerUserName": "1", "user": {"name": "ann", "uid": "u"}})

    tables = [admin.get(path, **table)[1] for path in (USERS, GROUPS_PATH, IDENTITIES)]

    assert [[column["name"] for column in found["columnDefinitions"]] for found in tables] == [
        ["Name", "UID", "Full Name", "Identities"],
        ["Name", "Users"],
        ["Name", "IDP Name", "IDP User Name", "User Name", "User UID"],
    ]
    uid = admin.get(f"{USERS}/ann")[1]["metadata"]["uid"]
    assert [found["rows"][0]["cells"] for found in tables] == [
        ["ann", uid, "Ann", "c:1, d:2"], ["team", "ann, bob"], ["c:1", "c", "1", "ann", "u"],
    ]  # fmt: skip
