"""The keyring of a namespace: its own pull secrets, and the server's where that is allowed."""

from __future__ import annotations

from fnmatch import fnmatchcase

from django.conf import settings

from imagestreams import credentials
from imagestreams.api.secrets import linked, secrets_of
from imagestreams.credentials import Keyring

NONE = ("none",)


def keyring_of(namespace: str) -> Keyring:
    """Return the credentials that imports into a namespace are made with.

    The secrets are read with the server's own rights: whoever may import may use them, not see them.
    """
    environment = settings.ENVIRONMENT
    return credentials.keyring(
        secrets_of(namespace),
        linked=linked(namespace),
        fallback=environment.pull_secret,
        closed=not shares(namespace, environment.pull_secret_namespaces),
    )


def shares(namespace: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a namespace may use the server's pull secret: all may when none are named."""
    if not allowed:
        return True
    return allowed != NONE and any(fnmatchcase(namespace, glob) for glob in allowed)
