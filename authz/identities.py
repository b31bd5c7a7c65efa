"""Logging in: which user somebody is whom an identity provider vouches for, and in which groups it puts him.

PROVIDER:USER-ID ──▶ Identity ──▶ User        both refer to each other
                └── none yet: the mapping method says which user, new or not, it becomes
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from authz import memberships, people
from authz.api.identities import IDENTITIES, Identity
from authz.api.users import USERS, User
from registry_meta.kube import errors, store
from registry_meta.kube.meta import ObjectMeta, ObjectReference
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.store import Stored

CLAIM = "claim"
LOOKUP = "lookup"
ADD = "add"
METHODS = (CLAIM, LOOKUP, ADD)
"""How a new identity finds its user: of that name and claimed by no other, mapped before, or simply of that name."""

REASON = "somebody logged in"
ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Profile:
    """What a provider says of somebody; without `groups` it says nothing of them, and they stay as they are."""

    user_id: str
    preferred_username: str
    full_name: str = ""
    email: str = ""
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The user whom somebody is here."""

    username: str
    uid: str


class MappingRefused(Exception):
    """Somebody is known to his provider and may not be a user here; the message says why and may be shown to him."""


def sign_in(provider: str, profile: Profile, *, mapping: str, now: datetime) -> SignedIn:
    """Return the user of a profile, made if need be, with the memberships that the profile names.

    Raises MappingRefused when the method of mapping finds none. May be broken off anywhere and begun again.
    """
    if mapping not in METHODS:
        raise ValueError(f"{mapping} is no method of mapping")
    wanted = _identity(provider, profile)
    user = _settled(wanted, profile, mapping, now=now)
    if profile.groups is not None:
        memberships.follow(provider, user.name, profile.groups, now=now)
    return SignedIn(user.name, user.uid)


def _identity(provider: str, profile: Profile) -> Identity:
    """Return the identity of a profile, as yet without a user."""
    user_id = people.nameable(profile.user_id)
    told = {"name": profile.full_name, "email": profile.email, "preferred_username": profile.preferred_username}
    return Identity(
        metadata=ObjectMeta(name=f"{provider}:{user_id}"),
        provider_name=provider,
        provider_user_name=user_id,
        extra={key: value for key, value in told.items() if value} or None,
    )


def _settled(wanted: Identity, profile: Profile, mapping: str, *, now: datetime) -> Stored:
    """Return the user of an identity; others who log in at the same time may be first, so look again then."""
    for attempt in range(ATTEMPTS):
        try:
            stored = store.find(IDENTITIES, "", wanted.metadata.name)
            if stored is not None:
                return _mapped(stored.object())
            if mapping == LOOKUP:
                raise MappingRefused(f"{wanted.metadata.name} is mapped to no user")
            user = _user_of(wanted, profile, mapping, now=now)
            wanted.user = ObjectReference(name=user.name, uid=user.uid)
            wanted.metadata = ObjectMeta(name=wanted.metadata.name)
            _create(IDENTITIES, wanted, now=now)
            return user
        except errors.StatusError as error:
            if error.code == 422:
                raise MappingRefused(error.message) from error
            if error.code not in (404, 409) or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _mapped(identity: Identity) -> Stored:
    """Return the user whom an identity and who himself refers to it; raises MappingRefused when there is none."""
    name = identity.metadata.name
    user = store.find(USERS, "", identity.user.name) if identity.user.name else None
    if user is None or user.uid != identity.user.uid or name not in (user.object().identities or ()):
        raise MappingRefused(f"{name} is mapped to no user")
    return user


def _user_of(identity: Identity, profile: Profile, mapping: str, *, now: datetime) -> Stored:
    """Return the user whom a new identity belongs to, made or claimed for it."""
    name = people.nameable(profile.preferred_username or profile.user_id)
    full_name = profile.full_name
    if store.find(USERS, "", name) is None:
        user = User(metadata=ObjectMeta(name=name), full_name=full_name, identities=[identity.metadata.name])
        return _create(USERS, user, now=now)

    def claim(user: User) -> User:
        present = user.identities or []
        if identity.metadata.name in present:
            return user
        if present and mapping == CLAIM:
            why = "because it is already mapped to another identity"
            raise MappingRefused(f"user {name} cannot be claimed by identity {identity.metadata.name} {why}")
        user.identities = [*present, identity.metadata.name]
        if not present:
            user.full_name = user.full_name or full_name
        return user

    context = Context(SYSTEM, USERS, now, reason=REASON)
    return store.update(USERS, name, claim, context=context, strategy=USERS.storage.strategy)


def _create(resource: Resource, obj: User | Identity, *, now: datetime) -> Stored:
    context = Context(SYSTEM, resource, now, reason=REASON)
    return store.create(resource, obj, context=context, strategy=resource.storage.strategy)
