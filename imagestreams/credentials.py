"""Pull secrets: which credentials a namespace has, which fit a repository, and why the others do not. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from imagestreams.minting import identities
from imagestreams.minting.identities import HELPERS, Ambient, BadIdentity, Identity
from imagestreams.reference import PullSpec

DOCKERCFG = "kubernetes.io/dockercfg"
DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
DOCUMENTS = {DOCKERCFG: ".dockercfg", DOCKERCONFIGJSON: ".dockerconfigjson"}
"""The types of pull secrets, and the key of their document."""
EXCLUDED = "openshift.io/image.excludeSecret"
HUB_KEY = "index.docker.io"
HUB_REGISTRIES = ("", "docker.io", "index.docker.io")
NAMES_OF_HUB = frozenset({"hub.docker.com", "registry-1.docker.io", "registry.hub.docker.com", "auth.docker.io"})
"""Hosts that people take for the key of Docker Hub."""
MOST_TRIED = 16
"""The most credentials that are tried at one repository."""


class BadSecret(ValueError):
    """A pull secret that cannot be read; the text holds nothing of what is in it."""


class Why(Enum):
    """Why a credential is not tried at a repository."""

    EXCLUDED = "Excluded"
    OTHER_PATH = "OtherPath"
    OTHER_PORT = "OtherPort"
    HUB_NAME = "NotTheKeyOfDockerHub"
    UNREADABLE = "Unreadable"
    EMPTY = "Empty"
    OTHER_TYPE = "OtherType"
    SAME = "SameAsAnother"
    TOO_MANY = "TooMany"
    NOT_HERE = "NotForThisNamespace"
    OTHER_HOST = "OtherHost"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a credential is kept: a secret of the namespace and a key in it; no secret for that of the server."""

    secret: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and password, or tokens, for a registry; its repr shows none of the secrets.

    With an `identity` at a cloud, these are made from it when they are needed.
    """

    username: str = field(repr=False, default="")
    password: str = field(repr=False, default="")
    identity_token: str = field(repr=False, default="")
    registry_token: str = field(repr=False, default="")
    origin: Origin = field(compare=False, default=Origin())
    identity: Identity | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that could be shown to a registry."""
        has_token = bool(self.identity_token or self.registry_token)
        return not ((self.username and self.password) or has_token or self.identity)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A credential that is not tried; `detail` says more, and nothing secret."""

    origin: Origin
    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A login with the place it is for: host labels as globs, port, and path prefix."""

    key: str
    login: Login

    def fits(self, host: str, path: str) -> bool:
        """Return whether the login is for a repository on `host` (with port) at `path`."""
        return self.mismatch(host, path) is None

    def mismatch(self, host: str, path: str) -> Why | None:
        """Return why the login is not for a repository, or None when it is."""
        key_host, _, key_path = self.key.partition("/")
        labels, port = _host(host)
        globs, key_port = _host(key_host)
        is_host = len(labels) == len(globs) and all(map(_is_like, labels, globs))
        if not is_host:
            return Why.OTHER_HOST
        if port != key_port:
            return Why.OTHER_PORT
        return None if path.startswith(key_path) else Why.OTHER_PATH


def _host(text: str) -> tuple[list[str], str]:
    host, _, port = text.partition(":")
    return host.split("."), port


def _is_like(label: str, glob: str) -> bool:
    return fnmatchcase(label, glob.replace("[^", "[!"))


@dataclass(frozen=True, slots=True)
class Bundle:
    """What some secrets hold: what is tried, what would be if its secret were not excluded, and what cannot be."""

    entries: tuple[Entry, ...] = ()
    excluded: tuple[Entry, ...] = ()
    skipped: tuple[Skipped, ...] = ()


NO_BUNDLE = Bundle()


