"""Pull secrets: which credentials a namespace has, and which fit a repository. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from imagestreams.reference import PullSpec

DOCKERCFG = "kubernetes.io/dockercfg"
DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
HUB_KEY = "index.docker.io"
HUB_REGISTRIES = ("", "docker.io", "index.docker.io")


class BadSecret(ValueError):
    """A pull secret that cannot be read; the text holds nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and password, or tokens, for a registry; its repr shows none of the secrets."""

    username: str = field(repr=False, default="")
    password: str = field(repr=False, default="")
    identity_token: str = field(repr=False, default="")
    registry_token: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class Entry:
    """A login with the place it is for: host labels as globs, port, and path prefix."""

    key: str
    login: Login

    def fits(self, host: str, path: str) -> bool:
        """Return whether the login is for a repository on `host` (with port) at `path`."""
        key_host, _, key_path = self.key.partition("/")
        labels, port = _host(host)
        key_labels, key_port = _host(key_host)
        if port != key_port or len(labels) != len(key_labels):
            return False
        matches = all(fnmatchcase(label, glob) for label, glob in zip(labels, key_labels, strict=True))
        return matches and path.startswith(key_path)


def _host(text: str) -> tuple[list[str], str]:
    host, _, port = text.partition(":")
    return host.split("."), port


class Keyring:
    """The credentials of a namespace, best fit first, and behind them those that every namespace may use."""

    def __init__(self, entries: Iterable[Entry], shared: Iterable[Entry] = ()) -> None:
        self._entries = _ordered(entries)
        self._shared = _ordered(shared)

    def logins(self, spec: PullSpec) -> list[Login]:
        """Return the logins that fit a pull spec, each once, in the order in which they are to be tried."""
        full = spec.with_client_defaults()
        path = "/".join(part for part in (full.namespace, full.name) if part)
        hub = spec.registry in HUB_REGISTRIES
        found = [login for ring in (self._entries, self._shared) for login in _fitting(ring, full.registry, path, hub)]
        return list(dict.fromkeys(found))


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    # Reverse order puts longer paths of one host first and wildcard hosts last.
    return sorted(entries, key=lambda entry: entry.key, reverse=True)


def _fitting(entries: list[Entry], host: str, path: str, hub: bool) -> list[Login]:
    found = [entry.login for entry in entries if entry.fits(host, path)]
    if not found and hub:
        found = [entry.login for entry in entries if entry.key == HUB_KEY]
    return found


def keyring(secrets: Iterable[Mapping[str, Any]], *, fallback: str = "") -> Keyring:
    """Return the keyring of pull secrets given as plain JSON; those that cannot be read are left out.

    `fallback` is the text of a Docker `config.json` whose credentials every namespace may use.
    """
    entries: list[Entry] = []
    for secret in secrets:
        try:
            entries += entries_of(secret)
        except BadSecret:
            continue
    return Keyring(entries, _shared(fallback))


def _shared(fallback: str) -> list[Entry]:
    if not fallback:
        return []
    packed = base64.b64encode(fallback.encode()).decode()
    try:
        return entries_of({"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": packed}})
    except BadSecret:
        return []


def entries_of(secret: Mapping[str, Any]) -> list[Entry]:
    """Return what a pull secret holds; raises BadSecret when it is not what its type says."""
    data: Mapping[str, str] = secret.get("data") or {}
    if secret.get("type") == DOCKERCONFIGJSON:
        document = _decoded(data.get(".dockerconfigjson", ""))
        auths = document.get("auths") or {}
    else:
        auths = _decoded(data.get(".dockercfg", ""))
    if not isinstance(auths, dict):
        raise BadSecret("the pull secret holds no map of registries")
    return [Entry(normalised(key), _login(value)) for key, value in auths.items() if isinstance(value, dict)]


def _decoded(text: str) -> dict[str, Any]:
    try:
        document = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadSecret("the pull secret is no JSON") from error
    if not isinstance(document, dict):
        raise BadSecret("the pull secret is no JSON object")
    return document


def _login(value: Mapping[str, Any]) -> Login:
    username, password = str(value.get("username") or ""), str(value.get("password") or "")
    packed = str(value.get("auth") or "")
    if packed:
        username, password = _unpacked(packed)
    return Login(username, password, str(value.get("identitytoken") or ""), str(value.get("registrytoken") or ""))


def _unpacked(packed: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadSecret("the auth field of the pull secret is not base64") from error
    username, colon, password = text.partition(":")
    if not colon:
        raise BadSecret("unable to parse auth field, must be formatted as base64(username:password)")
    return username, password


def normalised(key: str) -> str:
    """Return the place that a key of a pull secret names: no scheme, no API version, no empty path."""
    place = key.removeprefix("https://").removeprefix("http://")
    host, slash, path = place.partition("/")
    if slash and path.startswith(("v1/", "v2/")):
        path = path[3:]
    path = path.strip("/") if not path.strip("/") else path
    return f"{host}/{path}" if path else host
