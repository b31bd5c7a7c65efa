"""Who a namespace or this server is to a cloud, as a Secret or the pull secret of the host says. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Cloud(StrEnum):
    """The clouds whose registries are known; the value is the type of a Secret for them."""

    AWS = "registry-meta.io/aws-ecr"
    GOOGLE = "registry-meta.io/google-artifact-registry"
    AZURE = "registry-meta.io/azure-acr"


HELPERS: Mapping[str, Cloud] = {
    "ecr-login": Cloud.AWS,
    "gcloud": Cloud.GOOGLE,
    "gcr": Cloud.GOOGLE,
    "acr-env": Cloud.AZURE,
}
"""What `credHelpers` of a Docker `config.json` calls them."""

HOSTS: Mapping[Cloud, tuple[str, ...]] = {
    Cloud.AWS: (
        "*.dkr.ecr.*.amazonaws.com",
        "*.dkr.ecr.*.amazonaws.com.cn",
        "*.dkr.ecr-fips.*.amazonaws.com",
        "*.dkr-ecr.*.on.aws",
        "public.ecr.aws",
    ),
    Cloud.GOOGLE: ("*-docker.pkg.dev", "gcr.io", "*.gcr.io"),
    Cloud.AZURE: ("*.azurecr.io",),
}
"""The registries of each cloud, as globs of host labels."""

REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
ROLE = re.compile(r"arn:[a-z0-9-]+:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
REGISTRIES = "registries"
"""The key that names the registries a Secret is for, in place of all of its cloud."""

SEPARATORS = re.compile(r"[\s,]+")


class BadIdentity(ValueError):
    """A Secret that names nobody; `key` is what is wrong with it, and the text holds nothing of what is in it."""

    def __init__(self, key: str, why: str = "is missing") -> None:
        super().__init__(f"{key} {why}")
        self.key = key
        self.why = why

    @property
    def is_missing(self) -> bool:
        """Whether the key is not there, or empty."""
        return self.why == "is missing"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Keys of an AWS account, and the role that is assumed with them; `region` is for hosts that name none."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False, default="")
    region: str = ""
    role: str = ""
    external_id: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class GoogleKey:
    """A key of a Google service account, whose tokens come from `token_uri`."""

    email: str
    private_key: str = field(repr=False)
    key_id: str = field(repr=False)
    token_uri: str


@dataclass(frozen=True, slots=True)
class AzureClient:
    """An application of a Microsoft Entra tenant and its secret."""

    tenant: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ambient:
    """What this server itself is in a cloud, by its environment."""

    cloud: Cloud


Identity = AwsKeys | GoogleKey | AzureClient | Ambient


def cloud_of(identity: Identity) -> Cloud:
    """Return the cloud in which an identity counts."""
    if isinstance(identity, Ambient):
        return identity.cloud
    kinds = {AwsKeys: Cloud.AWS, GoogleKey: Cloud.GOOGLE, AzureClient: Cloud.AZURE}
    return kinds[type(identity)]


def is_cloud(kind: object) -> bool:
    """Return whether Secrets of a type hold keys of a cloud."""
    return isinstance(kind, str) and kind in {cloud.value for cloud in Cloud}


def identity_of(kind: str, data: Mapping[str, str]) -> Identity:
    """Return who a Secret of a type names, by its data in base64; raises BadIdentity."""
    return READERS[Cloud(kind)](_Texts(data))


def places_of(kind: str, data: Mapping[str, str]) -> tuple[str, ...]:
    """Return the registries that a Secret is for: those that it names, else all of its cloud; raises BadIdentity."""
    named = tuple(place for place in SEPARATORS.split(_Texts(data).get(REGISTRIES)) if place)
    return named or HOSTS[Cloud(kind)]


class _Texts:
    """The data of a Secret, in the clear."""

    def __init__(self, data: Mapping[str, str]) -> None:
        self._data = data

    def get(self, key: str) -> str:
        try:
            return base64.b64decode(self._data.get(key, ""), validate=True).decode().strip()
        except (binascii.Error, ValueError) as error:
            raise BadIdentity(key, "is no text in base64") from error

    def word(self, key: str) -> str:
        text = self.get(key)
        if text and not (text.isascii() and text.isprintable()):
            raise BadIdentity(key, "has characters that no such key has")
        return text

    def need(self, key: str) -> str:
        text = self.word(key)
        if not text:
            raise BadIdentity(key)
        return text

    def shaped(self, key: str, shape: re.Pattern[str], words: str) -> str:
        text = self.get(key)
        if text and not shape.fullmatch(text):
            raise BadIdentity(key, f"is no {words}")
        return text


def _aws(texts: _Texts) -> AwsKeys:
    return AwsKeys(
        texts.need("AWS_ACCESS_KEY_ID"),
        texts.need("AWS_SECRET_ACCESS_KEY"),
        texts.word("AWS_SESSION_TOKEN"),
        region=texts.shaped("AWS_REGION", REGION, "name of a region"),
        role=texts.shaped("AWS_ROLE_ARN", ROLE, "ARN of a role"),
        external_id=texts.word("AWS_EXTERNAL_ID"),
    )


def _google(texts: _Texts) -> GoogleKey:
    text = texts.get("key.json")
    if not text:
        raise BadIdentity("key.json")
    return google_key(text)


def google_key(text: str) -> GoogleKey:
    """Return what a key file of a Google service account holds; raises BadIdentity."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadIdentity("key.json", "is no JSON") from error
    if not isinstance(document, dict) or document.get("type") != "service_account":
        raise BadIdentity("key.json", "is no key file of a service account")
    names = ("client_email", "private_key", "private_key_id", "token_uri")
    values = [document.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, str) or not value:
            raise BadIdentity("key.json", f"has no {name}")
    return GoogleKey(*map(str, values))


def _azure(texts: _Texts) -> AzureClient:
    tenant = texts.need("AZURE_TENANT_ID")
    if not TENANT.fullmatch(tenant):
        raise BadIdentity("AZURE_TENANT_ID", "is no name of a tenant")
    return AzureClient(tenant, texts.need("AZURE_CLIENT_ID"), texts.need("AZURE_CLIENT_SECRET"))


READERS: Mapping[Cloud, Callable[[_Texts], Identity]] = {Cloud.AWS: _aws, Cloud.GOOGLE: _google, Cloud.AZURE: _azure}
