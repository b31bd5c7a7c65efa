"""The subresource imagestreams/secrets: the pull secrets of the stream's namespace."""

from __future__ import annotations

from typing import Any

import msgspec

from authz.api.secrets import SECRETS
from imagestreams.types import GROUP, VERSION
from registry_meta.kube import changes, pagination
from registry_meta.kube.pagination import ListOptions
from registry_meta.kube.request import Context

PULL_SECRET_TYPES = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")
EXCLUDED = "openshift.io/image.excludeSecret"


def pull_secrets(namespace: str) -> list[dict[str, Any]]:
    """Return the pull secrets of a namespace as plain JSON, by name."""
    selected = pagination.selection(SECRETS, {})
    page = pagination.page(SECRETS, namespace, selected, ListOptions())
    secrets = [msgspec.json.decode(document) for document in page.documents]
    return [secret for secret in secrets if secret.get("type") in PULL_SECRET_TYPES and not _is_excluded(secret)]


def _is_excluded(secret: dict[str, Any]) -> bool:
    annotations: dict[str, str] = secret["metadata"].get("annotations") or {}
    return annotations.get(EXCLUDED) == "true"


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
