"""Every kind has a page, and what pages say of kinds is what the kinds declare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from registry_meta.kube.catalog import catalog
from registry_meta.kube.decode import convert
from registry_meta.kube.meta import KubeStruct
from registry_meta.kube.resource import Resource, Subresource
from tests.docs.pages import DOCS, Page, pages

RESOURCES = list(catalog)
ASKING = re.compile(r"(?:kubectl|oc)(?: -n \S+)? (?:get|delete|describe|edit|explain|watch) (?:--raw )?([a-z]+)\b")


def page_of(resource: Resource) -> Page:
    return Page(DOCS / "kinds" / f"{resource.plural}.md")


def head(resource: Resource) -> list[str]:
    """Return the table at the top of the page of a kind."""
    rows = [
        ("API version", _listed(resource.api_version)),
        ("Kind", _listed(resource.kind)),
        ("Scope", "namespace" if resource.namespaced else "cluster"),
        ("Names", _listed(resource.plural, resource.singular, *resource.short_names)),
        ("Verbs", _listed(*resource.verbs)),
    ]
    rows += [
        (f"`{resource.plural}/{sub.name}`", _listed(*sub.verbs))
        for sub in sorted(resource.subresources, key=lambda sub: sub.name)
        if sub.verbs
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _listed(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words)


def tables(page: Page) -> Iterator[list[str]]:
    """Yield the tables of a page."""
    for block in page.text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            yield lines


def types() -> dict[tuple[str, str], type[KubeStruct]]:
    """Return the wire types by apiVersion and kind, those of subresources among them."""
    found: dict[tuple[str, str], type[KubeStruct]] = {}
    for resource in (*RESOURCES, *catalog.attached()):
        found[resource.api_version, resource.kind] = resource.type
        for sub in resource.subresources:
            group = resource.group if sub.group is None else sub.group
            version = sub.version or resource.version
            found.setdefault((f"{group}/{version}" if group else version, sub.kind), sub.type)
    return found


TYPES = types()
EXAMPLES = [pytest.param(page, example, id=page.name) for page in pages() for example in page.examples()]


def test_there_are_kinds_to_hold_pages_to() -> None:
    assert {"imagestreams", "images"} <= {resource.plural for resource in RESOURCES}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.key)
def test_every_kind_has_a_page_that_says_what_it_declares(resource: Resource) -> None:
    assert head(resource) in list(tables(page_of(resource)))


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.key)
def test_every_kind_has_an_example(resource: Resource) -> None:
    examples = page_of(resource).examples()

    assert (resource.api_version, resource.kind) in {(item["apiVersion"], item["kind"]) for item in examples}


def test_every_page_of_a_kind_is_of_a_kind_that_is_served() -> None:
    plurals = {resource.plural for resource in RESOURCES}

    assert [path.name for path in (DOCS / "kinds").glob("*.md") if path.stem not in plurals] == []


BELOW = [(resource, sub) for resource in catalog.attached() for sub in resource.subresources]


@pytest.mark.parametrize(("resource", "sub"), BELOW, ids=lambda item: getattr(item, "key", getattr(item, "name", "")))
def test_what_lies_below_kinds_is_on_the_page_of_its_group(resource: Resource, sub: Subresource) -> None:
    place = f"namespaces/NAMESPACE/{resource.plural}" if resource.namespaced else resource.plural
    row = f"| `{place}/NAME/{sub.name}` | {_listed(*sub.verbs)} | `{sub.answered_kind}` |"

    page = Page(DOCS / f"{resource.group.partition('.')[0]}.md")
    assert [line for table in tables(page) for line in table if line.startswith(row)]


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_every_example_is_an_object_of_its_kind(page: Page, example: dict[str, Any]) -> None:
    tree = dict(example)
    type_ = TYPES[tree.pop("apiVersion"), tree.pop("kind")]

    _, unknown = convert(tree, type_)

    assert unknown == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_ask_for_kinds_that_are_served(page: Page) -> None:
    names = {name for item in RESOURCES for name in (item.plural, item.singular, *item.short_names)}

    asked = {match[1] for line in page.commands() for match in ASKING.finditer(line)}
    assert asked <= names | {"all"}
