"""Logging in: who becomes which user, and what his provider says of his groups."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from authz.api.users import USERS
from authz.identities import MappingRefused, Profile, SignedIn, sign_in
from authz.memberships import GENERATED, mark
from registry_meta.kube import meta, store
from tests import beginnings
from tests.authz.conftest import Api

USER = "/apis/user.openshift.io/v1"
NOW = meta.parse_time("2026-01-02T03:04:05Z")
ANN = Profile("7c9e", "ann", "Ann Example", "ann@example.com")


def enter(profile: Profile, *, mapping: str = "claim", provider: str = "company") -> SignedIn:
    return sign_in(provider, profile, mapping=mapping, now=NOW)


def in_groups(*groups: str, name: str = "ann") -> Profile:
    return Profile(f"id-{name}", name, groups=groups)


def find(admin: Api, kind: str, name: str) -> Any:
    status, found = admin.get(f"{USER}/{kind}/{name}")
    return found if status == 200 else None


@pytest.mark.parametrize("mapping", ["claim", "add"])
def test_somebody_new_becomes_a_user(admin: Api, mapping: str) -> None:
    signed_in = enter(ANN, mapping=mapping)

    user, identity = find(admin, "users", "ann"), find(admin, "identities", "company:7c9e")
    assert signed_in == SignedIn("ann", user["metadata"]["uid"])
    assert (user["fullName"], user["identities"]) == ("Ann Example", ["company:7c9e"])
    assert identity["user"] == {"name": "ann", "uid": signed_in.uid}
    assert identity["extra"] == {"name": "Ann Example", "email": "ann@example.com", "preferred_username": "ann"}


def test_somebody_known_is_the_same_user_whatever_he_is_called_now(admin: Api) -> None:
    first = enter(ANN)

    assert enter(Profile("7c9e", "root", "Somebody Else")) == first
    assert find(admin, "users", "root") is None


def test_a_user_whom_an_administrator_made_is_claimed_by_the_first(admin: Api) -> None:
    admin.post(f"{USER}/users", {"metadata": {"name": "ann"}})

    enter(ANN)

    user = find(admin, "users", "ann")
    assert (user["identities"], user["fullName"]) == (["company:7c9e"], "Ann Example")


def test_a_claimed_user_is_not_claimed_again(admin: Api) -> None:
    enter(ANN)

    with pytest.raises(MappingRefused, match="user ann cannot be claimed by identity other:1"):
        enter(Profile("1", "ann"), provider="other")
    assert find(admin, "identities", "other:1") is None
    assert find(admin, "users", "ann")["identities"] == ["company:7c9e"]


def test_identities_of_one_name_are_added(admin: Api) -> None:
    first = enter(ANN)

    assert enter(Profile("1", "ann"), mapping="add", provider="other") == first
    assert find(admin, "users", "ann")["identities"] == ["company:7c9e", "other:1"]


def test_who_must_be_mapped_before_is_refused_until_he_is(admin: Api) -> None:
    with pytest.raises(MappingRefused, match="company:7c9e is mapped to no user"):
        enter(ANN, mapping="lookup")
    _, user = admin.post(f"{USER}/users", {"metadata": {"name": "boss"}, "identities": ["company:7c9e"]})
    reference = {"name": "boss", "uid": user["metadata"]["uid"]}
    admin.post(f"{USER}/identities", {"providerName": "company", "providerUserName": "7c9e", "user": reference})

    assert enter(ANN, mapping="lookup") == SignedIn("boss", user["metadata"]["uid"])


def test_an_identity_does_not_lead_to_another_user_of_the_name(admin: Api) -> None:
    enter(ANN)
    admin.delete(f"{USER}/users/ann")
    with pytest.raises(MappingRefused, match="mapped to no user"):
        enter(ANN)
    admin.post(f"{USER}/users", {"metadata": {"name": "ann"}, "identities": ["company:7c9e"]})

    with pytest.raises(MappingRefused, match="mapped to no user"):
        enter(ANN)


def test_a_user_who_disowns_an_identity_is_not_entered_by_it(admin: Api) -> None:
    enter(ANN)
    admin.patch(f"{USER}/users/ann", {"identities": None})

    with pytest.raises(MappingRefused, match="mapped to no user"):
        enter(ANN)


def test_nobody_becomes_a_user_of_the_system(admin: Api) -> None:
    signed_in = enter(Profile("a/b", "system:admin"))

    assert signed_in.username == "b64:c3lzdGVtOmFkbWlu"
    assert find(admin, "identities", "company:b64:YS9i") is not None


@pytest.mark.parametrize("name", ["~", "..", "100%"])
def test_a_name_that_nobody_may_have_is_refused(admin: Api, name: str) -> None:
    with pytest.raises(MappingRefused, match="is invalid"):
        enter(Profile("1", name))


def test_somebody_without_a_name_is_called_by_his_id(admin: Api) -> None:
    assert enter(Profile("7c9e", "")).username == "7c9e"


def test_a_log_in_that_was_broken_off_is_taken_up_again(admin: Api) -> None:
    enter(ANN)
    admin.delete(f"{USER}/identities/company:7c9e")

    signed_in = enter(ANN)

    assert find(admin, "identities", "company:7c9e")["user"]["uid"] == signed_in.uid


def test_a_method_that_there_is_not_is_a_mistake_of_ours(admin: Api) -> None:
    with pytest.raises(ValueError, match="generate"):
        enter(ANN, mapping="generate")


def test_groups_follow_what_the_provider_says(admin: Api) -> None:
    enter(in_groups("red", "blue"))
    made = find(admin, "groups", "red")
    enter(in_groups("red", name="bob"))
    enter(in_groups("blue", "green"))

    assert made["users"] == ["ann"]
    assert made["metadata"]["annotations"] == {GENERATED: "true", mark("company"): "synced"}
    found = {name: (find(admin, "groups", name) or {}).get("users") for name in ("red", "blue", "green")}
    assert found == {"red": ["bob"], "blue": ["ann"], "green": ["ann"]}


def test_a_group_that_a_log_in_made_goes_with_its_last_member(admin: Api) -> None:
    enter(in_groups("red"))
    enter(in_groups())

    assert find(admin, "groups", "red") is None


def test_groups_of_an_administrator_are_left_alone(admin: Api) -> None:
    admin.post(f"{USER}/groups", {"metadata": {"name": "own"}, "users": ["ann"]})
    admin.post(f"{USER}/groups", {"metadata": {"name": "shared"}, "users": ["bob"]})

    enter(in_groups("shared"))
    joined = find(admin, "groups", "shared")
    enter(in_groups())

    assert joined["users"] == ["bob", "ann"]
    assert joined["metadata"]["annotations"] == {mark("company"): "synced"}
    assert find(admin, "groups", "shared")["users"] == ["bob"]
    assert find(admin, "groups", "own")["users"] == ["ann"]


def test_groups_of_another_provider_are_left_alone(admin: Api) -> None:
    enter(in_groups("red"))
    sign_in("other", Profile("1", "ann", groups=()), mapping="add", now=NOW)

    assert find(admin, "groups", "red")["users"] == ["ann"]


def test_a_provider_that_says_nothing_of_groups_changes_none(admin: Api) -> None:
    enter(in_groups("red"))
    enter(Profile("id-ann", "ann"))

    assert find(admin, "groups", "red")["users"] == ["ann"]


def test_a_provider_puts_nobody_into_groups_of_the_system(admin: Api) -> None:
    enter(in_groups("system:masters", "a/b", "", "red"))

    _, found = admin.get(f"{USER}/groups")
    assert [group["metadata"]["name"] for group in found["items"]] == ["red"]


@pytest.mark.django_db(transaction=True)
def test_many_who_log_in_at_once_become_one_user() -> None:
    beginnings.begin()
    found: list[SignedIn] = []

    def run() -> None:
        try:
            found.append(enter(Profile("7c9e", "ann", groups=("red",))))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 6
    assert len(set(found)) == 1
    user = store.find(USERS, "", "ann")
    assert user is not None
    assert user.object().identities == ["company:7c9e"]
