"""The kind ImageTrigger: who is told, and how, when a tag moves."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from imagestreams import access, reference
from imagestreams.triggers import subscriptions
from imagestreams.triggers.subscriptions import Terms
from imagestreams.types import GROUP as IMAGE_GROUP
from registry_meta.kube import errors, table, validation
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, KubeStruct, ObjectMeta, Time, always, timestamp
from registry_meta.kube.objects import ObjectStorage, StatusStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Column, Resource, Subresource
from registry_meta.kube.strategy import Strategy

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

GROUP = "triggers.registry-meta.io"
VERSION = "v1alpha1"
STREAM_TAG = "ImageStreamTag"
READY, DELIVERED = "Ready", "Delivered"

MOST_HEADERS = 32
LONGEST_URL = 2048
LONGEST_VALUE = 4096
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
HEADER_VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)?")
OWN_HEADERS = frozenset({
    "connection", "content-encoding", "content-length", "content-type", "expect", "host", "keep-alive",
    "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
OWN_PREFIX = "x-registry-meta-"


# --- type


class TriggerSource(KubeStruct):
    """The tag that is listened to: `name` is `stream:tag`, and an empty namespace is the trigger's own."""

    kind: str = always("")
    namespace: str = ""
    name: str = always("")


class SecretKeyReference(KubeStruct):
    """A key of a Secret in the trigger's namespace."""

    name: str = always("")
    key: str = always("")


class Webhook(KubeStruct):
    """Where events are posted to; without `secretRef` they are not signed."""

    url: str = always("")
    secret_ref: SecretKeyReference | None = None
    headers: dict[str, str] | None = None


class ImageTriggerSpec(KubeStruct):
    """Which tag, and who is told; a paused trigger tells nothing, and once resumed the newest move only."""

    from_: TriggerSource = msgspec.field(default_factory=lambda: TriggerSource(), name="from")
    paused: bool = False
    webhook: Webhook | None = None


class LastTriggered(KubeStruct):
    """What the consumer was told last: an image, the time at which it accepted, and the version of the move."""

    image: str = always("")
    reference: str = always("")
    time: Time | None = None
    resource_version: str = ""


class Condition(KubeStruct):
    """One finding about a trigger (meta/v1 Condition)."""

    type: str = always("")
    status: str = always("")
    observed_generation: int = 0
    last_transition_time: Time | None = None
    reason: str = always("")
    message: str = always("")


class ImageTriggerStatus(KubeStruct):
    """How the telling goes: whether the trigger can tell (Ready), and whether it was heard (Delivered)."""

    observed_generation: int = 0
    last_triggered: LastTriggered | None = None
    conditions: list[Condition] | None = None


