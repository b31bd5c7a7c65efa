"""A kind of no meaning, for tests of the machinery."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection

from registry_meta.kube import meta, store
from registry_meta.kube.meta import KubeObject, ObjectMeta
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.strategy import Strategy, any_strategy

STRATEGY: Strategy[KubeObject] = any_strategy()
WIDGETS = Resource(
    group="example.com",
    version="v1",
    kind="Widget",
    plural="widgets",
    singular="widget",
    namespaced=False,
    type=KubeObject,
    storage=ObjectStorage(STRATEGY),
)


def context() -> Context:
    """Return the context of a write by the server itself."""
    return Context(SYSTEM, WIDGETS, meta.now())


def create(name: str, **labels: str) -> int:
    """Create a widget and return its version."""
    widget = KubeObject(metadata=ObjectMeta(name=name, labels=labels or None))
    return store.create(WIDGETS, widget, context=context(), strategy=STRATEGY).version


def relabel(name: str, **labels: str) -> int:
    """Give a widget other labels and return its new version."""

    def edit(widget: KubeObject) -> KubeObject:
        widget.metadata.labels = labels
        return widget

    return store.update(WIDGETS, name, edit, context=context(), strategy=STRATEGY).version


def delete(name: str) -> int:
    """Delete a widget and return the version of that."""
    return store.delete(WIDGETS, name, context=context(), strategy=STRATEGY)[0].version


def in_thread(work: Callable[[], int]) -> Callable[[], int]:
    """Return work that leaves no connection of its thread behind."""

    def closing() -> int:
        try:
            return work()
        finally:
            connection.close()

    return closing
