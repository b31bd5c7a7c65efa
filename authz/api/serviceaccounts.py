"""The kind ServiceAccount: users that are programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from authz import tokens
from authz.api.tokenrequests import TokenRequest, TokenRequestStorage
from registry_meta.kube.meta import KubeObject, KubeStruct, ObjectReference, merged_by
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Resource, Subresource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.table import age


class LocalObjectReference(KubeStruct):
    """The name of an object in the same namespace."""

    is_one_value = True

    name: str = ""


class ServiceAccount(KubeObject):
    """A user that is a program; its name to the rest of the world is `system:serviceaccount:NAMESPACE:NAME`."""

    secrets: Annotated[list[ObjectReference] | None, merged_by("name")] = None
    image_pull_secrets: list[LocalObjectReference] | None = None
    automount_service_account_token: bool | None = None


class ServiceAccountStrategy(Strategy[ServiceAccount]):
    """The tokens of an account end with it."""

    def recorded(
        self, new: ServiceAccount | None, old: ServiceAccount | None, *, version: int, context: Context
    ) -> None:
        """End the tokens of an account that is gone."""
        if new is None and old is not None:
            tokens.revoke_bound_to(old.metadata.uid, now=context.now)
            tokens.forget()


def row(account: ServiceAccount, now: datetime) -> list[object]:
    """Return the table row of an account."""
    return [account.metadata.name, age(account.metadata.creation_timestamp, now)]


SERVICE_ACCOUNTS = Resource(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    singular="serviceaccount",
    namespaced=True,
    type=ServiceAccount,
    storage=ObjectStorage(ServiceAccountStrategy()),
    short_names=("sa",),
    columns=(NAME, AGE),
    row=row,
    subresources=(
        Subresource(
            name="token",
            storage=TokenRequestStorage(),
            type=TokenRequest,
            kind="TokenRequest",
            group="authentication.k8s.io",
            version="v1",
        ),
    ),
)
