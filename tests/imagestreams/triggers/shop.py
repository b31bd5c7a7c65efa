"""A shop of one stream whose tags move, and its triggers, all written through the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from imagestreams import tags
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL
from imagestreams.api.imagetrigger import IMAGE_TRIGGERS, REGULAR, ImageTrigger, condition_of
from imagestreams.models import Delivery
from imagestreams.triggers import deliver, tasks
from imagestreams.types import ImageStream
from registry_meta.kube import consumers, store
from registry_meta.kube.catalog import catalog
from registry_meta.kube.meta import ObjectMeta, now
from registry_meta.kube.request import SYSTEM, Actor, Context
from registry_meta.kube.resource import Resource
from tests.imagestreams.builders import event
from tests.imagestreams.triggers.builders import Consumer

JITTER = 0.5
JANE = Actor("jane", ("system:masters",))


def open_shop() -> None:
    """Make the namespaces and the stream, and let the triggers read the log from here on."""
    namespaces = catalog.by_key("namespaces")
    for name in ("shop", "other"):
        made = namespaces.type(metadata=ObjectMeta(name=name))
        store.create(namespaces, made, context=context(namespaces), strategy=namespaces.storage.strategy)
    stream = ImageStream(metadata=ObjectMeta(name="app"))
    store.create(IMAGE_STREAMS, stream, context=context(IMAGE_STREAMS, "shop"), strategy=INTERNAL)
    consumers.register(tasks.CONSUMER)


def context(resource: Resource, namespace: str = "", *, actor: Actor = SYSTEM, reason: str = "") -> Context:
    return Context(actor, resource, now(), namespace=namespace, reason=reason)


def move(image: str, *, tag: str = "latest", before: Sequence[str] = ()) -> int:
    """Let a tag point to an image, in the same write to others before, and return the version of that."""

    def edit(stream: ImageStream) -> ImageStream:
        for each in (*before, image):
            tags.push(stream, tag, event(each))
        return stream

    within = context(IMAGE_STREAMS, "shop", actor=Actor("jane", ("system:masters",)), reason="pushed")
    return store.update(IMAGE_STREAMS, "app", edit, context=within, strategy=INTERNAL).version


def remove(tag: str = "latest") -> None:
    def edit(stream: ImageStream) -> ImageStream:
        tags.remove(stream, tag)
        return stream

    store.update(IMAGE_STREAMS, "app", edit, context=context(IMAGE_STREAMS, "shop"), strategy=INTERNAL)


def create(trigger: ImageTrigger) -> str:
    """Store a trigger and return its uid."""
    within = context(IMAGE_TRIGGERS, trigger.metadata.namespace)
    return store.create(IMAGE_TRIGGERS, trigger, context=within, strategy=REGULAR).uid


def edit_spec(name: str = "deploy", **values: object) -> None:
    def edit(trigger: ImageTrigger) -> ImageTrigger:
        trigger.spec = msgspec.structs.replace(trigger.spec, **values)
        return trigger

    store.update(IMAGE_TRIGGERS, name, edit, context=context(IMAGE_TRIGGERS, "shop"), strategy=REGULAR)


def write_secret(key: str = "key") -> None:
    secrets = catalog.by_key("secrets")
    secret = msgspec.convert(
        {"metadata": {"name": "consumer"}, "type": "Opaque", "data": {key: "aHVzaA=="}}, secrets.type
    )
    store.create(secrets, secret, context=context(secrets, "shop"), strategy=secrets.storage.strategy)


def read(name: str = "deploy") -> ImageTrigger:
    stored = store.find(IMAGE_TRIGGERS, "shop", name)
    assert stored is not None
    trigger: ImageTrigger = stored.object()
    return trigger


def condition(type_: str) -> tuple[str, str]:
    """Return status and reason of a condition of the trigger, empty when it has none."""
    found = condition_of(read(), type_)
    return (found.status, found.reason) if found is not None else ("", "")


def attempt(uid: str, *, at: datetime | None = None) -> bool:
    return deliver.attempt(uid, now=at or now(), jitter=JITTER)


def told(listening: Consumer) -> list[str]:
    """Return the images of the events that arrived, by the start of their digests."""
    return [json.loads(body)["data"]["image"][7:8] for body in listening.bodies]


def states() -> list[str]:
    return list(Delivery.objects.order_by("version").values_list("state", flat=True))


def later(seconds: float) -> datetime:
    return now() + timedelta(seconds=seconds)
