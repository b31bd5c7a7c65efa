"""The pages of the documentation, taken apart: links, headings, examples and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.server import ROOT

DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
INDENTED = re.compile(r"^ {4,}(?:\$ )?(\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the documentation."""

    path: Path

    @property
    def text(self) -> str:
        """What is written on the page."""
        return self.path.read_text()

    @property
    def name(self) -> str:
        """The path of the page from the root of the project."""
        return str(self.path.relative_to(ROOT))

    def links(self) -> list[str]:
        """Return where the page points to within the project."""
        found = LINK.findall(FENCE.sub("", self.text))
        return [target for target in found if not re.match(r"[a-z]+:", target)]

    def anchors(self) -> set[str]:
        """Return what links can name after the number sign."""
        return {anchor(heading) for heading in HEADING.findall(FENCE.sub("", self.text))}

    def examples(self) -> list[dict[str, Any]]:
        """Return the objects of the YAML blocks of the page."""
        blocks = [body for language, body in FENCE.findall(self.text) if language == "yaml"]
        return [document for block in blocks for document in yaml.load_all(block, Loader=_Plain) if document]

    def commands(self) -> list[str]:
        """Return the lines of the indented blocks of the page."""
        return INDENTED.findall(FENCE.sub("", self.text))


class _Plain(yaml.SafeLoader):
    """Reads YAML with times left as they are written, as JSON would have them."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def anchor(heading: str) -> str:
    """Return the anchor of a heading as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def pages() -> list[Page]:
    """Return all pages, the README first."""
    return [Page(ROOT / "README.md"), *sorted(_documents(), key=lambda page: page.name)]


def _documents() -> Iterator[Page]:
    for path in DOCS.rglob("*.md"):
        yield Page(path)
