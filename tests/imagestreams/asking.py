"""A shop whose stream has moved, and people who ask the API about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from authz import bootstrap
from imagestreams import tags
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL
from imagestreams.ledgertypes import GROUP, VERSION
from imagestreams.types import ImageStream, TagReference
from registry_meta.kube import store
from registry_meta.kube.meta import ObjectMeta, now
from registry_meta.kube.request import Actor, Context
from tests import beginnings
from tests.authz.conftest import Api, bind
from tests.imagestreams.builders import event

HISTORY = f"/apis/{GROUP}/{VERSION}"
SHOP = f"{HISTORY}/namespaces/shop/imagestreams"
STREAMS = "/apis/image.openshift.io/v1/namespaces/shop/imagestreams"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
JANE = Actor("jane", ("system:masters",))


def opened() -> Api:
    """Make a first start and the namespace `shop`; return the administrator's API."""
    beginnings.begin()
    admin = Api(bootstrap.administrator(""))
    assert admin.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})[0] == 201
    return admin


def person(admin: Api, name: str, role: str) -> Api:
    """Give a role in the shop to somebody and return his API."""
    bind(admin, "shop", role, name, name=name)
    return admin.acting_for(name)


def context(*, reason: str = "", moment: datetime | None = None) -> Context:
    """Return the context of a write of Jane's to a stream of the shop."""
    return Context(JANE, IMAGE_STREAMS, moment or now(), namespace="shop", reason=reason)


def make(name: str = "app", *wishes: TagReference) -> None:
    """Make a stream in the shop."""
    stream = ImageStream(metadata=ObjectMeta(name=name))
    stream.spec.tags = list(wishes) or None
    store.create(IMAGE_STREAMS, stream, context=context(), strategy=INTERNAL)


def move(
    heads: Mapping[str, str], *, stream: str = "app", reason: str = "pushed", moment: datetime | None = None
) -> None:
    """Let tags point to images, given by the start of their digests; an empty one removes its tag."""

    def edit(found: ImageStream) -> ImageStream:
        for tag, image in heads.items():
            if image:
                tags.push(found, tag, event(image))
            else:
                tags.remove(found, tag)
        return found

    within = context(reason=reason, moment=moment)
    store.update(IMAGE_STREAMS, stream, edit, context=within, strategy=INTERNAL)
