"""Two objects read at once are what each of them is by itself."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry_meta.kube import store, together
from tests.kube.widgets import WIDGETS, create

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a"), ("a", "none"), ("none", "b"), ("none", "never")])
def test_two_are_found_as_one_by_one(first: str, second: str) -> None:
    create("a")
    create("b")

    with CaptureQueriesContext(connection) as queries:
        found = together.find((WIDGETS, "", first), (WIDGETS, "", second))

    assert found == (store.find(WIDGETS, "", first), store.find(WIDGETS, "", second))
    assert len(queries) == 1


def test_the_same_may_be_asked_for_twice() -> None:
    create("a")

    first, second = together.find((WIDGETS, "", "a"), (WIDGETS, "", "a"))

    assert first == second == store.find(WIDGETS, "", "a")
