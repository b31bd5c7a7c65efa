"""Secrets over HTTP while they lie encrypted in the database."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from registry_meta.kube import sealing
from registry_meta.kube.patch.request import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.authz.conftest import Api

PLANTED = "correct-horse-battery-staple"
ENCODED = base64.b64encode(PLANTED.encode()).decode()


@pytest.fixture
def path(admin: Api, team: str) -> str:
    """A secret."""
    body = {"metadata": {"name": "s", "labels": {"tier": "gold"}}, "stringData": {"key": PLANTED}}
    assert admin.post(f"/api/v1/namespaces/{team}/secrets", body)[0] == 201
    return f"/api/v1/namespaces/{team}/secrets/s"


def document() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT document FROM kube_object WHERE resource = 'secrets'")
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (JSON_PATCH, [{"op": "add", "path": "/data/more", "value": "bW9yZQ=="}]),
        (MERGE_PATCH, {"data": {"more": "bW9yZQ=="}}),
        (STRATEGIC_PATCH, {"stringData": {"more": "more"}}),
    ],
)
def test_a_secret_is_patched(admin: Api, path: str, kind: str, patch: Any) -> None:
    status, answer = admin.patch(path, patch, kind)

    assert (status, answer["data"]) == (200, {"key": ENCODED, "more": "bW9yZQ=="})
    assert admin.get(path)[1] == answer
    assert document().startswith(sealing.newest_mark())


def test_a_secret_is_replaced_listed_and_deleted(admin: Api, path: str) -> None:
    body = {**admin.get(path)[1], "data": {"other": "bW9yZQ=="}}

    replaced = admin.put(path, body)
    listed = admin.get(path.removesuffix("/s") + "?labelSelector=tier%3Dgold")
    table = admin.get(path, HTTP_ACCEPT="application/json;as=Table;v=v1;g=meta.k8s.io")

    assert (replaced[0], replaced[1]["data"]) == (200, {"other": "bW9yZQ=="})
    assert [item["data"] for item in listed[1]["items"]] == [{"other": "bW9yZQ=="}]
    assert table[1]["rows"][0]["cells"][:3] == ["s", "Opaque", 1]
    assert admin.delete(path)[0] == 200
    assert admin.get(path)[0] == 404


def test_without_the_key_secrets_are_refused_and_the_rest_is_served(
    admin: Api, path: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    before = document()
    settings.ENCRYPTION_KEYS = (Fernet.generate_key().decode(),)
    collection = path.removesuffix("/s")

    with caplog.at_level(logging.DEBUG):
        answers = [
            admin.get(path),
            admin.get(collection),
            admin.patch(path, {"data": None}),
            admin.put(path, {"metadata": {"name": "s"}}),
            admin.delete(path),
            admin.delete(collection),
        ]

    assert [(status, answer["reason"]) for status, answer in answers] == [(500, "InternalError")] * len(answers)
    why = 'secrets "team/s" cannot be decrypted: the encryption key that it was stored with is not set'
    assert {answer["message"] for _, answer in answers} == {f"Internal error occurred: {why}"}
    assert why in caplog.text
    assert not [word for word in (PLANTED, ENCODED, "Traceback", before) if word in f"{answers} {caplog.text}"]
    assert document() == before
    assert admin.get("/api/v1/namespaces")[0] == 200
