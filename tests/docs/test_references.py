"""What pages refer to is there: files, headings, settings and make targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry_meta.environment import variables
from tests.docs.pages import DOCS, Page, pages
from tests.server import ROOT

SETTING = re.compile(r"\bREGISTRY_META_[A-Z]+(?:_[A-Z]+)*\b")
CONSUMER_KEY = "REGISTRY_META_KEY"
"""What the example consumer is given its key in; it is no setting of the server."""

PAGES = pages()


def place(page: Page, link: str) -> tuple[Path, str]:
    """Return the file and the anchor that a link names."""
    name, _, fragment = link.partition("#")
    return (page.path.parent / name if name else page.path), fragment


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Page) -> None:
    assert [link for link in page.links() if not place(page, link)[0].exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_anchor_is_a_heading(page: Page) -> None:
    named = [(link, *place(page, link)) for link in page.links() if "#" in link]

    assert [link for link, path, fragment in named if fragment not in Page(path).anchors()] == []


def test_every_page_is_in_the_index() -> None:
    index = Page(DOCS / "index.md")
    listed = {place(index, link)[0].resolve() for link in index.links()}

    assert [page.name for page in PAGES[1:] if page.path != index.path and page.path.resolve() not in listed] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_exists(page: Page) -> None:
    names = {variable.name for variable in variables()} | {CONSUMER_KEY}

    assert {name for name in SETTING.findall(page.text) if name.removesuffix("_FILE") not in names} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_exists(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {match[1] for line in page.commands() if (match := re.match(r"make ([a-z-]+)", line))}

    assert asked <= targets
