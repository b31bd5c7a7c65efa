"""What a process remembers of lists, and when it must not."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry_meta.kube import changes, pagination
from registry_meta.kube.continuation import read_token
from registry_meta.kube.models import Counter
from registry_meta.kube.pagination import ListOptions, Page
from tests.kube.widgets import WIDGETS, create, delete

pytestmark = pytest.mark.django_db(transaction=True)


def first_page(limit: int = 0) -> Page:
    return pagination.page(WIDGETS, "", pagination.selection(WIDGETS, {}), ListOptions(limit))


def names(page: Page) -> list[str]:
    return [WIDGETS.decoder.decode(document).metadata.name for document in page.documents]


def test_a_list_that_did_not_change_is_not_read_again() -> None:
    create("a")
    first_page()

    with CaptureQueriesContext(connection) as queries:
        again = first_page()

    assert names(again) == ["a"]
    assert len(queries) == 1
    assert "document" not in queries[0]["sql"]


def test_a_list_shows_every_change_at_once() -> None:
    create("a")
    assert names(first_page()) == ["a"]

    create("b")
    assert names(first_page()) == ["a", "b"]

    delete("a")
    assert names(first_page()) == ["b"]


def test_a_remembered_list_has_the_present_version() -> None:
    create("a")
    before = first_page()
    version = changes.take_version()

    after = first_page()

    assert before.version < version == after.version
    assert after.items is before.items


def test_a_remembered_page_goes_on_from_the_present_version() -> None:
    for name in ("a", "b", "c"):
        create(name)
    first_page(limit=1)
    version = changes.take_version()

    again = first_page(limit=1)

    assert read_token(again.continue_).rv == version
    assert again.remaining == 2


def test_what_is_older_than_the_log_is_read_again() -> None:
    create("a")
    first_page()
    version = changes.take_version()
    Counter.objects.filter(name="compacted").update(value=version)

    with CaptureQueriesContext(connection) as queries:
        again = first_page()

    assert names(again) == ["a"]
    assert any("document" in query["sql"] for query in queries)


def test_a_list_of_a_transaction_that_is_rolled_back_is_not_remembered() -> None:
    with transaction.atomic():
        create("never")
        assert names(first_page()) == ["never"]
        transaction.set_rollback(True)

    assert names(first_page()) == []
