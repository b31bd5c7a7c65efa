"""Namespaces as projects are read: those alone that somebody may see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.db import connection

from authz.api.namespaces import NAMESPACES
from authz.visibility import Visible
from registry_meta.kube import pagination
from registry_meta.kube.continuation import LATEST, token
from registry_meta.kube.pagination import BATCH, ListOptions, Page, Selection

Row = tuple[str, str]
"""The name and the document of a namespace."""


def page(seen: Visible, selected: Selection, options: ListOptions) -> Page:
    """Return a page of the visible namespaces that are selected, by name; it is of no version, as recorded.

    Where not all are visible, only the rows of the visible ones are read, and later pages are as of their own time.
    """
    if seen.everything:
        return replace(pagination.page(NAMESPACES, "", selected, options), version=0)
    start = options.start[1] if options.start else ""
    names = sorted(name for name in seen.names if name > start and selected.name in (None, name))
    found: list[Row] = []
    for row in _rows(names):
        if options.limit and len(found) == options.limit:
            documents = [document for _, document in found]
            return Page(documents, 0, token(LATEST, ("", found[-1][0])))
        if not selected.reads_documents or selected.matches(NAMESPACES, "", *row):
            found.append(row)
    return Page([document for _, document in found], 0)


def _rows(names: list[str]) -> Iterator[Row]:
    """Yield the namespaces of these names that there are, in the order of the names."""
    for begin in range(0, len(names), BATCH):
        some = names[begin : begin + BATCH]
        marks = ", ".join(["%s"] * len(some))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, document FROM kube_object"  # noqa: S608  # values are parameters
                f" WHERE resource = %s AND namespace = '' AND name IN ({marks})",
                [NAMESPACES.key, *some],
            )
            yield from sorted(cursor.fetchall())
