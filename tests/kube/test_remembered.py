"""What a process remembers of lists, and when it must not."""

from __future__ import annotations

import json
import random
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry_meta.kube import changes, pagination
from registry_meta.kube.continuation import read_token
from registry_meta.kube.models import Counter
from registry_meta.kube.pagination import ListOptions, Page
from registry_meta.kube.remembered import FEW, brought_up
from tests.kube.widgets import WIDGETS, create, delete, relabel

pytestmark = pytest.mark.django_db(transaction=True)


def first_page(limit: int = 0, *, seen: int | None = None) -> Page:
    return pagination.page(WIDGETS, "", pagination.selection(WIDGETS, {}), ListOptions(limit), seen=seen)


def names(page: Page) -> list[str]:
    return [WIDGETS.decoder.decode(document).metadata.name for document in page.documents]


def test_a_list_that_did_not_change_is_not_read_again() -> None:
    create("a")
    first_page()

    with CaptureQueriesContext(connection) as queries:
        again = first_page()

    assert names(again) == ["a"]
    assert len(queries) == 1
    assert "kube_object" not in queries[0]["sql"]


def test_a_list_shows_every_change_at_once() -> None:
    create("a")
    assert names(first_page()) == ["a"]

    create("b")
    assert names(first_page()) == ["a", "b"]

    delete("a")
    assert names(first_page()) == ["b"]


def test_a_list_that_changed_is_brought_up_to_date_by_the_changes_alone() -> None:
    for name in ("b", "d"):
        create(name)
    first_page()
    for change in (partial(create, "a"), partial(create, "c"), partial(relabel, "b", x="y"), partial(delete, "d")):
        change()
    create("d")
    version = delete("a")

    with CaptureQueriesContext(connection) as queries:
        after = first_page()

    assert (names(after), after.version) == (["b", "c", "d"], version)
    assert len(queries) == 1
    assert "kube_object" not in queries[0]["sql"]
    assert first_page(seen=version) is after


@pytest.mark.parametrize("seed", range(5))
def test_a_list_brought_up_to_date_is_the_list_that_is_read(seed: int) -> None:
    chance = random.Random(seed)
    there: set[str] = set()
    for _ in range(20):
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            name = chance.choice("abcdefgh")
            if name not in there:
                create(name)
                there.add(name)
            elif chance.random() < 0.5:
                relabel(name, x=str(chance.random()))
            else:
                delete(name)
                there.discard(name)
        kept = first_page()
        whole = kept.told(b"[")

        fresh = first_page(limit=100)

        assert (kept.documents, kept.version, whole) == (fresh.documents, fresh.version, fresh.told(b"["))


def test_more_changes_than_a_few_are_not_laid_over_a_list() -> None:
    create("a")
    first_page()
    for number in range(FEW + 1):
        relabel("a", x=str(number))

    with CaptureQueriesContext(connection) as queries:
        after = first_page()

    assert f'"x":"{FEW}"' in after.documents[0]
    assert any("kube_object" in query["sql"] for query in queries)


def test_a_page_with_a_limit_is_read_anew_when_something_changed() -> None:
    for name in ("b", "c"):
        create(name)
    first_page(limit=1)
    create("a")

    after = first_page(limit=1)

    assert names(after) == ["a"]
    assert after.remaining == 2


def test_documents_stay_in_the_order_of_namespaces_and_names() -> None:
    places = [("a", "x"), ("a", "y"), ("a-b", "x"), ("b", "a")]
    documents = [_document(*place) for place in places if place != ("a", "y")]

    after = brought_up(
        documents,
        [("a", "y", _document("a", "y")), ("b", "b", _document("b", "b")), ("b", "b", None), ("c", "c", None)],
    )

    assert after == [_document(*place) for place in places]


def _document(namespace: str, name: str) -> str:
    return json.dumps({"metadata": {"name": name, "namespace": namespace}})


def test_a_remembered_list_has_the_present_version() -> None:
    create("a")
    before = first_page()
    version = changes.take_version()

    after = first_page()

    assert before.version < version == after.version
    assert after.documents is before.documents
    assert first_page() is after


def test_a_list_costs_no_look_at_the_changes_when_its_request_saw_that_there_are_none() -> None:
    create("a")
    version = first_page().version

    with CaptureQueriesContext(connection) as queries:
        again = first_page(seen=version)

    assert names(again) == ["a"]
    assert not queries.captured_queries


@pytest.mark.parametrize("apart", [-1, 1])
def test_what_a_request_saw_counts_only_if_it_is_the_version_of_the_list(apart: int) -> None:
    create("a")
    version = first_page().version
    create("b")

    assert names(first_page(seen=version + apart)) == ["a", "b"]


def test_a_list_is_told_from_the_same_text_behind_the_same_head_alone() -> None:
    create("a")
    page = first_page()
    told = page.told(b"one[")

    assert page.told(b"one[") is told
    assert page.told(b"another[") == b"another[" + told[4:]
    assert page.told(b"one[") == told
    assert told == b"one[" + page.documents[0].encode() + b"]}\n"


def test_a_list_is_told_under_a_later_version_without_joining_it_again() -> None:
    create("a")
    told = first_page().told(b"one[")
    changes.take_version()

    assert first_page().told(b"two, longer[") == b"two, longer[" + told[4:]


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
    assert any("kube_object" in query["sql"] for query in queries)


def test_a_list_of_a_transaction_that_is_rolled_back_is_not_remembered() -> None:
    with transaction.atomic():
        create("never")
        assert names(first_page()) == ["never"]
        transaction.set_rollback(True)

    assert names(first_page()) == []
