"""Who a verified token of an outside issuer stands for; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authz.openid.configuration import EMAIL, ClaimMappings, JWTAuthenticator
from authz.rules import with_login_group
from authz.signatures import audiences, texts
from registry_meta.kube.request import Actor

RESERVED = "system:"
"""How names begin that only this server gives."""

LONGEST_NAME = 512
MOST_GROUPS = 500


class Refused(Exception):
    """A token is valid and yet nobody's here; the message says why, and holds nothing of the token."""


def user(claims: Mapping[str, Any], entry: JWTAuthenticator) -> Actor:
    """Return the user of a token; raises Refused."""
    if set(audiences(claims)).isdisjoint(entry.issuer.audiences):
        raise Refused("it is for another audience")
    for rule in entry.claim_validation_rules:
        if claims.get(rule.claim) != rule.required_value:
            raise Refused(f"the claim {rule.claim} has not the value that is required")
    mappings = entry.claim_mappings
    username = entry.username_prefix() + _username(claims, mappings)
    groups = _groups(claims, mappings)
    for name in (username, *groups):
        if name.startswith(RESERVED):
            raise Refused(f"a user or group would begin with {RESERVED}")
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise Refused("the name of a user or group is too long, or holds what is no letter")
    return Actor(username, with_login_group(username, groups), _uid(claims, mappings))


def _username(claims: Mapping[str, Any], mappings: ClaimMappings) -> str:
    claim = mappings.username.claim
    found = claims.get(claim)
    if not isinstance(found, str) or not found:
        raise Refused(f"the claim {claim} names no user")
    if claim == EMAIL and claims.get("email_verified", True) is not True:
        raise Refused("its e-mail address is not verified")
    return found


def _groups(claims: Mapping[str, Any], mappings: ClaimMappings) -> tuple[str, ...]:
    if mappings.groups is None:
        return ()
    found = claims.get(mappings.groups.claim)
    if found is None:
        return ()
    names = [found] if isinstance(found, str) else list(texts(found))
    if len(names) > MOST_GROUPS or (not names and found != []) or not all(names):
        raise Refused(f"the claim {mappings.groups.claim} is no list of groups, or too long a one")
    prefix = mappings.groups.prefix or ""
    return tuple(dict.fromkeys(prefix + name for name in names))


def _uid(claims: Mapping[str, Any], mappings: ClaimMappings) -> str:
    if mappings.uid is None:
        return ""
    found = claims.get(mappings.uid.claim)
    if not isinstance(found, str) or not found or len(found) > LONGEST_NAME or not found.isprintable():
        raise Refused(f"the claim {mappings.uid.claim} is no uid")
    return found
