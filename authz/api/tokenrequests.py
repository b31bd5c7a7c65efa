"""The kind TokenRequest: a token for a service account, for a while."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from authz import accounttokens
from authz.accounttokens import Account, Reference
from authz.api.secrets import SECRETS
from registry_meta.kube import errors, store
from registry_meta.kube.meta import (
    GroupKind,
    GroupResource,
    KubeObject,
    KubeStruct,
    ObjectMeta,
    Time,
    always,
    timestamp,
)
from registry_meta.kube.request import Context
from registry_meta.kube.store import Stored

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

KIND = GroupKind("authentication.k8s.io", "TokenRequest")
DEFAULT_SECONDS = 3600
LEAST_SECONDS = 600
MOST_SECONDS = 1 << 32

AUDIENCES_BYTES = 2048
"""How long the audiences may be together: a token is sent in a header."""


class BoundObjectReference(KubeStruct):
    """An object that the token must not outlive."""

    kind: str = ""
    api_version: str = ""
    name: str = ""
    uid: str = ""


class TokenRequestSpec(KubeStruct):
    """For whom the token is meant, and for how long."""

    audiences: list[str] | None = None
    expiration_seconds: int | None = None
    bound_object_ref: BoundObjectReference | None = always(None)


class TokenRequestStatus(KubeStruct):
    """The token, which is shown this once."""

    token: str = always("")
    expiration_timestamp: Time | None = always(None)


class TokenRequest(KubeObject):
    """Asks for a token of a service account."""

    spec: TokenRequestSpec = msgspec.field(default_factory=TokenRequestSpec)
    status: TokenRequestStatus = msgspec.field(default_factory=TokenRequestStatus)


class TokenRequestStorage:
    """Gives out tokens of the service account whose subresource it is."""

    def create(self, name: str, obj: TokenRequest, *, context: Context) -> TokenRequest:
        """Return the request with its token; raises 404 for no account, 422 for a wrong time, 400 for a wrong tie."""
        account = store.read(context.resource, name, context=context)
        spec = _checked(obj, name)
        bound = _bound(spec.bound_object_ref, context)
        audiences = spec.audiences or [accounttokens.issuers()[0]]
        seconds = spec.expiration_seconds or DEFAULT_SECONDS
        expires_at = context.now + timedelta(seconds=seconds)
        token = ""
        if not context.dry_run:
            token = accounttokens.issue(
                Account(context.namespace, name, account.uid), audiences=audiences, now=context.now,
                expires_at=expires_at, secret=Reference(bound.name, bound.uid) if bound else None,
            )  # fmt: skip
        return TokenRequest(
            metadata=ObjectMeta(
                name=name, namespace=context.namespace, uid=account.uid, creation_timestamp=timestamp(context.now)
            ),
            spec=TokenRequestSpec(
                audiences=audiences,
                expiration_seconds=seconds,
                bound_object_ref=spec.bound_object_ref,
            ),
            status=TokenRequestStatus(token=token, expiration_timestamp=timestamp(expires_at)),
        )


def _checked(obj: TokenRequest, name: str) -> TokenRequestSpec:
    given = obj.metadata.name
    if given and given != name:
        why = "must match the service account name if specified"
        raise errors.invalid(KIND, name, [errors.invalid_value("metadata.name", given, why)])
    seconds, why = obj.spec.expiration_seconds, ""
    if seconds is not None and seconds < LEAST_SECONDS:
        why = "may not specify a duration less than 10 minutes"
    elif seconds is not None and seconds > MOST_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        raise errors.invalid(KIND, "", [errors.invalid_value("spec.expirationSeconds", seconds, why)])
    if sum(len(audience.encode()) for audience in obj.spec.audiences or ()) > AUDIENCES_BYTES:
        raise errors.invalid(KIND, "", [errors.too_long("spec.audiences", AUDIENCES_BYTES)])
    return obj.spec


def _bound(reference: BoundObjectReference | None, context: Context) -> Stored | None:
    """Return the object to which a token is to be tied."""
    if reference is None:
        return None
    kind = (reference.api_version, reference.kind)
    if kind in (("v1", "Pod"), ("v1", "Node")):
        raise errors.not_found(GroupResource("", f"{reference.kind.lower()}s"), reference.name)
    if kind != ("v1", "Secret"):
        word = f"{reference.api_version}, Kind={reference.kind}"
        raise errors.bad_request(f"cannot bind token for object of type {word}")
    found = store.find(SECRETS, context.namespace, reference.name)
    if found is None:
        raise errors.not_found(SECRETS.group_resource, reference.name)
    if reference.uid and reference.uid != found.uid:
        why = (
            f"the UID in the bound object reference ({reference.uid}) does not match the UID in record."
            " The object might have been deleted and then recreated"
        )
        raise errors.conflict(SECRETS.group_resource, reference.name, why)
    return found
