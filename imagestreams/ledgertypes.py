"""The wire types of `history.registry-meta.io`: what the ledger tells, and what is asked of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from registry_meta.kube.meta import KubeObject, KubeStruct, ObjectMeta, ObjectReference, Time, always

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

GROUP = "history.registry-meta.io"
VERSION = "v1alpha1"

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""An RFC 3339 instant in a request, which is told where it is wrong; empty is none."""


class TagEvent(KubeObject):
    """One move of a tag; image and reference are empty where it was removed, the previous ones where it was new."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    stream_uid: str = msgspec.field(name="streamUID", default_factory=lambda: "")
    tag: str = always("")
    image: str = always("")
    reference: str = always("")
    previous_image: str = always("")
    previous_reference: str = always("")
    moved_at: Time | None = always(None)
    actor: str = always("")
    reason: str = always("")
    first_seen: Time | None = None
    generation: int = always(0)


def instant(moment: datetime) -> str:
    """Return an instant as RFC 3339 writes it, with its microseconds: whoever asks for it gets what happened then."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class RollbackTarget(KubeStruct):
    """What a tag goes back to: an image that it pointed to, or whatever it pointed to at a time; one of the two."""

    image: str = ""
    time: Moment = ""


class ImageStreamRollbackSpec(KubeStruct):
    """Which tag goes back to what, why, and whether it is held there."""

    tag: str = always("")
    to: RollbackTarget = msgspec.field(default_factory=lambda: RollbackTarget())
    reason: str = ""
    hold: bool = False
    hold_until: Moment = ""
    lift_hold: bool = False


class RollbackPoint(KubeStruct):
    """What a tag points to; both are empty where it points nowhere."""

    image: str = always("")
    reference: str = always("")


class ImageStreamRollbackStatus(KubeStruct):
    """What came of a rollback; `resourceVersion` and `generation` are those of the stream."""

    from_: RollbackPoint = msgspec.field(default_factory=lambda: RollbackPoint(), name="from")
    to: RollbackPoint = msgspec.field(default_factory=lambda: RollbackPoint())
    resource_version: str = ""
    generation: int = 0


class ImageStreamRollback(KubeObject):
    """A request to let a tag go back to what it was; it is answered, not stored."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    spec: ImageStreamRollbackSpec = msgspec.field(default_factory=lambda: ImageStreamRollbackSpec())
    status: ImageStreamRollbackStatus = msgspec.field(default_factory=lambda: ImageStreamRollbackStatus())


class ImageUser(KubeObject):
    """A tag, trigger or manifest list that uses an image, from `since` to `until`, or still (`current`)."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    user: ObjectReference = msgspec.field(default_factory=lambda: ObjectReference())
    current: bool = always(False)
    since: Time | None = always(None)
    until: Time | None = None
    reference: str = ""
    through: ObjectReference | None = None
    platform: str = ""
