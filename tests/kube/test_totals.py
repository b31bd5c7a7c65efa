"""How many objects follow a first page: counted once, then reckoned from the changes."""

from __future__ import annotations

import random

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry_meta.kube import changes, pagination
from registry_meta.kube.models import Counter
from registry_meta.kube.pagination import ListOptions
from registry_meta.kube.totals import Totals
from tests.kube.widgets import WIDGETS, create, delete, relabel

pytestmark = pytest.mark.django_db(transaction=True)


def remaining() -> int | None:
    """Return what the first page of one widget says of the others."""
    return pagination.page(WIDGETS, "", pagination.selection(WIDGETS, {}), ListOptions(1)).remaining


def counted() -> int:
    raise AssertionError("nothing is to be counted")


def test_objects_are_counted_once() -> None:
    for name in ("a", "b", "c"):
        create(name)
    assert remaining() == 2
    create("d")

    with CaptureQueriesContext(connection) as queries:
        assert remaining() == 3

    assert not [query["sql"] for query in queries.captured_queries if "count(*)" in query["sql"]]


def test_what_is_reckoned_is_what_there_is() -> None:
    source, present = random.Random(7), {"first"}
    create("first")
    for _ in range(60):
        name = f"w{source.randrange(12)}"
        if name not in present:
            create(name)
            present.add(name)
        elif source.random() < 0.5:
            delete(name)
            present.discard(name)
        else:
            relabel(name, colour="red", at=str(source.random()))
        assert (remaining() or 0) == len(present) - 1


def test_a_total_of_before_is_reckoned_backwards() -> None:
    totals, place = Totals(), (WIDGETS.key, "")
    create("a")
    before = changes.newest()
    create("b")
    delete("a")
    create("c")
    assert totals.at(place, changes.newest(), lambda: 2) == 2

    assert totals.at(place, before, counted) == 1


def test_without_the_changes_objects_are_counted_anew() -> None:
    totals, place = Totals(), (WIDGETS.key, "")
    create("a")
    totals.at(place, changes.newest(), lambda: 1)
    create("b")
    Counter.objects.filter(name="compacted").update(value=changes.newest())

    assert totals.at(place, changes.newest(), lambda: 27) == 27


def test_a_total_of_a_transaction_is_not_remembered() -> None:
    totals, place = Totals(), (WIDGETS.key, "")
    with transaction.atomic():
        create("never")
        totals.at(place, changes.newest(), lambda: 1)
        transaction.set_rollback(True)

    assert totals.at(place, changes.newest(), lambda: 0) == 0


def test_few_places_are_remembered() -> None:
    totals = Totals(kept=2)
    for namespace in ("a", "b", "c"):
        totals.at((WIDGETS.key, namespace), changes.newest(), lambda: 0)

    assert totals.at((WIDGETS.key, "a"), changes.newest(), lambda: 5) == 5
    assert totals.at((WIDGETS.key, "c"), changes.newest(), counted) == 0
