"""The kind Secret: pull secrets, keys of webhooks, and whatever else should be read by few."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from django.conf import settings

from authz import accounttokens, tokens
from authz.accounttokens import Account
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, OwnerReference
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Column, Resource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.table import age

OPAQUE = "Opaque"
ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105  # a type
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
DOCKERCFG = "kubernetes.io/dockercfg"
DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
BASIC_AUTH = "kubernetes.io/basic-auth"

DOCUMENTS = {DOCKERCFG: ".dockercfg", DOCKERCONFIGJSON: ".dockerconfigjson"}
"""The types that hold a JSON document, and its key."""

KEYS = {"kubernetes.io/ssh-auth": ("ssh-privatekey",), "kubernetes.io/tls": ("tls.crt", "tls.key")}
"""The types that demand keys of their own."""

CHECKS: dict[str, Callable[[Mapping[str, str]], list[FieldError]]] = {}
"""What further types demand of their data; the packages that use them say so when they start."""

MAX_BYTES = 1024 * 1024
KEY = re.compile(r"[-._a-zA-Z0-9]+")
KEY_MAX = 253
NOT_A_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',"
    "  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
REDACTED = "<secret contents redacted>"
FIXED = "field is immutable when `immutable` is set"


class Secret(KubeObject):
    """Small pieces of data under keys, in base64; `stringData` is text to be added to them and is never read back."""

    data: dict[str, str] | None = None
    string_data: dict[str, str] | None = None
    type: str = ""
    immutable: bool | None = None


class SecretStrategy(Strategy[Secret]):
    """What each type of secret must hold, and that some never change."""

    def default(self, obj: Secret) -> None:
        """Give it a type, and take the plain texts into the data; raises 400 for what is no base64."""
        obj.type = obj.type or OPAQUE
        found = {key: _canonical(key, value) for key, value in (obj.data or {}).items()}
        for key, text in (obj.string_data or {}).items():
            found[key] = base64.b64encode(text.encode()).decode()
        obj.data, obj.string_data = dict(sorted(found.items())) or None, None

    def prepare_create(self, obj: Secret, *, context: Context) -> None:
        """Put its token into a secret that is for the token of an account."""
        _fill(obj, context)

    def prepare_update(self, new: Secret, old: Secret, *, context: Context) -> None:
        """Put a token into such a secret again when it has lost its own."""
        _fill(new, context)

    def validate(self, obj: Secret, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the keys, the size, and what the type demands."""
        data = obj.data or {}
        problems = [problem for key in data for problem in key_problems(key, "data")]
        if sum(_size(value) for value in data.values()) > MAX_BYTES:
            problems.append(errors.too_long("data", MAX_BYTES))
        return problems + _type_problems(obj, data)

    def validate_update(self, new: Secret, old: Secret, *, context: Context) -> list[FieldError]:
        """Return what is wrong, and what may not change."""
        problems: list[FieldError] = []
        if new.type != old.type:
            problems.append(errors.invalid_value("type", new.type, "field is immutable"))
        if old.immutable:
            if not new.immutable:
                problems.append(errors.field_forbidden("immutable", FIXED))
            if new.data != old.data:
                problems.append(errors.field_forbidden("data", FIXED))
        return problems + self.validate(new, context=context)

    def recorded(self, new: Secret | None, old: Secret | None, *, version: int, context: Context) -> None:
        """End the tokens that were bound to a secret that is gone, and the token that a secret no longer holds."""
        if new is None and old is not None:
            tokens.revoke_bound_to(old.metadata.uid, now=context.now)
        if old is not None and old.type == ACCOUNT_TOKEN:
            tokens.forget()


def _fill(obj: Secret, context: Context) -> None:
    """Give the secret that names an account what its program needs: a token, and the authority of this server.

    The secret goes with the account. One that names no account that is there stays as it is.
    """
    name = (obj.metadata.annotations or {}).get(ACCOUNT_NAME, "")
    if obj.type != ACCOUNT_TOKEN or not name or "token" in (obj.data or {}) or context.dry_run:
        return
    uid = accounttokens.uid_of(context.namespace, name)
    if not uid:
        return
    meta, account = obj.metadata, Account(context.namespace, name, uid)
    texts = {
        "token": accounttokens.issue_for_secret(account, meta.name, now=context.now),
        "namespace": context.namespace,
        **({"ca.crt": settings.AUTHORITY.read_text()} if settings.AUTHORITY and settings.AUTHORITY.exists() else {}),
    }
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    obj.data = dict(sorted({**encoded, **(obj.data or {})}.items()))
    meta.annotations = {**(meta.annotations or {}), ACCOUNT_UID: uid}
    owner = OwnerReference(api_version="v1", kind="ServiceAccount", name=name, uid=uid)
    others = [reference for reference in meta.owner_references or () if reference.uid != uid]
    meta.owner_references = [*others, owner]


def _canonical(key: str, value: str) -> str:
    try:
        # Line breaks within base64 are let pass, as other servers do.
        content = base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        why = f"data[{key}] is not in base64"
        raise errors.bad_request(f'Secret in version "v1" cannot be handled as a Secret: {why}') from error
    return base64.b64encode(content).decode()


def _size(value: str) -> int:
    return len(value) * 3 // 4 - value.count("=")


def key_problems(key: str, field: str) -> list[FieldError]:
    """Return what is wrong with a key of a secret or a ConfigMap."""
    texts: list[str] = []
    if len(key) > KEY_MAX:
        texts.append(f"must be no more than {KEY_MAX} characters")
    if not KEY.fullmatch(key):
        texts.append(NOT_A_KEY)
    if key in (".", ".."):
        texts.append(f"must not be '{key}'")
    elif key.startswith(".."):
        texts.append("must not start with '..'")
    return [errors.invalid_value(f"{field}[{key}]", key, text) for text in texts]


def _type_problems(obj: Secret, data: Mapping[str, str]) -> list[FieldError]:
    if obj.type == ACCOUNT_TOKEN and not (obj.metadata.annotations or {}).get(ACCOUNT_NAME):
        return [errors.required(f"metadata.annotations[{ACCOUNT_NAME}]")]
    if obj.type in CHECKS:
        return CHECKS[obj.type](data)
    if obj.type in DOCUMENTS:
        return _document_problems(DOCUMENTS[obj.type], data)
    if obj.type == BASIC_AUTH and not {"username", "password"} & set(data):
        return [errors.required("data[username]"), errors.required("data[password]")]
    return [errors.required(f"data[{key}]") for key in KEYS.get(obj.type, ()) if key not in data]


def _document_problems(key: str, data: Mapping[str, str]) -> list[FieldError]:
    field = f"data[{key}]"
    if key not in data:
        return [errors.required(field)]
    try:
        msgspec.json.decode(base64.b64decode(data[key]), type=dict)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return [errors.invalid_value(field, REDACTED, "must be a JSON object")]
    return []


def row(secret: Secret, now: datetime) -> list[object]:
    """Return the table row of a secret, which shows how much it holds and not what."""
    meta = secret.metadata
    return [meta.name, secret.type, len(secret.data or {}), age(meta.creation_timestamp, now)]


SECRETS = Resource(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    namespaced=True,
    type=Secret,
    storage=ObjectStorage(SecretStrategy()),
    columns=(
        NAME,
        Column("Type", description="What the secret is for, and which keys it must have."),
        Column("Data", description="The number of keys."),
        AGE,
    ),
    row=row,
    sealed=True,
    fields={"type": lambda obj: str(obj.get("type", ""))},
)
