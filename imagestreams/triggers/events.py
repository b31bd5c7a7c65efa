"""What consumers are told: CloudEvents 1.0 in the structured JSON mode. Pure."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import msgspec

from imagestreams.triggers.match import TagMove
from imagestreams.types import GROUP, VERSION

CONTENT_TYPE = "application/cloudevents+json"
TYPE = "io.registry-meta.image.tag.moved.v1"
SIGNATURE_HEADER = "X-Registry-Meta-Signature-256"
TIMESTAMP_HEADER = "X-Registry-Meta-Timestamp"
"""When the request was sent, in seconds since 1970; it is not signed."""


class MovedTag(msgspec.Struct, rename="camel", kw_only=True):
    """The `data` of an event; the previous image is empty for a tag that is new."""

    namespace: str
    stream: str
    tag: str
    image: str
    reference: str
    previous_image: str
    previous_reference: str
    reason: str
    actor: str
    resource_version: str


class Event(msgspec.Struct, kw_only=True):
    """A CloudEvent; `id` is the same however often the event is sent, and `source` with `id` unique."""

    specversion: str = "1.0"
    id: str
    type: str = TYPE
    source: str
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: MovedTag


def event_id(trigger_uid: str, version: int) -> str:
    """Return the id of what a trigger tells of a change."""
    return f"{trigger_uid}.{version}"


def source(namespace: str, stream: str) -> str:
    """Return the URI of a stream."""
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/imagestreams/{stream}"


def event(move: TagMove, *, trigger_uid: str) -> Event:
    """Return what a trigger tells of a move."""
    return Event(
        id=event_id(trigger_uid, move.version),
        source=source(move.namespace, move.stream),
        subject=f"{move.stream}:{move.tag}",
        time=_instant(move.moved_at),
        data=MovedTag(
            namespace=move.namespace,
            stream=move.stream,
            tag=move.tag,
            image=move.digest,
            reference=move.reference,
            previous_image=move.previous_digest,
            previous_reference=move.previous_reference,
            reason=move.reason,
            actor=move.actor,
            resource_version=str(move.version),
        ),
    )


def body(move: TagMove, *, trigger_uid: str) -> bytes:
    """Return the request body that tells of a move; the same move always gives the same bytes."""
    return msgspec.json.encode(event(move, trigger_uid=trigger_uid))


def signature(content: bytes, key: bytes) -> str:
    """Return the value of the signature header: HMAC-SHA256 (RFC 2104) over the exact bytes of the body."""
    return "sha256=" + hmac.new(key, content, hashlib.sha256).hexdigest()


def _instant(moment: datetime) -> str:
    """Return an instant as RFC 3339 writes it, with its microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
