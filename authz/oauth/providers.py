"""The identity providers of the file that REGISTRY_META_IDENTITY_PROVIDERS names, in the shape of OpenShift's OAuth.

identityProviders:
  - name: corp
    mappingMethod: claim
    type: OpenID
    openID: {issuer: https://id.example.com, clientID: meta, clientSecretFile: /run/secrets/meta}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import yaml
from django.conf import settings

from authz.identities import CLAIM
from authz.oauth.sessions import LOCAL
from authz.openid.login import OpenIDProvider

VARIABLE = "REGISTRY_META_IDENTITY_PROVIDERS"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LONGEST_FILE = 256 * 1024


class BadProviders(ValueError):
    """A file that cannot be used; the message is one line that names the variable and the place."""


class Claims(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """The claims that say who somebody is; of several the first that is there counts."""

    preferred_username: list[str] = []
    name: list[str] = []
    email: list[str] = []
    groups: list[str] = []


class OpenID(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """How an OpenID Connect provider is reached, and how this server proves to it who it is."""

    issuer: str
    client_id: str = msgspec.field(name="clientID")
    client_secret: str = ""
    client_secret_file: str = ""
    claims: Claims = Claims()
    extra_scopes: list[str] = []
    extra_authorize_parameters: dict[str, str] = {}
    ca: str = ""

    def __repr__(self) -> str:
        return f"OpenID({self.issuer!r}, {self.client_id!r})"


class Provider(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """One provider: under which name people choose it, and which users they become."""

    name: str
    type: Literal["OpenID"]
    open_id: OpenID = msgspec.field(name="openID")
    mapping_method: Literal["claim", "lookup", "add"] = CLAIM  # type: ignore[assignment]  # one of the three


class _File(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    identity_providers: list[Provider]


def configured() -> Mapping[str, Provider]:
    """Return the providers by name, in the order of the file; raises BadProviders."""
    path: Path | None = settings.ENVIRONMENT.identity_providers
    return _read(path) if path is not None else {}


def begin() -> None:
    """Read the file and all that it names, before anything is served; raises BadProviders."""
    for name in configured():
        reached(name)


def reached(name: str) -> OpenIDProvider | None:
    """Return the provider of a name, ready to be spoken to; raises BadProviders when its `ca` cannot be used."""
    found = configured().get(name)
    return _ready(found, str(settings.ENVIRONMENT.identity_providers)) if found is not None else None


_made: dict[tuple[str, str], OpenIDProvider] = {}
"""The providers that this process speaks to, which remember their keys and addresses, by the file and the name."""


def _ready(provider: Provider, place: str) -> OpenIDProvider:
    made = _made.get((place, provider.name))
    if made is None:
        try:
            made = _made[place, provider.name] = OpenIDProvider(provider.name, provider.open_id)
        except (OSError, ValueError) as error:
            why = f"openID.ca: {provider.open_id.ca} is no PEM file of certificates"
            raise BadProviders(f"{VARIABLE}: {place}: provider {provider.name}: {why}") from error
    return made


def names() -> list[str]:
    """Return the names of the providers, in the order of the file."""
    return list(configured())


@lru_cache(maxsize=4)
def _read(path: Path) -> Mapping[str, Provider]:
    """Return the providers of a file, which is read once in the life of a process."""
    return parsed(_text(path, str(path)), str(path))


def parsed(text: str, place: str) -> dict[str, Provider]:
    """Return the providers of a text by name; raises BadProviders, which names the place."""
    try:
        found = msgspec.convert(yaml.safe_load(text), _File)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise BadProviders(f"{VARIABLE}: {place}{line}: this is not YAML") from error
    except msgspec.ValidationError as error:
        raise BadProviders(f"{VARIABLE}: {place}: {str(error).replace(' - at `$.', ' - at `')}") from error
    return _named(found.identity_providers, place)


def _named(found: Sequence[Provider], place: str) -> dict[str, Provider]:
    providers: dict[str, Provider] = {}
    for index, provider in enumerate(found):
        field, why = _problem(provider)
        if provider.name in providers:
            field, why = "name", f"{provider.name!r} is there twice"
        if why:
            raise BadProviders(f"{VARIABLE}: {place}: identityProviders[{index}].{field}: {why}")
        where = f"{place}: identityProviders[{index}].openID.clientSecretFile"
        providers[provider.name] = _with_secret(provider, where)
    return providers


def _problem(provider: Provider) -> tuple[str, str]:
    """Return which field of a provider cannot be used and why; nothing when all can."""
    openid = provider.open_id
    if not NAME.fullmatch(provider.name) or provider.name == LOCAL:
        return "name", f"{provider.name!r} is not 1 to 63 letters, digits, dots and dashes, and not {LOCAL!r}"
    parts = urlsplit(openid.issuer)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        return "openID.issuer", f"{openid.issuer!r} is no https URL without query and fragment"
    if not openid.client_id:
        return "openID.clientID", "it is empty"
    if bool(openid.client_secret) == bool(openid.client_secret_file):
        return "openID.clientSecret", "give clientSecret or clientSecretFile"
    if openid.ca and not Path(openid.ca).is_file():
        return "openID.ca", f"there is no file {openid.ca}"
    return "", ""


def _with_secret(provider: Provider, where: str) -> Provider:
    """Return a provider whose secret is at hand."""
    openid = provider.open_id
    if not openid.client_secret_file:
        return provider
    secret = _text(Path(openid.client_secret_file), where).strip()
    if not secret:
        raise BadProviders(f"{VARIABLE}: {where}: {openid.client_secret_file} is empty")
    return msgspec.structs.replace(provider, open_id=msgspec.structs.replace(openid, client_secret=secret))


def _text(path: Path, where: str) -> str:
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise BadProviders(f"{VARIABLE}: {where}: {path} is longer than {LONGEST_FILE} bytes")
        return path.read_text()
    except OSError as error:
        raise BadProviders(f"{VARIABLE}: {where}: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BadProviders(f"{VARIABLE}: {where}: {path} is not UTF-8 text") from error
