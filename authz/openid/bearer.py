"""Bearer tokens of outside issuers, which `REGISTRY_META_AUTHENTICATION_CONFIG` names: JSON Web Tokens."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from authz import accounttokens, signatures, tokens
from authz.openid import configuration, users
from authz.openid.configuration import ConfigurationError, JWTAuthenticator
from authz.openid.discovery import Provider
from authz.openid.fetching import Fetcher
from authz.tokens import Known
from registry_meta.kube.request import Actor

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trusted:
    """An issuer whose tokens count, and where its keys come from."""

    entry: JWTAuthenticator
    provider: Provider


def begin() -> None:
    """Read the configuration, if there is one, and see that it can be used; raises ConfigurationError."""
    trusted()


def trusted() -> Mapping[str, Trusted]:
    """Return the issuers by their URL."""
    path = settings.ENVIRONMENT.authentication_config
    return _read(path, accounttokens.issuers()) if path is not None else {}


@lru_cache(maxsize=4)
def _read(path: Path, ours: tuple[str, ...]) -> Mapping[str, Trusted]:
    entries = configuration.read(path).jwt
    for entry in entries:
        if entry.issuer.url in (*ours, accounttokens.SECRET_ISSUER):
            raise ConfigurationError(f"{path}: {entry.issuer.url} is this server itself")
    return {entry.issuer.url: Trusted(entry, _provider(entry)) for entry in entries}


def _provider(entry: JWTAuthenticator) -> Provider:
    issuer = entry.issuer
    return Provider(issuer.url, Fetcher(issuer.certificate_authority), document=issuer.discovery_url)


def recognise(token: str, *, now: datetime) -> Known | None:
    """Return what a token of an outside issuer says; None when it is none, is not valid now, or nobody's here."""
    pretended = signatures.pretence(token)
    issuer = None if pretended is None else trusted().get(pretended.issuer)
    if pretended is None or issuer is None:
        return None
    try:
        actor, expires_at = _verified(token, pretended, issuer, now=now)
    except users.Refused as error:
        logger.debug("a token of %s is refused: %s", issuer.provider.issuer, error)
        return None
    return Known(actor, expires_at, (tokens.AUDIENCE,))


def _verified(token: str, pretended: signatures.Pretence, issuer: Trusted, *, now: datetime) -> tuple[Actor, datetime]:
    """Return whom a token stands for and until when; raises Refused."""
    algorithm = pretended.algorithm
    for key in issuer.provider.keys(pretended.key_id, algorithm):
        claims = signatures.verified(token, key, algorithm=algorithm)
        if claims is not None:
            break
    else:
        raise users.Refused("no key of its issuer has signed it")
    expires_at = signatures.moment(claims.get("exp"))
    if expires_at is None or now >= expires_at or not signatures.has_begun(claims, now=now):
        raise users.Refused("it has expired or not begun")
    if claims.get("iss") != issuer.provider.issuer:
        raise users.Refused("it is of another issuer")
    return users.user(claims, issuer.entry), expires_at
