"""What ConfigMaps hold, and which never change."""

from __future__ import annotations

from typing import Any

import pytest

from authz.api.configmaps import CLUSTER_NAMESPACE, CONFIGURATION
from registry_meta.kube import changes
from tests.authz.conftest import MERGE, Api


def create(admin: Api, namespace: str, **body: Any) -> tuple[int, Any]:
    return admin.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "c"}, **body})


def fields(answer: dict[str, Any]) -> list[str]:
    return [cause["field"] for cause in answer["details"]["causes"]]


def test_texts_and_bytes_come_back(admin: Api, team: str) -> None:
    status, made = create(admin, team, data={"b": "2", "a": "é"}, binaryData={"x": "AAEC\n"})

    assert (status, made["data"], made["binaryData"]) == (201, {"a": "é", "b": "2"}, {"x": "AAEC"})


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"data": {"a b": ""}}, ["data[a b]"]),
        ({"binaryData": {"..": ""}}, ["binaryData[..]"]),
        ({"data": {"a": ""}, "binaryData": {"a": ""}}, ["data[a]"]),
    ],
)
def test_keys_are_held_to_the_rules(admin: Api, team: str, body: dict[str, Any], wrong: list[str]) -> None:
    status, answer = create(admin, team, **body)

    assert (status, fields(answer)) == (422, wrong)


def test_texts_and_bytes_are_limited_together(admin: Api, team: str) -> None:
    half = "x" * (512 * 1024)

    status, answer = create(admin, team, data={"a": half, "b": half + "x"})

    assert status == 422
    assert "Too long: may not be more than 1048576 bytes" in answer["message"]


def test_what_is_no_base64_is_refused(admin: Api, team: str) -> None:
    status, answer = create(admin, team, binaryData={"a": "!"})

    assert (status, answer["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("change", [{"data": {"a": "2"}}, {"binaryData": {"x": "AQ=="}}, {"immutable": False}])
def test_an_immutable_one_never_changes(admin: Api, team: str, change: dict[str, Any]) -> None:
    create(admin, team, data={"a": "1"}, binaryData={"x": "AA=="}, immutable=True)

    status, answer = admin.patch(f"/api/v1/namespaces/{team}/configmaps/c", change, MERGE)

    assert (status, fields(answer)) == (422, list(change))


def test_those_of_the_cluster_s_configuration_move_its_counter(admin: Api, team: str) -> None:
    before = changes.newest(CONFIGURATION)
    create(admin, team)
    elsewhere = changes.newest(CONFIGURATION)
    create(admin, CLUSTER_NAMESPACE)
    made = changes.newest(CONFIGURATION)
    admin.delete(f"/api/v1/namespaces/{CLUSTER_NAMESPACE}/configmaps/c")

    assert before == elsewhere < made < changes.newest(CONFIGURATION)
