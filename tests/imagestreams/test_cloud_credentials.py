"""Which identities at clouds a namespace has, and which fit a repository."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from imagestreams import credentials
from imagestreams.credentials import DOCKERCONFIGJSON, Why
from imagestreams.minting.identities import Ambient, AzureClient, Cloud
from imagestreams.reference import PullSpec
from tests.imagestreams.test_credentials import config_secret, login, packed

APP = AzureClient("contoso.com", "app", "hunter2")


def cloud_secret(**more: str) -> dict[str, Any]:
    data = {"AZURE_TENANT_ID": "contoso.com", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "hunter2", **more}
    packed_data = {key: base64.b64encode(text.encode()).decode() for key, text in data.items() if text}
    return {"type": Cloud.AZURE.value, "data": packed_data}


def identities(ring: credentials.Keyring, pull_spec: str) -> list[object]:
    return [login.identity for login in ring.logins(PullSpec.parse(pull_spec))]


@pytest.mark.parametrize(
    ("registries", "pull_spec", "fits"),
    [
        ("", "shop.azurecr.io/x/app", True),
        ("", "shop.azurecr.io.evil.com/x/app", False),
        ("", "quay.io/x/app", False),
        ("images.example.com:5000", "images.example.com:5000/x/app", True),
        ("images.example.com:5000", "shop.azurecr.io/x/app", False),
        ("shop.azurecr.io/x", "shop.azurecr.io/y/app", False),
    ],
)
def test_an_identity_is_for_the_registries_of_its_cloud(registries: str, pull_spec: str, fits: bool) -> None:
    ring = credentials.keyring([cloud_secret(registries=registries)])

    assert identities(ring, pull_spec) == ([APP] if fits else [])


def test_a_password_for_the_host_comes_before_what_is_made() -> None:
    ring = credentials.keyring([cloud_secret(), config_secret({"shop.azurecr.io": login("robot")})])

    assert identities(ring, "shop.azurecr.io/x/app") == [None, APP]


@pytest.mark.parametrize(
    ("helper", "cloud"),
    [("ecr-login", Cloud.AWS), ("gcloud", Cloud.GOOGLE), ("gcr", Cloud.GOOGLE), ("acr-env", Cloud.AZURE)],
)
def test_the_host_may_be_somebody_himself(helper: str, cloud: Cloud) -> None:
    ring = credentials.keyring([], fallback=json.dumps({"credHelpers": {"images.example.com": helper}}))

    assert identities(ring, "images.example.com/x/app") == [Ambient(cloud)]
    assert identities(ring, "other.example.com/x/app") == []


def test_helpers_that_are_unknown_are_passed_over() -> None:
    helpers = {"a.example.com": "osxkeychain", "b.example.com": 7, "c.example.com": "gcr"}
    ring = credentials.keyring([], fallback=json.dumps({"credHelpers": helpers}))

    assert identities(ring, "a.example.com/x") == identities(ring, "b.example.com/x") == []
    assert identities(ring, "c.example.com/x") == [Ambient(Cloud.GOOGLE)]


def test_no_secret_of_a_namespace_makes_it_the_host() -> None:
    document = {"auths": {}, "credHelpers": {"images.example.com": "ecr-login"}}
    secret = {"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": packed(document)}}

    assert identities(credentials.keyring([secret]), "images.example.com/x/app") == []


def test_an_identity_that_cannot_be_read_is_told_without_its_content() -> None:
    (skipped,) = credentials.keyring([cloud_secret(AZURE_TENANT_ID="hunter2/")]).skipped(PullSpec.parse("quay.io/x"))

    assert (skipped.why, skipped.detail) == (Why.UNREADABLE, "AZURE_TENANT_ID is no name of a tenant")


def test_a_secret_that_is_excluded_names_nobody() -> None:
    secret = {**cloud_secret(), "metadata": {"annotations": {credentials.EXCLUDED: "true"}}}
    ring = credentials.keyring([secret])

    assert identities(ring, "shop.azurecr.io/x") == []
    assert [one.why for one in ring.skipped(PullSpec.parse("shop.azurecr.io/x"))] == [Why.EXCLUDED]


def test_a_namespace_that_may_not_use_the_pull_secret_of_the_host_is_not_the_host() -> None:
    fallback = json.dumps({"credHelpers": {"images.example.com": "gcr"}})

    assert identities(credentials.keyring([], fallback=fallback, closed=True), "images.example.com/x") == []
