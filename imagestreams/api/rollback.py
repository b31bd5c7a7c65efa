"""The subresource imagestreams/rollback: lets a tag go back to what the ledger says that it was."""

from __future__ import annotations

from datetime import datetime

from imagestreams import ledger, models, moments, rollbacks, tags
from imagestreams.api.imagestreamimages import find_image
from imagestreams.api.imagestreams import IMAGE_STREAMS, RollbackStrategy, find_stream
from imagestreams.holds import Hold
from imagestreams.ledgertypes import (
    GROUP,
    VERSION,
    ImageStreamRollback,
    ImageStreamRollbackSpec,
    ImageStreamRollbackStatus,
    RollbackPoint,
)
from imagestreams.reference import is_digest
from imagestreams.types import ImageStream, TagEvent
from registry_meta.kube import errors, store
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import GroupKind, ObjectMeta, new_uid, timestamp
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Subresource
from registry_meta.kube.store import Preconditions

KIND = "ImageStreamRollback"
LONGEST_REASON = 150
"""Bytes; the ledger keeps little more than a line."""


class RollbackStorage:
    """Moves the tag; nothing of the request is kept but its reason, in the ledger."""

    def create(self, name: str, obj: ImageStreamRollback, *, context: Context) -> ImageStreamRollback:
        """Let a tag go back, and return from where to where.

        Raises 404 for a missing stream, 422 for a target that the tag never had and for a tag that is held, and 409
        when the stream is not at the version or uid that the request names.
        """
        if obj.metadata.name not in ("", name):
            raise errors.bad_request(
                f"the name of the object ({obj.metadata.name}) does not match the name on the URL ({name})"
            )
        _refuse(name, _problems(obj.spec, now=context.now))
        if find_stream(context.namespace, name) is None:
            raise errors.not_found(IMAGE_STREAMS.group_resource, name)
        found = _target(obj.spec, context.namespace, name)
        if isinstance(found, FieldError):
            raise _invalid(name, [found])
        event = rollbacks.point(found.digest, found.reference, now=context.now)
        if event.image and find_image(event.image) is None:
            context.warnings.append(f"the image {event.image} is no longer stored here; import or push it again")
        status = _move(name, obj, event, context=context)
        meta = ObjectMeta(
            name=name, namespace=context.namespace, uid=new_uid(), creation_timestamp=timestamp(context.now)
        )
        return ImageStreamRollback(metadata=meta, spec=obj.spec, status=status)


def _move(name: str, obj: ImageStreamRollback, event: TagEvent, *, context: Context) -> ImageStreamRollbackStatus:
    spec = obj.spec
    within = Context(
        context.actor, IMAGE_STREAMS, context.now, namespace=context.namespace, dry_run=context.dry_run,
        field_manager=context.field_manager, reason=_reason(spec), word=IMAGE_STREAMS.group_resource,
        marks=context.marks,
    )  # fmt: skip
    hold = Hold(spec.reason, context.actor.username, spec.hold_until) if spec.hold else None
    heads: list[TagEvent | None] = []

    def edit(stream: ImageStream) -> ImageStream:
        heads.append(tags.latest(stream, spec.tag))
        if spec.lift_hold:
            rollbacks.lift(stream, spec.tag)
        rollbacks.apply(stream, spec.tag, event, hold=hold)
        return stream

    stored = store.update(
        IMAGE_STREAMS, name, edit, context=within, strategy=RollbackStrategy({spec.tag: event}),
        preconditions=Preconditions(obj.metadata.resource_version, obj.metadata.uid),
    )  # fmt: skip
    written: ImageStream = stored.object()
    return ImageStreamRollbackStatus(
        from_=_shown(heads[-1]),
        to=_shown(tags.latest(written, spec.tag)),
        resource_version="" if context.dry_run else str(stored.version),
        generation=written.metadata.generation,
    )


def _shown(event: TagEvent | None) -> RollbackPoint:
    return RollbackPoint(image=event.image, reference=event.docker_image_reference) if event else RollbackPoint()


def _reason(spec: ImageStreamRollbackSpec) -> str:
    return f"rolled back: {spec.reason}" if spec.reason else "rolled back"


def _target(spec: ImageStreamRollbackSpec, namespace: str, name: str) -> models.TagEvent | FieldError:
    """Return the move of the ledger that a tag goes back to, or what is wrong with asking for it."""
    if spec.to.image:
        found = ledger.last_with(namespace, name, spec.tag, spec.to.image)
        return found or errors.field_not_found("spec.to.image", spec.to.image)
    found = ledger.at(namespace, name, spec.tag, moments.moment(spec.to.time))
    if found is not None:
        return found
    if not ledger.history(namespace, name, spec.tag, limit=1):
        return errors.field_not_found("spec.tag", spec.tag)
    return errors.invalid_value("spec.to.time", spec.to.time, "the tag pointed nowhere then")


def _refuse(name: str, problems: list[FieldError]) -> None:
    if problems:
        raise _invalid(name, problems)


def _invalid(name: str, problems: list[FieldError]) -> errors.StatusError:
    return errors.invalid(GroupKind(GROUP, KIND), name, problems)


def _problems(spec: ImageStreamRollbackSpec, *, now: datetime) -> list[FieldError]:
    """Return what is wrong with a request as such."""
    found = [] if spec.tag else [errors.required("spec.tag")]
    if not spec.tag.isprintable():
        found.append(errors.invalid_value("spec.tag", spec.tag, "must be the name of a tag"))
    found += _target_problems(spec)
    field = "spec.reason"
    if not spec.reason.isprintable():
        found.append(errors.invalid_value(field, spec.reason, "must be one line of printable characters"))
    if len(spec.reason.encode()) > LONGEST_REASON:
        found.append(errors.too_long(field, LONGEST_REASON))
    if spec.hold and not spec.reason.strip():
        found.append(errors.required(field, "a hold says why"))
    return found + _expiry_problems(spec, now=now)


def _target_problems(spec: ImageStreamRollbackSpec) -> list[FieldError]:
    image, time = spec.to.image, spec.to.time
    if not image and not time:
        return [errors.required("spec.to", "an image or a time")]
    found = []
    if image and not is_digest(image):
        found.append(errors.invalid_value("spec.to.image", image, "must be a digest"))
    if image and time:
        found.append(errors.field_forbidden("spec.to.time", "may not be given together with image"))
    elif time:
        found += _time_problems("spec.to.time", time)
    return found


def _expiry_problems(spec: ImageStreamRollbackSpec, *, now: datetime) -> list[FieldError]:
    field, text = "spec.holdUntil", spec.hold_until
    if not text:
        return []
    if not spec.hold:
        return [errors.field_forbidden(field, "may be set only together with hold")]
    problems = _time_problems(field, text)
    if not problems and moments.moment(text) <= now:
        problems.append(errors.invalid_value(field, text, "must lie in the future"))
    return problems


def _time_problems(field: str, text: str) -> list[FieldError]:
    try:
        moments.moment(text)
    except ValueError as error:
        return [errors.invalid_value(field, text[:100], str(error))]
    return []


ROLLBACK = Subresource(
    name="rollback",
    storage=RollbackStorage(),
    type=ImageStreamRollback,
    kind=KIND,
    group=GROUP,
    version=VERSION,
)
