"""Mappings: an identity and a user that refer to each other."""

from __future__ import annotations

from typing import Any

import pytest

from authz.identities import MappingRefused, Profile, SignedIn, sign_in
from registry_meta.kube import meta
from tests.authz.conftest import Api

USER = "/apis/user.openshift.io/v1"
MAPPINGS = f"{USER}/useridentitymappings"
NAME = "company:7c9e"
PATH = f"{MAPPINGS}/{NAME}"


@pytest.fixture(autouse=True)
def people(admin: Api) -> None:
    """Two users and an identity, as yet apart."""
    for name in ("ann", "bob"):
        admin.post(f"{USER}/users", {"metadata": {"name": name}})
    admin.post(f"{USER}/identities", {"providerName": "company", "providerUserName": "7c9e"})


def mapping(user: str, identity: str = NAME) -> dict[str, Any]:
    return {"metadata": {"name": identity}, "identity": {"name": identity}, "user": {"name": user}}


def identities_of(admin: Api, user: str) -> list[str]:
    return list(admin.get(f"{USER}/users/{user}")[1].get("identities", []))


def enter() -> SignedIn:
    return sign_in("company", Profile("7c9e", "x"), mapping="lookup", now=meta.now())


def test_a_mapping_lets_somebody_in(admin: Api) -> None:
    with pytest.raises(MappingRefused):
        enter()

    status, made = admin.post(MAPPINGS, mapping("ann"))

    identity = admin.get(f"{USER}/identities/{NAME}")[1]
    assert status == 201
    assert made["user"] == identity["user"] == {"name": "ann", "uid": enter().uid}
    assert made["identity"] == {"name": NAME, "uid": identity["metadata"]["uid"]}
    assert made["metadata"]["resourceVersion"] == identity["metadata"]["resourceVersion"]
    assert identities_of(admin, "ann") == [NAME]
    assert admin.get(PATH) == (200, made)


def test_a_mapping_need_not_repeat_its_name(admin: Api) -> None:
    assert admin.post(MAPPINGS, {"identity": {"name": NAME}, "user": {"name": "ann"}})[0] == 201


def test_what_is_mapped_is_not_mapped_again(admin: Api) -> None:
    admin.post(MAPPINGS, mapping("ann"))

    status, answer = admin.post(MAPPINGS, mapping("bob"))

    assert (status, answer["reason"]) == (409, "AlreadyExists")
    assert answer["message"] == f'useridentitymapping.user.openshift.io "{NAME}" already exists'


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_identity_goes_over_to_another_user(admin: Api, method: str) -> None:
    admin.post(MAPPINGS, mapping("ann"))

    status, answer = getattr(admin, method)(PATH, mapping("bob"))

    assert (status, answer["user"]["name"], enter().username) == (200, "bob", "bob")
    assert (identities_of(admin, "ann"), identities_of(admin, "bob")) == ([], [NAME])


def test_a_put_makes_a_mapping(admin: Api) -> None:
    assert admin.put(PATH, mapping("ann"))[0] == 201
    assert admin.put(PATH, mapping("ann"))[0] == 200


def test_a_put_of_an_older_state_is_refused(admin: Api) -> None:
    admin.post(MAPPINGS, mapping("ann"))
    body = mapping("bob")
    body["metadata"]["resourceVersion"] = "1"

    assert admin.put(PATH, body)[0] == 409


def test_a_mapping_that_is_taken_back_lets_nobody_in(admin: Api) -> None:
    admin.post(MAPPINGS, mapping("ann"))

    status, answer = admin.delete(PATH)

    assert (status, answer["status"]) == (200, "Success")
    assert identities_of(admin, "ann") == []
    assert admin.get(f"{USER}/identities/{NAME}")[1]["user"] == {}
    with pytest.raises(MappingRefused):
        enter()


def test_what_half_refers_to_the_other_is_no_mapping_and_can_be_made_one(admin: Api) -> None:
    admin.post(MAPPINGS, mapping("ann"))
    admin.patch(f"{USER}/users/ann", {"identities": None})

    assert [admin.get(PATH)[0], admin.delete(PATH)[0], admin.patch(PATH, mapping("ann"))[0]] == [404, 404, 404]
    assert admin.post(MAPPINGS, mapping("ann"))[0] == 201
    assert identities_of(admin, "ann") == [NAME]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (mapping("none"), "user.name"),
        (mapping("ann", "company:none"), "identity.name"),
        (mapping(""), "user.name"),
        (mapping("system:admin"), "user.name"),
        ({**mapping("ann"), "identity": {}}, "identity.name"),
        ({**mapping("ann"), "identity": {"name": "company:other"}}, "identity.name"),
        ({**mapping("ann"), "metadata": {"name": "company"}}, "metadata.name"),
    ],
)
def test_a_mapping_is_of_an_identity_and_a_user_that_exist(admin: Api, body: dict[str, Any], field: str) -> None:
    status, answer = admin.post(MAPPINGS, body)

    assert status == 422
    assert field in {cause["field"] for cause in answer["details"]["causes"]}


def test_a_dry_run_maps_nothing(admin: Api) -> None:
    status, _ = admin.post(f"{MAPPINGS}?dryRun=All", mapping("ann"))

    assert (status, admin.get(PATH)[0]) == (201, 404)


def test_a_mapping_has_a_table(admin: Api) -> None:
    _, made = admin.post(MAPPINGS, mapping("ann"))

    _, table = admin.get(PATH, HTTP_ACCEPT="application/json;as=Table;v=v1;g=meta.k8s.io")

    assert table["rows"][0]["cells"] == [NAME, NAME, "ann", made["user"]["uid"]]
