"""The rules of a stored kind, as hooks that the store calls in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from registry_meta.kube.errors import FieldError, StatusError, forbidden
from registry_meta.kube.meta import GroupResource, KubeObject
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.validation import NameRule, dns_subdomain

T = TypeVar("T", bound=KubeObject)


class Strategy(Generic[T]):
    """What a kind demands of its writes; a kind overrides what differs.

    A write runs `default`, `prepare_create` or `prepare_update` (which may change `new`, never `old`), `validate` or
    `validate_update`, `admit`, and in the transaction of the write, once its version is known, `recorded`.
    """

    create_on_update = False
    """PUT of a missing object creates it."""
    unconditional_update = True
    """PUT without a resourceVersion overwrites whatever is there."""
    generation = False
    """metadata.generation counts changes of the spec."""

    untracked: tuple[str, ...] = ()
    """The members of an object that its writers do not set, such as `status`: no manager owns fields there."""

    name_problems: NameRule = staticmethod(dns_subdomain)
    """Returns what is wrong with a name; one of Kubernetes' own rules also knows how a generated name begins."""

    def default(self, obj: T) -> None:
        """Fill in the values that were left out."""

    def prepare_create(self, obj: T, *, context: Context) -> None:
        """Set what the server decides of a new object."""

    def prepare_update(self, new: T, old: T, *, context: Context) -> None:
        """Set what the server decides of a changed object."""

    def validate(self, obj: T, *, context: Context) -> list[FieldError]:
        """Return what is wrong with a new object, metadata excepted."""
        return []

    def validate_update(self, new: T, old: T, *, context: Context) -> list[FieldError]:
        """Return what is wrong with a changed object, metadata excepted."""
        return self.validate(new, context=context)

    def admit(self, new: T, old: T | None, *, context: Context) -> None:
        """Refuse, by raising StatusError, what this actor may not write or what finds no room."""

    def recorded(self, new: T | None, old: T | None, *, version: int, context: Context) -> None:
        """Write what belongs to the change, in its transaction; `new` is None for a deletion."""

    def starts_deletion(self, obj: T, *, context: Context) -> bool:
        """Mark an object that something else must finish deleting; return whether it stays for now."""
        return False


@dataclass(frozen=True, slots=True)
class Creation:
    """What is about to be created, for those who may refuse it.

    `word` and `word_name` are what a refusal names, where the request was about something else than the object.
    `dry_run` says that nothing comes of it.
    """

    resource: Resource
    namespace: str
    name: str
    now: datetime
    word: GroupResource | None = None
    word_name: str = ""
    dry_run: bool = False

    def refused(self, why: str) -> StatusError:
        """Return 403 in the words of the request."""
        return forbidden(self.word or self.resource.group_resource, self.word_name or self.name, why)


class Admission(Protocol):
    """Refuses a creation by raising StatusError, or writes what goes with it, in the transaction of the write."""

    def __call__(self, creation: Creation, /) -> None:
        """Look at a creation."""


ADMISSIONS: list[Admission] = []
"""What every creation must pass, filled by the applications as they start."""


def any_strategy() -> Strategy[Any]:
    """Return the rules of a kind that has none of its own."""
    return Strategy()