class ImageTrigger(KubeObject):
    """Tells a consumer whenever a tag moves."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    spec: ImageTriggerSpec = msgspec.field(default_factory=lambda: ImageTriggerSpec())
    status: ImageTriggerStatus = msgspec.field(default_factory=lambda: ImageTriggerStatus())


def terms(trigger: ImageTrigger) -> Terms:
    """Return what a valid trigger listens to."""
    meta, spec = trigger.metadata, trigger.spec
    stream, tag = reference.split_stream_tag(spec.from_.name)
    secret = spec.webhook.secret_ref.name if spec.webhook is not None and spec.webhook.secret_ref is not None else ""
    source = spec.from_.namespace or meta.namespace
    return Terms(meta.uid, meta.namespace, meta.name, source, stream, tag, secret, spec.paused)


def condition_of(trigger: ImageTrigger, type_: str) -> Condition | None:
    """Return a condition of a trigger, or None."""
    return next((condition for condition in trigger.status.conditions or [] if condition.type == type_), None)


def set_condition(trigger: ImageTrigger, condition: Condition, *, now: datetime) -> None:
    """Put a condition into a trigger, in place; its transition time moves only when its status changes."""
    before = condition_of(trigger, condition.type)
    same = before is not None and before.status == condition.status
    condition.last_transition_time = before.last_transition_time if before is not None and same else timestamp(now)
    condition.observed_generation = trigger.metadata.generation
    others = [other for other in trigger.status.conditions or [] if other.type != condition.type]
    trigger.status.conditions = sorted([*others, condition], key=lambda each: each.type)


# --- rules


class ImageTriggerStrategy(Strategy[ImageTrigger]):
    """The spec is the client's, the status is the server's."""

    generation = True
    untracked: tuple[str, ...] = ("status",)

    def default(self, obj: ImageTrigger) -> None:
        """Fill in the only kind that can be listened to."""
        obj.spec.from_.kind = obj.spec.from_.kind or STREAM_TAG

    def prepare_create(self, obj: ImageTrigger, *, context: Context) -> None:
        """Start with nothing told."""
        obj.status = ImageTriggerStatus()

    def prepare_update(self, new: ImageTrigger, old: ImageTrigger, *, context: Context) -> None:
        """Keep the status and count a change of the spec; what was told of another tag does not count for this one."""
        new.status = old.status
        if new.spec != old.spec:
            new.metadata.generation = old.metadata.generation + 1
        if new.spec.from_ != old.spec.from_:
            new.status = msgspec.structs.replace(old.status, last_triggered=None)

    def validate(self, obj: ImageTrigger, *, context: Context) -> list[FieldError]:
        """Hold the spec to the rules of the API."""
        return source_problems(obj.spec.from_) + webhook_problems(obj.spec.webhook)

    def admit(self, new: ImageTrigger, old: ImageTrigger | None, *, context: Context) -> None:
        """Refuse to listen to a stream of another namespace unless the actor may pull from it; raises 403."""
        namespace = new.spec.from_.namespace
        if namespace in ("", new.metadata.namespace) or (old is not None and old.spec == new.spec):
            return
        stream, _ = reference.split_stream_tag(new.spec.from_.name)
        if not access.may_pull(context.actor, namespace, stream):
            why = (
                f'User "{context.actor.username}" cannot get resource "imagestreams/layers" in API group'
                f' "{IMAGE_GROUP}" in the namespace "{namespace}"'
            )
            raise errors.forbidden(context.asked, new.metadata.name, why)

    def recorded(self, new: ImageTrigger | None, old: ImageTrigger | None, *, version: int, context: Context) -> None:
        """Keep what the trigger listens to in step with its spec."""
        if new is None and old is not None:
            subscriptions.end(old.metadata.uid)
        elif new is not None and old is None:
            subscriptions.begin(terms(new), version=version)
        elif new is not None and old is not None and new.spec != old.spec:
            subscriptions.change(terms(new), terms(old), version=version)


class ImageTriggerStatusStrategy(ImageTriggerStrategy):
    """The status path: of a trigger only its status changes."""

    untracked = ("metadata", "spec")

    def prepare_update(self, new: ImageTrigger, old: ImageTrigger, *, context: Context) -> None:
        """Put back everything but the status."""
        managed = new.metadata.managed_fields
        new.metadata = msgspec.structs.replace(old.metadata, managed_fields=managed)
        new.spec = old.spec

    def validate_update(self, new: ImageTrigger, old: ImageTrigger, *, context: Context) -> list[FieldError]:
        """Hold the conditions to the rules of the API."""
        problems: list[FieldError] = []
        for index, condition in enumerate(new.status.conditions or []):
            path = f"status.conditions[{index}]"
            if not condition.type:
                problems.append(errors.required(f"{path}.type"))
            if condition.status not in ("True", "False", "Unknown"):
                problems.append(errors.not_supported(f"{path}.status", condition.status, ["False", "True", "Unknown"]))
        return problems


def source_problems(source: TriggerSource) -> list[FieldError]:
    """Return what is wrong with `spec.from`."""
    problems: list[FieldError] = []
    if source.kind != STREAM_TAG:
        problems.append(errors.not_supported("spec.from.kind", source.kind, [STREAM_TAG]))
    if source.namespace:
        problems += [
            errors.invalid_value("spec.from.namespace", source.namespace, why)
            for why in validation.dns_label(source.namespace)
        ]
    if not source.name:
        problems.append(errors.required("spec.from.name"))
        return problems
    try:
        reference.split_stream_tag(source.name)
    except reference.InvalidReference:
        problems.append(errors.invalid_value("spec.from.name", source.name, "must be of the form <stream>:<tag>"))
    return problems


def webhook_problems(webhook: Webhook | None) -> list[FieldError]:
    """Return what is wrong with `spec.webhook`; no value of a header is repeated, for it may be a credential."""
    path = "spec.webhook"
    if webhook is None:
        return [errors.required(path, "a trigger tells somebody")]
    problems = url_problems(webhook.url, f"{path}.url")
    if webhook.secret_ref is not None:
        if not webhook.secret_ref.name:
            problems.append(errors.required(f"{path}.secretRef.name"))
        if not webhook.secret_ref.key:
            problems.append(errors.required(f"{path}.secretRef.key"))
    headers = webhook.headers or {}
    if len(headers) > MOST_HEADERS:
        problems.append(errors.too_many(f"{path}.headers", len(headers), MOST_HEADERS))
    for name, value in headers.items():
        at = f"{path}.headers[{name}]"
        if not HEADER_NAME.fullmatch(name):
            problems.append(errors.invalid_value(f"{path}.headers", name, "must be the name of an HTTP header"))
        elif name.lower() in OWN_HEADERS or name.lower().startswith(OWN_PREFIX):
            problems.append(errors.field_forbidden(at, "the server sets this header itself"))
        if len(value) > LONGEST_VALUE:
            problems.append(errors.too_long(at, LONGEST_VALUE))
        elif not HEADER_VALUE.fullmatch(value):
            problems.append(errors.field_forbidden(at, "must be printable ASCII without spaces at its ends"))
    return problems


def url_problems(url: str, path: str) -> list[FieldError]:
    """Return what is wrong with the URL of a consumer; one that may hold a credential is not repeated."""
    if not url:
        return [errors.required(path)]
    if len(url) > LONGEST_URL:
        return [errors.too_long(path, LONGEST_URL)]
    if not url.isascii() or not url.isprintable() or set(url) & {" ", "\\"}:
        return [errors.field_forbidden(path, "must be a URL of printable ASCII characters, without spaces")]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return [errors.field_forbidden(path, "must be a URL")]
    if parts.username is not None or parts.password is not None:
        return [errors.field_forbidden(path, "must not hold a user name or password; use headers")]
    if parts.scheme.lower() not in ("http", "https"):
        return [errors.not_supported(path, parts.scheme, ["http", "https"])]
    if not host or port == 0:
        return [errors.invalid_value(path, url, "must name a host, and a port other than 0")]
    if parts.fragment:
        return [errors.invalid_value(path, url, "must not have a fragment")]
    return []


# --- columns


COLUMNS = (
    NAME,
    Column("From", description="The tag that is listened to."),
    Column("Paused", type="boolean", description="Whether the trigger tells nothing for now."),
    Column("Last Triggered", description="How long ago the consumer accepted an event."),
    Column("Delivered", description="Whether the newest event that was sent arrived."),
    AGE,
    Column("Ready", description="Whether events can be sent, and if not why.", priority=1),
    Column("Reason", description="Why the newest event did not arrive.", priority=1),
)


def row(trigger: ImageTrigger, now: datetime) -> list[object]:
    """Return the cells of a trigger."""
    source, last = trigger.spec.from_, trigger.status.last_triggered
    delivered, ready = condition_of(trigger, DELIVERED), condition_of(trigger, READY)
    return [
        trigger.metadata.name,
        f"{source.namespace}/{source.name}" if source.namespace else source.name,
        trigger.spec.paused,
        table.age(last.time, now) if last is not None else "<none>",
        delivered.status if delivered is not None else "<none>",
        table.age(trigger.metadata.creation_timestamp, now),
        _explained(ready),
        delivered.reason if delivered is not None and delivered.status != "True" else "",
    ]


def _explained(condition: Condition | None) -> str:
    if condition is None:
        return "Unknown"
    return condition.status if condition.status == "True" else f"{condition.status} ({condition.reason})"


REGULAR = ImageTriggerStrategy()
STATUS = ImageTriggerStatusStrategy()
STORAGE: ObjectStorage[Any] = ObjectStorage(REGULAR)

IMAGE_TRIGGERS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageTrigger",
    plural="imagetriggers",
    singular="imagetrigger",
    namespaced=True,
    type=ImageTrigger,
    storage=STORAGE,
    short_names=("imgtrig",),
    columns=COLUMNS,
    row=row,
    subresources=(Subresource(name="status", storage=StatusStorage(STATUS), type=ImageTrigger, kind="ImageTrigger"),),
)
