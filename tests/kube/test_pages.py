"""Pages of a list are one snapshot, whatever is written between them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec
import pytest

from registry_meta.kube import pagination
from registry_meta.kube.continuation import read_token
from registry_meta.kube.pagination import ListOptions, Page, Selection
from registry_meta.kube.selectors import FieldSelector, LabelSelector
from tests.kube import widgets

pytestmark = pytest.mark.django_db

EVERYTHING = Selection(LabelSelector.parse(""), FieldSelector.parse(""))
RED = Selection(LabelSelector.parse("colour=red"), FieldSelector.parse(""))


def pages(limit: int, selected: Selection = EVERYTHING, *, between: Callable[[], None]) -> Iterator[Page]:
    """Yield the pages of a list, with something done behind each of them."""
    options = ListOptions(limit)
    while True:
        page = pagination.page(widgets.WIDGETS, "", selected, options)
        yield page
        if not page.continue_:
            return
        between()
        token = read_token(page.continue_)
        options = ListOptions(limit, token.start, token.rv, token.rest)


def write_anything(source: random.Random, present: set[str]) -> None:
    """Create, change or delete a few widgets."""
    for _ in range(source.randrange(8)):
        name = f"w{source.randrange(60):02d}"
        if name not in present:
            widgets.create(name, colour=source.choice(["red", "blue"]))
            present.add(name)
        elif source.random() < 0.6:
            widgets.delete(name)
            present.discard(name)
        else:
            widgets.relabel(name, colour=source.choice(["red", "blue"]), at=str(source.random()))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("selected", [EVERYTHING, RED], ids=["all", "red"])
def test_pages_are_one_snapshot_whatever_is_written_between_them(seed: int, selected: Selection) -> None:
    source, present = random.Random(seed), set[str]()
    for _ in range(12):
        write_anything(source, present)
    before = pagination.page(widgets.WIDGETS, "", selected, ListOptions()).documents

    read = list(pages(source.randint(1, 7), selected, between=lambda: write_anything(source, present)))

    assert [document for page in read for document in page.documents] == before
    assert len({page.version for page in read}) == 1
    if selected is EVERYTHING:
        left = len(before)
        for page in read:
            left -= len(page.documents)
            assert (page.remaining or 0) == left


def test_more_deletions_than_a_page_holds_are_all_seen() -> None:
    for number in range(30):
        widgets.create(f"w{number:02d}")

    def delete_most() -> None:
        for number in range(3, 28):
            if f"w{number:02d}" in left:
                widgets.delete(f"w{number:02d}")
        left.clear()

    left = {f"w{number:02d}" for number in range(30)}
    read = list(pages(3, between=delete_most))

    names = [msgspec.json.decode(document)["metadata"]["name"] for page in read for document in page.documents]
    assert names == [f"w{number:02d}" for number in range(30)]


def test_a_token_that_does_not_say_how_many_follow_leads_to_a_count() -> None:
    for number in range(9):
        widgets.create(f"w{number}")
    first = pagination.page(widgets.WIDGETS, "", EVERYTHING, ListOptions(2))
    widgets.delete("w5")
    widgets.create("w7a")

    second = pagination.page(widgets.WIDGETS, "", EVERYTHING, ListOptions(2, ("", "w1"), first.version))

    assert (first.remaining, second.remaining) == (7, 5)