class Keyring:
    """The credentials of a namespace, best fit first, and behind them those that every namespace may use."""

    def __init__(self, own: Bundle, shared: Bundle = NO_BUNDLE) -> None:
        self._rings = (_ordered(own.entries), _ordered(shared.entries))
        self._excluded = own.excluded
        self._skipped = (*own.skipped, *shared.skipped)

    def logins(self, spec: PullSpec) -> list[Login]:
        """Return the logins that fit a pull spec, each once, in the order in which they are to be tried."""
        return list(dict.fromkeys(self._fitting(spec)))[:MOST_TRIED]

    def skipped(self, spec: PullSpec) -> list[Skipped]:
        """Return what is not tried for a pull spec, the near misses first."""
        place, is_hub = _place(spec)
        tried = self.logins(spec)
        origins = {login.origin for login in tried}
        left = [login for login in self._fitting(spec) if login.origin not in origins]
        fitting = origins | {login.origin for login in left}
        others = [entry for ring in self._rings for entry in ring if entry.login.origin not in fitting]
        found = [
            *self._skipped,
            *(Skipped(login.origin, Why.SAME if login in tried else Why.TOO_MANY) for login in left),
            *(Skipped(entry.login.origin, _mismatch(entry, place, is_hub) or Why.OTHER_HOST) for entry in others),
            *(Skipped(entry.login.origin, _mismatch(entry, place, is_hub) or Why.EXCLUDED) for entry in self._excluded),
        ]
        order = list(Why)
        return sorted(found, key=lambda skipped: order.index(skipped.why))

    @property
    def is_empty(self) -> bool:
        """Whether there is no pull secret at all, not even one that cannot be used."""
        return not any((*self._rings, self._excluded, self._skipped))

    def _fitting(self, spec: PullSpec) -> Iterator[Login]:
        place, is_hub = _place(spec)
        for ring in self._rings:
            yield from (entry.login for entry in ring if entry.fits(*place))
            if is_hub:
                yield from (entry.login for entry in ring if entry.key == HUB_KEY and not entry.fits(*place))


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    # Reverse order puts longer paths of one host first and wildcard hosts last.
    return sorted(entries, key=lambda entry: entry.key, reverse=True)


def _place(spec: PullSpec) -> tuple[tuple[str, str], bool]:
    """Return host and path of a repository as keys name them, and whether it is on Docker Hub."""
    full = spec.with_client_defaults()
    path = "/".join(part for part in (full.namespace, full.name) if part)
    return (full.registry, path), spec.registry in HUB_REGISTRIES


def _mismatch(entry: Entry, place: tuple[str, str], is_hub: bool) -> Why | None:
    if is_hub and entry.key == HUB_KEY:
        return None
    why = entry.mismatch(*place)
    is_misnamed = is_hub and entry.key.partition("/")[0] in NAMES_OF_HUB
    return Why.HUB_NAME if why is Why.OTHER_HOST and is_misnamed else why


# --- reading


def keyring(
    secrets: Iterable[Mapping[str, Any]], *, linked: Collection[str] = (), fallback: str = "", closed: bool = False
) -> Keyring:
    """Return the keyring of secrets given as plain JSON; what cannot be used is told by `Keyring.skipped`.

    Of equal keys those in secrets with `linked` names come first. `fallback` is the text of a Docker `config.json`
    whose credentials come last; `closed` says that this namespace may not use them.
    """
    ordered = sorted(secrets, key=lambda secret: _name(secret) not in linked)
    found = [bundle(secret) for secret in ordered]
    own = Bundle(
        tuple(entry for one in found for entry in one.entries),
        tuple(entry for one in found for entry in one.excluded),
        tuple(skipped for one in found for skipped in one.skipped),
    )
    return Keyring(own, _shared(fallback, closed))


def _shared(fallback: str, closed: bool) -> Bundle:
    if not fallback:
        return NO_BUNDLE
    if closed:
        return Bundle(skipped=(Skipped(Origin(), Why.NOT_HERE),))
    packed = base64.b64encode(fallback.encode()).decode()
    found = bundle({"type": DOCKERCONFIGJSON, "data": {".dockerconfigjson": packed}})
    return Bundle((*found.entries, *_helped(packed)), skipped=found.skipped)


