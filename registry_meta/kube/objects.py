"""The storage of stored kinds: every verb, on top of the store, lists and watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

import msgspec

from registry_meta.kube import changes, errors, pagination, store
from registry_meta.kube.catalog import catalog
from registry_meta.kube.continuation import read_token
from registry_meta.kube.deleted import Deleted
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupKind, KubeObject
from registry_meta.kube.pagination import BATCH, ListOptions, Page
from registry_meta.kube.parameters import number
from registry_meta.kube.request import Context, is_true
from registry_meta.kube.resource import Resource
from registry_meta.kube.store import Edit, Preconditions, Stored
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.watch import Frame, Watch, watch_options

T = TypeVar("T", bound=KubeObject)

POLICIES = ("Foreground", "Background", "Orphan")


class DeleteOptions(msgspec.Struct, rename="camel", kw_only=True):
    """How to delete (meta/v1 DeleteOptions)."""

    grace_period_seconds: int | None = None
    preconditions: dict[str, str] | None = None
    orphan_dependents: bool | None = None
    propagation_policy: str = ""
    dry_run: list[str] | None = None

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> DeleteOptions:
        """Return the options that a query gives; raises 400 for what is no number."""
        orphans = is_true(query["orphanDependents"]) if "orphanDependents" in query else None
        seconds = number(query, "gracePeriodSeconds") if query.get("gracePeriodSeconds") else None
        return cls(
            grace_period_seconds=seconds,
            orphan_dependents=orphans,
            propagation_policy=query.get("propagationPolicy", ""),
        )

    def problems(self) -> list[FieldError]:
        """Return what is wrong with the options."""
        field, policy = "propagationPolicy", self.propagation_policy
        if policy and self.orphan_dependents is not None:
            why = "orphanDependents and deletionPropagation cannot be both set"
            return [errors.invalid_value(field, policy, why)]
        if policy and policy not in POLICIES:
            return [errors.not_supported(field, policy, [*POLICIES, "nil"])]
        if any(value != "All" for value in self.dry_run or []):
            return [errors.not_supported("dryRun", self.dry_run, ["All"])]
        return []

    @property
    def policy(self) -> str:
        """What becomes of the dependents; empty when the request does not say."""
        if self.orphan_dependents is None:
            return self.propagation_policy
        return "Orphan" if self.orphan_dependents else "Background"

    def required(self) -> Preconditions:
        """Return what must hold of the object."""
        wanted = self.preconditions or {}
        return Preconditions(wanted.get("resourceVersion", ""), wanted.get("uid", ""))


class ObjectStorage(Generic[T]):
    """Objects of one kind in the store, under the rules of a strategy."""

    def __init__(self, strategy: Strategy[T]) -> None:
        self.strategy = strategy

    def get(self, name: str, *, context: Context) -> Stored:
        """Return an object; raises 404."""
        return store.read(context.resource, name, context=context)

    def list(self, options: ListOptions, *, context: Context) -> Page:
        """Return a page of the objects that the query selects."""
        selected = pagination.selection(context.resource, context.query)
        seen = context.marks.get(changes.NAME)
        return pagination.page(context.resource, context.namespace, selected, options, seen=seen)

    def watch(self, frame: Frame | None, *, context: Context) -> Iterator[bytes]:
        """Return the frames of a watch; bad parameters raise before the first one."""
        selected = pagination.selection(context.resource, context.query)
        options = watch_options(context.query)
        return Watch(context.resource, context.namespace, selected, options, frame).frames()

    def create(self, obj: T, *, context: Context) -> Stored:
        """Store a new object."""
        if obj.metadata.resource_version:
            raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
        return store.create(context.resource, obj, context=context, strategy=self.strategy)

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[Stored, bool]:
        """Change an object; return it and whether it was created. `replaces` is true for PUT, false for PATCH."""
        try:
            return store.update(
                context.resource, name, self._versioned(edit, context=context) if replaces else edit,
                context=context, strategy=self.strategy,
            ), False  # fmt: skip
        except errors.StatusError as error:
            if error.code != 404 or not replaces or not self.strategy.create_on_update:
                raise
        obj = edit(None)
        obj.metadata.resource_version = ""
        if obj.metadata.uid:
            why = f"Precondition failed: UID in precondition: {obj.metadata.uid}, UID in object meta: "
            raise errors.conflict(context.asked, name, why)
        return store.create(context.resource, obj, context=context, strategy=self.strategy), True

    def _versioned(self, edit: Edit, *, context: Context) -> Edit:
        """Refuse a replacement that names no version, where the kind demands one."""

        def checked(old: Any) -> Any:
            new = edit(old)
            if new.metadata.resource_version == "0":
                new.metadata.resource_version = ""
            if not new.metadata.resource_version and not self.strategy.unconditional_update:
                problem = errors.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
                word = context.resource.group_resource
                kind = GroupKind(word.group, word.resource)
                raise errors.invalid(kind, old.metadata.name, [problem])
            return new

        return checked

    def delete(self, name: str, options: DeleteOptions, *, context: Context) -> tuple[Stored, bool]:
        """Delete an object; return its last state and whether it is gone."""
        return store.delete(
            context.resource, name, context=context, strategy=self.strategy, preconditions=options.required(),
            policy=options.policy,
        )  # fmt: skip

    def delete_collection(self, options: DeleteOptions, *, context: Context) -> Deleted:
        """Delete what the query selects, batch by batch; return the objects as they were.

        Those gone meanwhile are passed over. Each batch is what there is at its time: an object made while the others
        are deleted may go with them.
        """
        deleted = Deleted()
        try:
            self._delete_batches(deleted, options, context=context)
        except BaseException:
            deleted.close()
            raise
        return deleted

    def _delete_batches(self, deleted: Deleted, options: DeleteOptions, *, context: Context) -> None:
        listed = pagination.list_options(context.query)
        while True:
            wanted = listed.limit - len(deleted) if listed.limit else BATCH
            page = self.list(replace(listed, limit=min(wanted, BATCH)), context=context)
            for document in page.documents:
                self._delete_listed(document, options, context=context)
                deleted.add(document)
            deleted.version = deleted.version or page.version
            if not page.continue_ or len(deleted) == listed.limit:
                deleted.continue_, deleted.remaining = page.continue_, page.remaining
                return
            listed = replace(listed, start=read_token(page.continue_).start, rest=None)

    def _delete_listed(self, document: str, options: DeleteOptions, *, context: Context) -> None:
        meta = context.resource.decoder.decode(document).metadata
        place = Context(
            context.actor, context.resource, context.now, namespace=meta.namespace, dry_run=context.dry_run,
            field_manager=context.field_manager, reason=context.reason,
        )  # fmt: skip
        try:
            self.delete(meta.name, options, context=place)
        except errors.StatusError as error:
            if error.code != 404:
                raise


class StatusStorage(Generic[T]):
    """The `status` subresource of a stored kind: the same objects under other rules."""

    def __init__(self, strategy: Strategy[T]) -> None:
        self.strategy = strategy

    def get(self, name: str, *, context: Context) -> Stored:
        """Return an object; raises 404."""
        return store.read(context.resource, name, context=context)

    def update(self, name: str, edit: Edit, *, context: Context, replaces: bool) -> tuple[Stored, bool]:
        """Change the status of an object."""
        stored = store.update(context.resource, name, edit, context=context, strategy=self.strategy)
        return stored, False


def stored_kinds() -> list[Resource]:
    """Return the kinds of the catalog whose objects lie in the store."""
    return [resource for resource in catalog if isinstance(resource.storage, ObjectStorage)]
