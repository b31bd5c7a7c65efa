"""The keys that events are signed with, read from Secrets when they are needed and kept nowhere else."""

from __future__ import annotations

import base64
import binascii

from registry_meta.kube import store
from registry_meta.kube.catalog import catalog
from registry_meta.kube.sealing import Unreadable

SECRETS = "secrets"


class SecretMissing(Exception):
    """There is no such Secret, it does not hold the key, or it cannot be read."""


def key(namespace: str, name: str, entry: str) -> bytes:
    """Return the bytes under a key of a Secret; raises SecretMissing."""
    try:
        stored = store.find(catalog.by_key(SECRETS), namespace, name)
    except Unreadable:
        raise SecretMissing(f'the secret "{name}" cannot be decrypted') from None
    if stored is None:
        raise SecretMissing(f'the secret "{name}" does not exist')
    packed = (stored.object().data or {}).get(entry, "")
    try:
        value = base64.b64decode(packed)
    except binascii.Error:
        raise SecretMissing(f'the key "{entry}" of the secret "{name}" cannot be read') from None
    if not value:
        raise SecretMissing(f'the secret "{name}" has no key "{entry}"')
    return value
