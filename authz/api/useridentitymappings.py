"""The kind UserIdentityMapping: that an identity and a user refer to each other, as one thing to make and take back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from authz import people
from authz.api.identities import IDENTITIES, Identity
from authz.api.users import USERS, User
from authz.people import GROUP, VERSION
from registry_meta.kube import errors, store, validation
from registry_meta.kube.meta import GroupResource, KubeObject, ObjectMeta, ObjectReference
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.store import Edit, Stored

WORD = GroupResource(GROUP, "useridentitymapping")


class UserIdentityMapping(KubeObject):
    """The user who logs in with an identity; named as the identity is."""

    identity: ObjectReference = msgspec.field(default_factory=ObjectReference)
    user: ObjectReference = msgspec.field(default_factory=ObjectReference)


@dataclass(frozen=True, slots=True)
class Related:
    """An identity and the user that it names, as far as there are such; `mapping` only if both name each other."""

    identity: Stored | None = None
    user: Stored | None = None
    mapping: UserIdentityMapping | None = None


class UserIdentityMappingStorage:
    """Writes users and identities, one after the other; what was broken off is finished by doing it again."""

    def get(self, name: str, *, context: Context) -> UserIdentityMapping:
        """Return the mapping of an identity; raises 404."""
        mapping = _related(name).mapping
        if mapping is None:
            raise errors.not_found(WORD, name)
        return mapping

    def create(self, obj: UserIdentityMapping, *, context: Context) -> UserIdentityMapping:
        """Map an identity that has no user; raises 409 when it has, 422 when either is missing."""
        name = obj.metadata.name = obj.metadata.name or obj.identity.name
        related = _related(name)
        if related.mapping is not None:
            raise errors.already_exists(WORD, name)
        if obj.metadata.resource_version:
            raise errors.not_found(WORD, name)
        return _write(obj, related, context=context)

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[UserIdentityMapping, bool]:
        """Map an identity to another user; PUT maps one that has none, too."""
        related = _related(name)
        present = related.mapping
        if present is None and not replaces:
            raise errors.not_found(WORD, name)
        obj: UserIdentityMapping = edit(None if present is None else msgspec.structs.replace(present))
        if present is None:
            return self.create(obj, context=context), True
        if obj.metadata.resource_version not in ("", present.metadata.resource_version):
            raise errors.conflict(WORD, name)
        _check(obj)
        if obj.user.name == present.user.name:
            return present, False
        return _write(obj, related, context=context), False

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> dict[str, Any]:
        """Part an identity from its user; raises 404."""
        mapping = self.get(name, context=context)
        _edit_user(mapping.user.name, lambda user: _without(user, name), context=context)
        _edit_identity(name, ObjectReference(), context=context)
        return errors.success()


def _related(name: str) -> Related:
    stored = store.find(IDENTITIES, "", name)
    if stored is None:
        return Related()
    identity: Identity = stored.object()
    user = store.find(USERS, "", identity.user.name) if identity.user.name else None
    if user is None or user.uid != identity.user.uid or name not in (user.object().identities or ()):
        return Related(stored, user)
    return Related(stored, user, _mapping(stored, user))


def _mapping(identity: Stored, user: Stored) -> UserIdentityMapping:
    meta: ObjectMeta = identity.object().metadata
    return UserIdentityMapping(
        metadata=ObjectMeta(
            name=meta.name, uid=meta.uid, resource_version=meta.resource_version,
            creation_timestamp=meta.creation_timestamp,
        ),
        identity=ObjectReference(name=identity.name, uid=identity.uid),
        user=ObjectReference(name=user.name, uid=user.uid),
    )  # fmt: skip


def _check(obj: UserIdentityMapping) -> None:
    problems = validation.object_meta(obj.metadata, namespaced=False, name_rule=people.identity_name)
    if not obj.identity.name:
        problems.append(errors.required("identity.name"))
    elif obj.identity.name != obj.metadata.name:
        problems.append(errors.invalid_value("identity.name", obj.identity.name, "must match metadata.name"))
    if not obj.user.name:
        problems.append(errors.required("user.name"))
    problems += [errors.invalid_value("user.name", obj.user.name, text) for text in people.user_name(obj.user.name)]
    if problems:
        raise errors.invalid(USER_IDENTITY_MAPPINGS.group_kind, obj.metadata.name, problems)


def _write(obj: UserIdentityMapping, related: Related, *, context: Context) -> UserIdentityMapping:
    """Have the identity and the user refer to each other, and then the user of before no longer to the identity."""
    _check(obj)
    name = obj.metadata.name
    if related.identity is None:
        raise _missing(obj, "identity", name)
    if store.find(USERS, "", obj.user.name) is None:
        raise _missing(obj, "user", obj.user.name)
    user = _edit_user(obj.user.name, lambda found: _with(found, name), context=context)
    identity = _edit_identity(name, ObjectReference(name=user.name, uid=user.uid), context=context)
    if related.user is not None and related.user.name != user.name:
        _edit_user(related.user.name, lambda found: _without(found, name), context=context)
    return _mapping(identity, user)


def _missing(obj: UserIdentityMapping, kind: str, name: str) -> errors.StatusError:
    problem = errors.invalid_value(f"{kind}.name", name, f"referenced {kind} does not exist")
    return errors.invalid(USER_IDENTITY_MAPPINGS.group_kind, obj.metadata.name, [problem])


def _edit_user(name: str, edit: Edit, *, context: Context) -> Stored:
    return store.update(USERS, name, edit, context=_within(USERS, context), strategy=USERS.storage.strategy)


def _edit_identity(name: str, user: ObjectReference, *, context: Context) -> Stored:
    def edit(identity: Identity) -> Identity:
        identity.user = user
        return identity

    within = _within(IDENTITIES, context)
    return store.update(IDENTITIES, name, edit, context=within, strategy=IDENTITIES.storage.strategy)


def _within(resource: Resource, context: Context) -> Context:
    return Context(
        context.actor, resource, context.now, dry_run=context.dry_run, field_manager=context.field_manager,
        reason=context.reason,
    )  # fmt: skip


def _with(user: User, identity: str) -> User:
    present = user.identities or []
    user.identities = present if identity in present else sorted([*present, identity])
    return user


def _without(user: User, identity: str) -> User:
    user.identities = [name for name in user.identities or () if name != identity] or None
    return user


def row(mapping: UserIdentityMapping, now: datetime) -> list[object]:
    """Return the table row of a mapping."""
    return [mapping.metadata.name, mapping.identity.name, mapping.user.name, mapping.user.uid]


USER_IDENTITY_MAPPINGS = Resource(
    group=GROUP,
    version=VERSION,
    kind="UserIdentityMapping",
    plural="useridentitymappings",
    singular="useridentitymapping",
    namespaced=False,
    type=UserIdentityMapping,
    storage=UserIdentityMappingStorage(),
    columns=(
        NAME,
        Column("Identity", description="The identity."),
        Column("User Name", description="The user who logs in with it."),
        Column("User UID", description="The uid of that user."),
    ),
    row=row,
)
