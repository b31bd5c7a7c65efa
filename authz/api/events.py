"""The kind Event: what happened to an object, kept for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from registry_meta.kube import errors, store
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject, KubeStruct, ObjectReference, Time, always, parse_time
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Column, Resource
from registry_meta.kube.strategy import Strategy
from registry_meta.kube.table import age

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

REASON = "its time is over"


class EventSource(KubeStruct):
    """Which component reported an event, and from where."""

    component: str = ""
    host: str = ""


class EventSeries(KubeStruct):
    """An event that went on happening."""

    count: int = 0
    last_observed_time: Time | None = None


class Event(KubeObject):
    """Something that happened to an object; told again, it is counted rather than repeated."""

    involved_object: ObjectReference = msgspec.field(default_factory=ObjectReference)
    reason: str = ""
    message: str = ""
    source: EventSource = msgspec.field(default_factory=EventSource)
    first_timestamp: Time | None = always(None)
    last_timestamp: Time | None = always(None)
    count: int = 0
    type: str = ""
    event_time: Time | None = always(None)
    series: EventSeries | None = None
    action: str = ""
    related: ObjectReference | None = None
    reporting_component: str = always("")
    reporting_instance: str = always("")

    def last_seen(self) -> str | None:
        """Return when the event was last reported."""
        if self.series is not None and self.series.last_observed_time:
            return self.series.last_observed_time
        return self.last_timestamp or self.event_time or self.metadata.creation_timestamp

    def first_seen(self) -> str | None:
        """Return when the event was first reported."""
        return self.first_timestamp or self.event_time or self.metadata.creation_timestamp

    def times(self) -> int:
        """Return how often the event was reported."""
        return self.series.count if self.series is not None else self.count


class EventStrategy(Strategy[Event]):
    """An event lies in the namespace of its object; reporters may write it whether it exists or not."""

    create_on_update = True

    def validate(self, obj: Event, *, context: Context) -> list[FieldError]:
        """Return what is wrong with the object that it is about."""
        about, home = obj.involved_object.namespace, obj.metadata.namespace
        if (about or "default") == home:
            return []
        why = "does not match event.namespace"
        return [errors.invalid_value("involvedObject.namespace", about, why)]


def _of_object(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda obj: str((obj.get("involvedObject") or {}).get(key, ""))


def _source(obj: Mapping[str, Any]) -> str:
    return str((obj.get("source") or {}).get("component") or obj.get("reportingComponent") or "")


def row(event: Event, now: datetime) -> list[object]:
    """Return the table row of an event."""
    about = event.involved_object
    last = age(event.last_seen(), now)
    if event.times() > 1:
        last = f"{last} (x{event.times()} over {age(event.first_seen(), now)})"
    source = event.source.component or event.reporting_component
    return [
        last,
        event.type,
        event.reason,
        f"{about.kind.lower()}/{about.name}" if about.kind else about.name,
        about.field_path,
        ", ".join(part for part in (source, event.source.host) if part),
        event.message.strip(),
        age(event.first_seen(), now),
        event.times() or 1,
        event.metadata.name,
    ]


EVENTS = Resource(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    type=Event,
    storage=ObjectStorage(EventStrategy()),
    short_names=("ev",),
    columns=(
        Column("Last Seen", description="How long ago the event was last reported."),
        Column("Type", description="Normal, or Warning."),
        Column("Reason", description="Why the event happened, in one word."),
        Column("Object", description="The object that the event is about."),
        Column("Subobject", description="The part of the object that the event is about.", priority=1),
        Column("Source", description="The component that reported the event.", priority=1),
        Column("Message", description="What happened."),
        Column("First Seen", description="How long ago the event was first reported.", priority=1),
        Column("Count", description="How often the event was reported.", priority=1),
        Column("Name", format="name", description="Name of the event.", priority=1),
    ),
    row=row,
    fields={
        **{
            f"involvedObject.{key}": _of_object(key)
            for key in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        },
        "reason": lambda obj: str(obj.get("reason", "")),
        "reportingComponent": lambda obj: str(obj.get("reportingComponent", "")),
        "source": _source,
        "type": lambda obj: str(obj.get("type", "")),
    },
)


def sweep(before: datetime, *, now: datetime) -> int:
    """Delete the events that were last reported before an instant; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT namespace, name, document FROM kube_object WHERE resource = %s", [EVENTS.key])
        rows = cursor.fetchall()
    count = 0
    for namespace, name, document in rows:
        seen = EVENTS.decoder.decode(document).last_seen()
        if seen and parse_time(seen) < before:
            context = Context(SYSTEM, EVENTS, now, namespace=namespace, reason=REASON)
            try:
                store.delete(EVENTS, name, context=context, strategy=EVENTS.storage.strategy)
                count += 1
            except errors.StatusError as error:
                if error.code != 404:
                    raise
    return count
