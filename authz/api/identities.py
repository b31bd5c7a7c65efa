"""The kind Identity: somebody as an identity provider knows him, and which user he is here."""

from __future__ import annotations

from datetime import datetime

import msgspec

from authz import people
from authz.people import GROUP, VERSION
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, ObjectReference, always
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.strategy import Strategy

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"


class Identity(KubeObject):
    """An account at an identity provider; `user` is the user who logs in with it."""

    provider_name: str = always("")
    provider_user_name: str = always("")
    user: ObjectReference = msgspec.field(default_factory=ObjectReference)
    extra: dict[str, str] | None = None


class IdentityStrategy(Strategy[Identity]):
    """An identity is called PROVIDER:USER, by what it holds; neither of them changes."""

    unconditional_update = False
    name_problems = staticmethod(people.identity_name)

    def prepare_create(self, obj: Identity, *, context: Context) -> None:
        """Set the name."""
        obj.metadata.name = f"{obj.provider_name}:{obj.provider_user_name}"

    def validate(self, obj: Identity, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the names of provider and user, and with the reference to the user."""
        problems = _named("providerName", obj.provider_name, people.provider_name(obj.provider_name))
        problems += _named("providerUserName", obj.provider_user_name, people.user_name(obj.provider_user_name))
        expected = f"{obj.provider_name}:{obj.provider_user_name}"
        if obj.provider_name and obj.provider_user_name and obj.metadata.name != expected:
            problems.append(errors.invalid_value("metadata.name", obj.metadata.name, f"must be {expected}"))
        return problems + _reference(obj.user)

    def validate_update(self, new: Identity, old: Identity, *, context: Context) -> list[FieldError]:
        """Return what is wrong, and whether it has become another identity."""
        problems = self.validate(new, context=context)
        if new.provider_name != old.provider_name:
            problems.append(errors.invalid_value("providerName", new.provider_name, "may not change providerName"))
        if new.provider_user_name != old.provider_user_name:
            why = "may not change providerUserName"
            problems.append(errors.invalid_value("providerUserName", new.provider_user_name, why))
        return problems


def _named(field: str, value: str, texts: list[str]) -> list[FieldError]:
    if not value:
        return [errors.required(field)]
    return [errors.invalid_value(field, value, ", ".join(texts))] if texts else []


def _reference(user: ObjectReference) -> list[FieldError]:
    problems = _named("user.name", user.name, people.user_name(user.name)) if user.name else []
    if user.uid and not user.name:
        problems.append(errors.required("user.username", "username is required when uid is provided"))
    if user.name and not user.uid:
        problems.append(errors.required("user.uid", "uid is required when username is provided"))
    return problems


def row(identity: Identity, now: datetime) -> list[object]:
    """Return the table row of an identity."""
    user = identity.user
    return [identity.metadata.name, identity.provider_name, identity.provider_user_name, user.name, user.uid]


def _user(obj: object, key: str) -> str:
    found = obj.get("user") if isinstance(obj, dict) else None
    return str(found.get(key, "")) if isinstance(found, dict) else ""


IDENTITIES = Resource(
    group=GROUP,
    version=VERSION,
    kind="Identity",
    plural="identities",
    singular="identity",
    namespaced=False,
    type=Identity,
    storage=ObjectStorage(IdentityStrategy()),
    columns=(
        NAME,
        Column("IDP Name", format="name", description="The identity provider."),
        Column("IDP User Name", format="name", description="What the provider calls the user."),
        Column("User Name", format="name", description="The user who logs in with the identity."),
        Column("User UID", description="The uid of that user."),
    ),
    row=row,
    fields={
        "providerName": lambda obj: str(obj.get("providerName", "")),
        "providerUserName": lambda obj: str(obj.get("providerUserName", "")),
        "user.name": lambda obj: _user(obj, "name"),
        "user.uid": lambda obj: _user(obj, "uid"),
    },
)
