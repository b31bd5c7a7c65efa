"""What secrets must hold, and which never change."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.authz.conftest import Api

OK = {"a": base64.b64encode(b"x").decode()}


def create(admin: Api, team: str, **body: Any) -> tuple[int, Any]:
    return admin.post(f"/api/v1/namespaces/{team}/secrets", {"metadata": {"name": "s"}, **body})


def fields(answer: dict[str, Any]) -> list[str]:
    return [cause["field"] for cause in answer["details"]["causes"]]


def test_plain_texts_become_data_and_are_not_read_back(admin: Api, team: str) -> None:
    status, made = create(admin, team, data={"user": "c29tZW9uZQ==", "pass": "c2VjcmV0"}, stringData={"user": "me"})

    assert (status, made["type"], made["data"]) == (201, "Opaque", {"pass": "c2VjcmV0", "user": "bWU="})
    assert "stringData" not in made


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"type": "kubernetes.io/dockerconfigjson"}, ["data[.dockerconfigjson]"]),
        ({"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "no"}}, ["data[.dockercfg]"]),
        ({"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "[]"}}, ["data[.dockercfg]"]),
        ({"type": "kubernetes.io/basic-auth"}, ["data[username]", "data[password]"]),
        ({"type": "kubernetes.io/ssh-auth"}, ["data[ssh-privatekey]"]),
        ({"type": "kubernetes.io/tls", "data": {"tls.key": ""}}, ["data[tls.crt]"]),
        (
            {"type": "kubernetes.io/service-account-token"},
            ["metadata.annotations[kubernetes.io/service-account.name]"],
        ),
        ({"data": {"a b": ""}}, ["data[a b]"]),
        ({"data": {"..": ""}}, ["data[..]"]),
        ({"data": {"..a": ""}}, ["data[..a]"]),
        ({"stringData": {"a": "x" * (1024 * 1024 + 1)}}, ["data"]),
    ],
)
def test_a_secret_holds_what_its_type_demands(admin: Api, team: str, body: dict[str, Any], wrong: list[str]) -> None:
    status, answer = create(admin, team, **body)

    assert (status, fields(answer)) == (422, wrong)


def test_a_refusal_shows_nothing_of_the_content(admin: Api, team: str) -> None:
    hidden = "hunter2"
    _, answer = create(admin, team, type="kubernetes.io/dockercfg", stringData={".dockercfg": hidden})

    assert hidden not in str(answer)


def test_data_is_in_base64(admin: Api, team: str) -> None:
    assert create(admin, team, data={"k": "%%%"})[0] == 400


def test_the_type_is_fixed(admin: Api, team: str) -> None:
    create(admin, team)

    status, answer = admin.patch(f"/api/v1/namespaces/{team}/secrets/s", {"type": "example.com/other"})

    assert (status, fields(answer)) == (422, ["type"])


@pytest.mark.parametrize(
    ("patch", "wrong"),
    [
        ({"stringData": {"a": "y"}}, ["data"]),
        ({"data": None}, ["data"]),
        ({"immutable": None}, ["immutable"]),
        ({"immutable": False, "data": {"b": ""}}, ["immutable", "data"]),
    ],
)
def test_an_immutable_secret_never_changes(admin: Api, team: str, patch: dict[str, Any], wrong: list[str]) -> None:
    create(admin, team, immutable=True, data=OK)

    status, answer = admin.patch(f"/api/v1/namespaces/{team}/secrets/s", patch)

    assert (status, fields(answer)) == (422, wrong)


def test_an_immutable_secret_may_be_labelled_and_deleted(admin: Api, team: str) -> None:
    create(admin, team, immutable=True, data=OK)
    path = f"/api/v1/namespaces/{team}/secrets/s"

    assert admin.patch(path, {"metadata": {"labels": {"a": "b"}}, "data": OK})[0] == 200
    assert admin.delete(path)[0] == 200


def test_secrets_are_listed_by_type(admin: Api, team: str) -> None:
    create(admin, team)
    path = f"/api/v1/namespaces/{team}/secrets?fieldSelector=type%3D"

    assert [len(admin.get(path + kind)[1]["items"]) for kind in ("Opaque", "other")] == [1, 0]
