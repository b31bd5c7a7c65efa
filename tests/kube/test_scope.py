"""Which rows a list reads."""

from __future__ import annotations

import pytest
from django.db import connection

from registry_meta.kube.scope import Scope
from registry_meta.kube.selectors import LabelSelector
from tests.kube import widgets

pytestmark = pytest.mark.django_db


def read(selector: str) -> list[str]:
    """Return the names of the widgets that the database hands over for a label selector."""
    scope = Scope(widgets.WIDGETS.key, "", None, LabelSelector.parse(selector).traces)
    (where, values), (likely, texts) = scope.where(None), scope.likely()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name FROM kube_object WHERE {where}{likely} ORDER BY name", [*values, *texts])
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("colour=red", ["red"]),
        ("colour in (red,blue)", ["blue", "red"]),
        ("colour in (red,blue),size", ["blue"]),
        ("colour", ["blue", "none", "red"]),
        ("colour=", ["none"]),
        ("colour!=red", ["big", "blue", "none", "red"]),
    ],
)
def test_documents_without_a_wanted_label_are_not_read(selector: str, names: list[str]) -> None:
    widgets.create("red", colour="red")
    widgets.create("blue", colour="blue", size="5")
    widgets.create("none", colour="")
    widgets.create("big", size="7", note="red")

    assert read(selector) == names
