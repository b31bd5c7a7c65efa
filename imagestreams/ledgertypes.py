"""The wire types of `history.registry-meta.io`: what the ledger tells, and what is asked of it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from registry_meta.kube.meta import KubeObject, ObjectMeta, Time, always

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

GROUP = "history.registry-meta.io"
VERSION = "v1alpha1"


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