def _helped(packed: str) -> list[Entry]:
    """Return the places for which this server itself is somebody at a cloud; no Secret can say so."""
    try:
        helpers = _decoded(packed).get("credHelpers")
    except BadSecret:
        return []
    if not isinstance(helpers, dict):
        return []
    clouds = {key: HELPERS.get(helper) for key, helper in helpers.items() if isinstance(helper, str)}
    return [
        Entry(normalised(key), Login(origin=Origin("", key), identity=Ambient(cloud)))
        for key, cloud in clouds.items()
        if cloud
    ]


def _name(secret: Mapping[str, Any]) -> str:
    return str((secret.get("metadata") or {}).get("name") or "")


def is_excluded(secret: Mapping[str, Any]) -> bool:
    """Return whether a secret is not to be used for imports."""
    annotations = (secret.get("metadata") or {}).get("annotations") or {}
    return bool(annotations.get(EXCLUDED) == "true")


def bundle(secret: Mapping[str, Any]) -> Bundle:
    """Return what a secret holds; one that is no pull secret holds nothing, unless it looks like one."""
    name, kind = _name(secret), str(secret.get("type") or "")
    data: Mapping[str, str] = secret.get("data") or {}
    if identities.is_cloud(kind):
        return _cloud(secret, name, kind)
    if kind not in DOCUMENTS:
        is_alike = any(key in data for key in DOCUMENTS.values())
        return Bundle(skipped=(Skipped(Origin(name), Why.OTHER_TYPE, kind),)) if is_alike else NO_BUNDLE
    try:
        auths = _auths(kind, data)
    except BadSecret as error:
        return Bundle(skipped=(Skipped(Origin(name), Why.UNREADABLE, str(error)),))
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for key, value in auths.items():
        origin = Origin(name, key)
        try:
            login = _login(value, origin)
        except BadSecret as error:
            skipped.append(Skipped(origin, Why.UNREADABLE, str(error)))
            continue
        if login.is_empty:
            skipped.append(Skipped(origin, Why.EMPTY))
        else:
            entries.append(Entry(normalised(key), login))
    if is_excluded(secret):
        return Bundle(excluded=tuple(entries), skipped=tuple(skipped))
    return Bundle(tuple(entries), skipped=tuple(skipped))


def _cloud(secret: Mapping[str, Any], name: str, kind: str) -> Bundle:
    """Return what a secret with keys of a cloud holds: one identity, for one or more places."""
    data: Mapping[str, str] = secret.get("data") or {}
    try:
        identity, places = identities.identity_of(kind, data), identities.places_of(kind, data)
    except BadIdentity as error:
        return Bundle(skipped=(Skipped(Origin(name), Why.UNREADABLE, str(error)),))
    found = tuple(Entry(normalised(place), Login(origin=Origin(name, place), identity=identity)) for place in places)
    return Bundle(excluded=found) if is_excluded(secret) else Bundle(found)


def _auths(kind: str, data: Mapping[str, str]) -> dict[str, Any]:
    """Return the map from keys to logins; raises BadSecret."""
    document: object = _decoded(data.get(DOCUMENTS[kind], ""))
    if kind == DOCKERCONFIGJSON and isinstance(document, dict):
        document = document.get("auths") or {}
    if not isinstance(document, dict):
        raise BadSecret("the pull secret holds no map of registries")
    return document


def _decoded(text: str) -> dict[str, Any]:
    try:
        document = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadSecret("the pull secret is no JSON") from error
    if not isinstance(document, dict):
        raise BadSecret("the pull secret is no JSON object")
    return document


def _login(value: object, origin: Origin) -> Login:
    if not isinstance(value, Mapping):
        raise BadSecret("the entry is no JSON object")
    username, password = str(value.get("username") or ""), str(value.get("password") or "")
    packed = str(value.get("auth") or "")
    if packed:
        username, password = _unpacked(packed)
    identity, registry = str(value.get("identitytoken") or ""), str(value.get("registrytoken") or "")
    return Login(username, password, identity, registry, origin)


def _unpacked(packed: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadSecret("the auth field is not base64") from error
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
