"""How people, their groups and their identities may be named (user.openshift.io/v1); pure."""

from __future__ import annotations

import base64

from registry_meta.kube.validation import path_segment

GROUP = "user.openshift.io"
VERSION = "v1"

OAUTH = "system:authenticated:oauth"
"""The group of all who logged in with this server."""

MYSELF = "~"
"""The name by which everybody reads his own user."""

ENCODED = "b64:"
"""How a name begins that stands for one which could not be a name."""

NOT_IDENTITY = "must be in the format <providerName>:<providerUserName>"


def user_name(name: str) -> list[str]:
    """Return what keeps a text from being the name of a user."""
    problems = path_segment(name)
    if problems:
        return problems
    if ":" in name and not name.startswith(ENCODED):
        return ['usernames that contain ":" must begin with "b64:"']
    return _reserved(name)


def group_name(name: str) -> list[str]:
    """Return what keeps a text from being the name of a group."""
    return provider_name(name) or _reserved(name)


def provider_name(name: str) -> list[str]:
    """Return what keeps a text from being the name of an identity provider."""
    problems = path_segment(name)
    if problems:
        return problems
    return ['may not contain ":"'] if ":" in name else []


def identity_name(name: str) -> list[str]:
    """Return what keeps a text from being the name of an identity: PROVIDER:USER or PROVIDER:b64:USER."""
    problems = path_segment(name)
    if problems:
        return problems
    provider, colon, user = name.partition(":")
    user = user.removeprefix(ENCODED)
    if not colon or ":" in user:
        return [NOT_IDENTITY]
    if not provider:
        return [f"{NOT_IDENTITY} with a non-empty providerName"]
    if not user:
        return [f"{NOT_IDENTITY} with a non-empty providerUserName"]
    return []


def nameable(text: str) -> str:
    """Return what a provider calls somebody, encoded where it could not be a name."""
    if ":" not in text and "/" not in text:
        return text
    return ENCODED + base64.b64encode(text.encode()).decode().rstrip("=").translate(SAFE)


SAFE = str.maketrans("+/", "-_")
"""What keeps the encoding from holding a slash, which no name may."""


def _reserved(name: str) -> list[str]:
    return [f'may not equal "{MYSELF}"'] if name == MYSELF else []
