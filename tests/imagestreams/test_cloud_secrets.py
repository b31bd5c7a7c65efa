"""Secrets for clouds as the API takes them, and whom it shows them to."""

from __future__ import annotations

from typing import Any

import pytest

from imagestreams.api.secrets import secrets_of
from tests.imagestreams.asking import opened

pytestmark = pytest.mark.django_db

SECRETS = "/api/v1/namespaces/shop/secrets"
STREAM_SECRETS = "/apis/image.openshift.io/v1/namespaces/shop/imagestreams/any/secrets"
AWS = "registry-meta.io/aws-ecr"
GOOGLE = "registry-meta.io/google-artifact-registry"
AZURE = "registry-meta.io/azure-acr"
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hunter2"}


@pytest.mark.parametrize(
    ("type_", "data", "told"),
    [
        (AWS, {}, "data[AWS_ACCESS_KEY_ID]: Required value"),
        (AWS, {**KEYS, "AWS_REGION": "hunter2/"}, "data[AWS_REGION]: Invalid value"),
        (GOOGLE, {"key.json": "hunter2"}, "data[key.json]: Invalid value"),
        (AZURE, {"AZURE_TENANT_ID": "t"}, "data[AZURE_CLIENT_ID]: Required value"),
    ],
)
def test_a_secret_holds_what_its_cloud_demands(type_: str, data: dict[str, str], told: str) -> None:
    admin = opened()

    status, answer = admin.post(SECRETS, secret(type_, data))

    assert status == 422
    assert told in answer["message"]
    assert "hunter2" not in str(answer)


def test_imports_use_what_the_pull_secrets_of_a_stream_do_not_show() -> None:
    admin = opened()
    assert admin.post(SECRETS, secret(AWS, KEYS))[0] == 201

    assert [found["type"] for found in secrets_of("shop")] == [AWS]
    assert admin.get(STREAM_SECRETS)[1]["items"] == []


def secret(type_: str, data: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "cloud"}, "type": type_, "stringData": data}
