"""Secrets that say who a namespace is to a cloud."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from imagestreams.minting import identities
from imagestreams.minting.identities import Ambient, AwsKeys, AzureClient, BadIdentity, Cloud, GoogleKey, Identity
from tests.clouds.google import EMAIL, KEY_ID, key_file, pem
from tests.imagestreams.minting.conftest import packed

AWS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "very-secret"}
AZURE = {"AZURE_TENANT_ID": "contoso.com", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "very-secret"}


def test_keys_of_aws_are_read_with_their_role() -> None:
    role = "arn:aws:iam::123456789012:role/team/puller"
    data = {**AWS, "AWS_SESSION_TOKEN": "t", "AWS_REGION": "eu-west-1", "AWS_ROLE_ARN": role, "AWS_EXTERNAL_ID": "x"}

    found = identities.identity_of(Cloud.AWS, packed(data))

    assert found == AwsKeys("AKID", "very-secret", "t", "eu-west-1", role, "x")


def test_a_key_of_google_is_read(key: rsa.RSAPrivateKey) -> None:
    document = key_file(key)

    found = identities.identity_of(Cloud.GOOGLE, packed({"key.json": json.dumps(document)}))

    assert found == GoogleKey(EMAIL, pem(key), KEY_ID, "https://oauth2.googleapis.com/token")


def test_an_application_of_azure_is_read() -> None:
    assert identities.identity_of(Cloud.AZURE, packed(AZURE)) == AzureClient("contoso.com", "app", "very-secret")


@pytest.mark.parametrize(
    ("cloud", "data", "key", "why"),
    [
        (Cloud.AWS, {"AWS_ACCESS_KEY_ID": "AKID"}, "AWS_SECRET_ACCESS_KEY", "is missing"),
        (Cloud.AWS, {**AWS, "AWS_ACCESS_KEY_ID": "A\nB"}, "AWS_ACCESS_KEY_ID", "has characters that no such key has"),
        (Cloud.AWS, {**AWS, "AWS_SESSION_TOKEN": "a\r\nb"}, "AWS_SESSION_TOKEN", "has characters that no such key has"),
        (Cloud.AWS, {**AWS, "AWS_REGION": "evil.example.com/"}, "AWS_REGION", "is no name of a region"),
        (Cloud.AWS, {**AWS, "AWS_ROLE_ARN": "puller"}, "AWS_ROLE_ARN", "is no ARN of a role"),
        (Cloud.GOOGLE, {}, "key.json", "is missing"),
        (Cloud.GOOGLE, {"key.json": "very-secret"}, "key.json", "is no JSON"),
        (Cloud.GOOGLE, {"key.json": "[]"}, "key.json", "is no key file of a service account"),
        (Cloud.GOOGLE, {"key.json": '{"type": "service_account"}'}, "key.json", "has no client_email"),
        (Cloud.AZURE, {**AZURE, "AZURE_TENANT_ID": "../other"}, "AZURE_TENANT_ID", "is no name of a tenant"),
        (Cloud.AZURE, {**AZURE, "AZURE_CLIENT_SECRET": ""}, "AZURE_CLIENT_SECRET", "is missing"),
    ],
)
def test_what_names_nobody_is_told_without_what_is_in_it(
    cloud: Cloud, data: dict[str, str], key: str, why: str
) -> None:
    with pytest.raises(BadIdentity) as caught:
        identities.identity_of(cloud, packed(data))

    assert (caught.value.key, caught.value.why) == (key, why)
    assert "very-secret" not in str(caught.value)


def test_a_secret_is_for_the_registries_of_its_cloud_unless_it_names_some() -> None:
    assert identities.places_of(Cloud.AZURE, packed(AZURE)) == ("*.azurecr.io",)
    named = packed({**AZURE, "registries": "shop.azurecr.io, images.example.com:5000\n"})
    assert identities.places_of(Cloud.AZURE, named) == ("shop.azurecr.io", "images.example.com:5000")


@pytest.mark.parametrize(
    ("identity", "cloud"),
    [
        (AwsKeys("a", "s"), Cloud.AWS),
        (GoogleKey("e", "p", "i", "u"), Cloud.GOOGLE),
        (AzureClient("t", "c", "s"), Cloud.AZURE),
        (Ambient(Cloud.GOOGLE), Cloud.GOOGLE),
    ],
)
def test_an_identity_counts_in_its_cloud(identity: Identity, cloud: Cloud) -> None:
    assert identities.cloud_of(identity) is cloud


def test_identities_show_no_secret(key: rsa.RSAPrivateKey) -> None:
    found = [
        identities.identity_of(Cloud.AWS, packed(AWS)),
        identities.identity_of(Cloud.AZURE, packed(AZURE)),
        identities.identity_of(Cloud.GOOGLE, packed({"key.json": json.dumps(key_file(key))})),
    ]

    assert not [text for text in ("very-secret", "AKID", "PRIVATE KEY", KEY_ID) if text in repr(found)]
