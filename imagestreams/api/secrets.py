"""The subresource imagestreams/secrets: the pull secrets of the stream's namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from authz.api.secrets import REDACTED, SECRETS
from authz.api.serviceaccounts import SERVICE_ACCOUNTS
from imagestreams import credentials
from imagestreams.minting import identities
from imagestreams.minting.identities import BadIdentity, Cloud
from imagestreams.types import GROUP, VERSION
from registry_meta.kube import changes, errors, pagination, store
from registry_meta.kube.errors import FieldError
from registry_meta.kube.pagination import ListOptions
from registry_meta.kube.request import Context

DEFAULT_ACCOUNT = "default"
"""The service account of those workloads of a namespace that name none."""


def secrets_of(namespace: str) -> list[dict[str, Any]]:
    """Return the secrets of a namespace of every type as plain JSON, by name."""
    selected = pagination.selection(SECRETS, {})
    page = pagination.page(SECRETS, namespace, selected, ListOptions())
    return [msgspec.json.decode(document) for document in page.documents]


def linked(namespace: str) -> set[str]:
    """Return the names of the secrets that the default account of a namespace pulls with."""
    stored = store.find(SERVICE_ACCOUNTS, namespace, DEFAULT_ACCOUNT)
    if stored is None:
        return set()
    return {reference.name for reference in stored.object().image_pull_secrets or []}


def pull_secrets(namespace: str) -> list[dict[str, Any]]:
    """Return the pull secrets of a namespace that imports may use as plain JSON, by name."""
    found = secrets_of(namespace)
    return [one for one in found if one.get("type") in credentials.DOCUMENTS and not credentials.is_excluded(one)]


def _cloud_problems(kind: str, data: Mapping[str, str]) -> list[FieldError]:
    """Return what is wrong with the data of a Secret for a cloud; none of it is repeated."""
    try:
        identities.identity_of(kind, data)
        identities.places_of(kind, data)
    except BadIdentity as error:
        field = f"data[{error.key}]"
        return [errors.required(field) if error.is_missing else errors.invalid_value(field, REDACTED, error.why)]
    return []


CHECKS: Mapping[str, Callable[[Mapping[str, str]], list[FieldError]]] = {
    cloud.value: partial(_cloud_problems, cloud.value) for cloud in Cloud
}
"""What Secrets for clouds must hold, by type."""


class SecretsStorage:
    """Lists the pull secrets of the namespace; the stream itself need not exist."""

    def get(self, name: str, *, context: Context) -> dict[str, Any]:
        """Return the secrets as a SecretList of the image group."""
        version = str(changes.newest())
        return {
            "kind": "SecretList",
            "apiVersion": f"{GROUP}/{VERSION}",
            "metadata": {"resourceVersion": version},
            "items": pull_secrets(context.namespace),
        }
