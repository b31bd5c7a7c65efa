"""The file that names outside issuers, in the shape of Kubernetes' AuthenticationConfiguration."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import yaml

from authz.openid.fetching import is_https

GROUP = "apiserver.config.k8s.io/"
KIND = "AuthenticationConfiguration"
VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
EMAIL = "email"
MOST_ISSUERS = 64


class ConfigurationError(ValueError):
    """The file cannot be used; the message is one line."""


class _Part(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A part of the file."""


class Issuer(_Part):
    """Who signs the tokens, for whom they must be, and whom to trust for its keys."""

    url: str
    audiences: list[str]
    discovery_url: str = msgspec.field(default="", name="discoveryURL")
    audience_match_policy: str = ""
    certificate_authority: str = ""


class PrefixedClaim(_Part):
    """A claim, and what is put before its value; without a prefix the claim decides."""

    claim: str
    prefix: str | None = None


class UidClaim(_Part):
    """A claim that is the uid of the user."""

    claim: str


class ClaimMappings(_Part):
    """Which claims say who the user is."""

    username: PrefixedClaim
    groups: PrefixedClaim | None = None
    uid: UidClaim | None = None


class ClaimValidationRule(_Part):
    """A claim that must have a value."""

    claim: str
    required_value: str = ""


class JWTAuthenticator(_Part):
    """An issuer, and what its tokens mean here."""

    issuer: Issuer
    claim_mappings: ClaimMappings
    claim_validation_rules: list[ClaimValidationRule] = []

    def username_prefix(self) -> str:
        """Return what is put before user names: the issuer, unless it is said or the claim is the e-mail address."""
        mapping = self.claim_mappings.username
        if mapping.prefix is not None:
            return mapping.prefix
        return "" if mapping.claim == EMAIL else f"{self.issuer.url}#"


class AuthenticationConfiguration(_Part):
    """The file."""

    api_version: str
    kind: str
    jwt: list[JWTAuthenticator] = []


def read(path: Path) -> AuthenticationConfiguration:
    """Return what the file says; raises ConfigurationError."""
    try:
        content = yaml.safe_load(path.read_text())
        found = msgspec.convert(content, AuthenticationConfiguration)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no YAML") from error
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    problem = next(problems(found), "")
    if problem:
        raise ConfigurationError(f"{path}: {problem}")
    return found


def problems(configuration: AuthenticationConfiguration) -> Iterator[str]:
    """Yield what is wrong with a configuration beyond its types."""
    if configuration.api_version not in VERSIONS or configuration.kind != KIND:
        yield f"this is no {KIND} of {VERSIONS[0]}"
    if len(configuration.jwt) > MOST_ISSUERS:
        yield f"there are more than {MOST_ISSUERS} issuers"
    urls = [entry.issuer.url for entry in configuration.jwt]
    yield from (f"the issuer {url} is named twice" for url in sorted({url for url in urls if urls.count(url) > 1}))
    for entry in configuration.jwt:
        yield from (f"the issuer {entry.issuer.url}: {problem}" for problem in _problems(entry))


def _problems(entry: JWTAuthenticator) -> Iterator[str]:
    issuer, mappings = entry.issuer, entry.claim_mappings
    if not is_https(issuer.url) or urlsplit(issuer.url).query:
        yield "its URL must begin with https:// and have no user, query and fragment"
    if issuer.discovery_url and not is_https(issuer.discovery_url):
        yield "its discoveryURL must begin with https://"
    if not issuer.audiences or not all(issuer.audiences):
        yield "audiences must name at least one"
    if issuer.audience_match_policy not in ("", "MatchAny"):
        yield "audienceMatchPolicy must be MatchAny"
    if issuer.certificate_authority and not _are_certificates(issuer.certificate_authority):
        yield "certificateAuthority must hold certificates in PEM"
    claims = [mappings.username.claim, *(rule.claim for rule in entry.claim_validation_rules)]
    claims += [mapping.claim for mapping in (mappings.groups, mappings.uid) if mapping is not None]
    if not all(claims):
        yield "each claim must have a name"


def _are_certificates(text: str) -> bool:
    try:
        ssl.create_default_context(cadata=text)
    except ssl.SSLError:
        return False
    return True
