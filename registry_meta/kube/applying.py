"""A request of server-side apply: its configuration read and checked, and laid over objects of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from registry_meta.kube import decode, errors, managed
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import GroupKind, KubeObject
from registry_meta.kube.objects import ObjectStorage, StatusStorage
from registry_meta.kube.patch.apply import Application, Conflicting, problems_of
from registry_meta.kube.patch.fieldset import of_value
from registry_meta.kube.patch.ownership import APPLY
from registry_meta.kube.patch.schema import schema_of
from registry_meta.kube.request import Context, is_true
from registry_meta.kube.strategy import Strategy

KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LARGEST_LAST_APPLIED = 256 * 1024
"""How many bytes the annotation of client-side apply may have; a larger one is left out."""

ATTEMPTS = 3
"""How often an apply is tried while others create and delete its object."""

ANOTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


@dataclass(slots=True)
class ApplyRequest:
    """A configuration for the object of a name in a storage; `named` is its kind and apiVersion.

    A body that is no configuration of this object raises 400, a request that names no manager 422. `duplicates` is
    what the body says twice. Kinds that are not stored are made up of other objects and have no managers: there an
    apply merges, and that is all.
    """

    body: bytes
    type_: type[KubeObject]
    named: tuple[str, str]
    name: str
    storage: Any
    context: Context
    kind: str = field(init=False)
    api_version: str = field(init=False)
    strategy: Strategy[Any] | None = field(init=False)
    duplicates: list[str] = field(init=False)
    _config: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        if not self.context.query.get("fieldManager"):
            problem = errors.required("fieldManager", "is required for apply patch")
            raise errors.invalid(GroupKind("meta.k8s.io", "PatchOptions"), "", [problem])
        self.kind, self.api_version = self.named
        self.strategy = None
        if isinstance(self.storage, (ObjectStorage, StatusStorage)):
            self.strategy = self.storage.strategy
            self.context.operation = APPLY
        tree, self.duplicates = _parse(self.body)
        self._check_kind(tree)
        config = _without_nulls(tree)
        meta = config.setdefault("metadata", {})
        if not isinstance(meta, dict):
            raise errors.bad_request("the metadata of a configuration must be an object")
        if "managedFields" in meta:
            raise errors.bad_request("metadata.managedFields must be nil")
        if meta.setdefault("name", self.name) != self.name:
            raise errors.bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL ({self.name})"
            )
        if meta.get("namespace", self.context.namespace) != self.context.namespace:
            raise errors.bad_request(ANOTHER_NAMESPACE)
        self._config = config
        self._check_fields()

    def _check_kind(self, tree: dict[str, Any]) -> None:
        version, kind = tree.pop("apiVersion", ""), tree.pop("kind", "")
        if version != self.api_version:
            why = f"Specified patch version: {version}, expected: {self.api_version}"
            raise errors.bad_request(f"Incorrect version specified in apply patch. {why}")
        if kind != self.kind:
            raise errors.bad_request(f"a configuration of the kind {kind} cannot be applied to a {self.kind}")

    def _check_fields(self) -> None:
        """Refuse what cannot be owned: unknown fields, and items of merged lists that cannot be told apart."""
        version = self.api_version.rpartition("/")[2]
        _, unknown = decode.convert(self._config, self.type_, kind=self.kind, version=version)
        texts = [f".{text.split(chr(34))[1]}: field not declared in schema" for text in unknown]
        texts += problems_of(self._config, schema_of(self.type_))
        if texts:
            about = f"{self.context.namespace}/{self.name}; {self.api_version}, Kind={self.kind}"
            raise StatusError(500, "", f"failed to create typed patch object ({about}): {', '.join(texts)}")

    def serve(self, permit: Callable[[str], None]) -> tuple[Any, bool]:
        """Return the object after the apply, and whether it is new; one that is made meanwhile is applied to.

        `permit` raises 403 unless the actor may do a verb with the object.
        """
        for attempt in range(ATTEMPTS):
            try:
                stored, created = self.storage.update(self.name, self.edit, context=self.context, replaces=False)
                return stored, created
            except StatusError as error:
                if error.code != 404 or not isinstance(self.storage, ObjectStorage):
                    raise
            permit("create")
            try:
                return self.storage.create(self.create(), context=self.context), True
            except StatusError as error:
                if error.reason != "AlreadyExists" or attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def create(self) -> Any:
        """Return the object that the configuration makes where there is none; raises 409 if it must be one that was."""
        meta = self._config["metadata"]
        if meta.get("resourceVersion"):
            raise errors.conflict(self.context.asked, self.name)
        if meta.get("uid"):
            why = f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found"
            raise errors.conflict(self.context.asked, self.name, why)
        tree, managers = self._application().create()
        return self._object(tree, managers)

    def edit(self, old: Any) -> Any:
        """Return an object after the configuration was applied; raises 409 for conflicts."""
        live, application = managed.plain(old), self._application()
        if self.strategy is None:
            tree, _ = application.apply(live, [], force=True)
            return self._object(tree, None)
        entries = old.metadata.managed_fields or []
        try:
            force = is_true(self.context.query.get("force"))
            tree, managers = application.apply(live, entries, force=force)
        except Conflicting as conflicting:
            if not self._is_own_migration(live, conflicting):
                raise conflicting.status() from conflicting
            tree, managers = application.apply(live, entries, force=True)
        return self._object(self._remembering(tree), managers)

    def _application(self) -> Application:
        return Application(
            config=self._config, schema=schema_of(self.type_), writer=managed.writer(self.context, APPLY),
            without=self.strategy.untracked if self.strategy is not None else (),
            empty=dict(managed.empty(self.type_)), settle=self._settled,
        )  # fmt: skip

    def _settled(self, tree: dict[str, Any]) -> dict[str, Any]:
        return managed.plain(self._object(tree, None))

    def _object(self, tree: dict[str, Any], managers: managed.Entries | None) -> Any:
        obj, _ = decode.convert(tree, self.type_, kind=self.kind, version=self.api_version.rpartition("/")[2])
        obj.metadata.namespace = self.context.namespace
        obj.metadata.managed_fields = managers
        return obj

    def _last_applied(self, tree: dict[str, Any]) -> object:
        """Return what client-side apply left behind in the annotations, for kubectl alone."""
        annotations = tree.get("metadata", {}).get("annotations") or {}
        return annotations.get(LAST_APPLIED) if self.context.field_manager == KUBECTL else None

    def _is_own_migration(self, live: dict[str, Any], conflicting: Conflicting) -> bool:
        """Return whether kubectl set all the fields in question itself, by client-side apply."""
        text = self._last_applied(live)
        if not isinstance(text, str):
            return False
        try:
            applied = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return False
        return conflicting.fields() <= of_value(applied, schema_of(self.type_))

    def _remembering(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Keep the annotation of client-side apply in step, so that one can go back to it."""
        if self._last_applied(tree) is None:
            return tree
        applied = {"apiVersion": self.api_version, "kind": self.kind, **self._config}
        text = msgspec.json.encode(applied, order="sorted").decode() + "\n"
        annotations = {**tree["metadata"]["annotations"], LAST_APPLIED: text}
        if len(text) > LARGEST_LAST_APPLIED:
            del annotations[LAST_APPLIED]
        return {**tree, "metadata": {**tree["metadata"], "annotations": annotations}}


def _parse(body: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return a configuration in YAML, or in JSON, which most clients send."""
    is_json = body.lstrip()[:1] == b"{"
    try:
        parsed = decode.parse(body, "json" if is_json else "yaml")
    except StatusError:
        if not is_json:
            raise
        parsed = decode.parse(body, "yaml")
    if not isinstance(parsed.tree, dict):
        raise errors.bad_request("the body of this patch must be an object")
    return parsed.tree, parsed.duplicates


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
