"""Who asks through a trusted proxy, such as Kubernetes' aggregator: the X-Remote headers of its own listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from authz.rules import with_login_group
from registry_meta.kube.request import Actor

KEY = "registry_meta.front_proxy"
"""Where the environ has the headers of a request that came from a trusted proxy; no header can be called so."""

USER = "x-remote-user"
GROUP = "x-remote-group"
UID = "x-remote-uid"
EXTRA = "x-remote-extra-"
PREFIX = "x-remote-"

Headers = Sequence[tuple[str, str]]
"""Names in small letters and values, each line by itself."""


def actor_of(environ: Mapping[str, Any]) -> Actor | None:
    """Return for whom a trusted proxy asks; None for other requests, whatever their headers say."""
    headers: Headers | None = environ.get(KEY)
    return None if headers is None else named(headers)


def named(headers: Headers) -> Actor | None:
    """Return whom the headers of a proxy name, None where they name no user."""
    username = next((value for name, value in headers if name == USER and value), "")
    if not username:
        return None
    groups = tuple(value for name, value in headers if name == GROUP and value)
    extra: dict[str, tuple[str, ...]] = {}
    for name, value in headers:
        if name.startswith(EXTRA):
            key = unquote(name.removeprefix(EXTRA))
            extra[key] = (*extra.get(key, ()), value)
    uid = next((value for name, value in headers if name == UID), "")
    return Actor(username, with_login_group(username, groups), uid, extra)
