"""The kind User: a person who logs in, or may log in."""

from __future__ import annotations

from datetime import datetime

from authz import people, tokens
from authz.people import GROUP, VERSION
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, ObjectMeta, always
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Actor, Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.store import Stored, find
from registry_meta.kube.strategy import Strategy


class User(KubeObject):
    """A person; `groups` is filled only when he reads himself."""

    full_name: str = ""
    identities: list[str] | None = None
    groups: list[str] | None = always(None)  # type: ignore[assignment]  # msgspec.field returns its default's type


class UserStrategy(Strategy[User]):
    """The groups of a user are what Group objects say, and his tokens end with him."""

    unconditional_update = False
    name_problems = staticmethod(people.user_name)

    def default(self, obj: User) -> None:
        """Leave out what is empty, and what other objects say."""
        obj.identities = obj.identities or None
        obj.groups = None

    def validate(self, obj: User, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the names of the identities."""
        return [
            errors.invalid_value(f"identities[{index}]", name, ", ".join(texts))
            for index, name in enumerate(obj.identities or ())
            if (texts := people.identity_name(name))
        ]

    def recorded(self, new: User | None, old: User | None, *, version: int, context: Context) -> None:
        """End the tokens of a user who is going or gone."""
        if new is None or new.metadata.deletion_timestamp:
            tokens.forget()


class UserStorage(ObjectStorage[User]):
    """Stores users; whoever asks for `~` gets himself."""

    def get(self, name: str, *, context: Context) -> Stored | User:  # type: ignore[override]  # oneself is made up
        """Return a user; raises 404, and 422 for what cannot be the name of one."""
        if name == people.MYSELF:
            return _myself(context.actor)
        texts = people.user_name(name)
        if texts:
            problem = errors.invalid_value("metadata.name", name, ", ".join(texts))
            raise errors.invalid(context.resource.group_kind, name, [problem])
        return super().get(name, context=context)


def _myself(actor: Actor) -> User:
    """Return an actor as a user: the object of that name, if there is one, with the groups that count."""
    stored = None if people.user_name(actor.username) else find(USERS, "", actor.username)
    user: User = stored.object() if stored else User(metadata=ObjectMeta(name=actor.username))
    user.metadata.uid = actor.uid or user.metadata.uid
    user.groups = sorted(set(actor.groups)) or None
    return user


def row(user: User, now: datetime) -> list[object]:
    """Return the table row of a user."""
    return [user.metadata.name, user.metadata.uid, user.full_name, ", ".join(user.identities or ())]


USERS = Resource(
    group=GROUP,
    version=VERSION,
    kind="User",
    plural="users",
    singular="user",
    namespaced=False,
    type=User,
    storage=UserStorage(UserStrategy()),
    columns=(
        NAME,
        Column("UID", description="The identity of the user, which no other has after it."),
        Column("Full Name", description="The full name of the user."),
        Column("Identities", description="The identities by which the user logs in."),
    ),
    row=row,
)
