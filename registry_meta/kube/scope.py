"""The rows that a list covers, as conditions of SQL."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

FINDS = {"postgresql": "strpos", "sqlite": "instr"}
"""The function that finds a text in another one, as each database calls it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The range of keys that a list covers, and texts of which the documents it wants have one of each group."""

    key: str
    namespace: str
    name: str | None
    traces: tuple[tuple[str, ...], ...] = ()

    def where(self, start: tuple[str, str] | None, end: tuple[str, str] | None = None) -> tuple[str, list[str]]:
        """Return the SQL condition and its values: behind `start`, up to and including `end`."""
        sql, values = "resource = %s", [self.key]
        if self.namespace:
            sql, values = f"{sql} AND namespace = %s", [*values, self.namespace]
        if self.name is not None:
            sql, values = f"{sql} AND name = %s", [*values, self.name]
        if start is not None:
            sql, values = f"{sql} AND (namespace, name) > (%s, %s)", [*values, *start]
        if end is not None:
            sql, values = f"{sql} AND (namespace, name) <= (%s, %s)", [*values, *end]
        return sql, values

    def likely(self) -> tuple[str, list[str]]:
        """Return a further condition on rows, which the database checks so that fewer of them are handed over."""
        found = f"{FINDS[connection.vendor]}(document, %s) > 0"
        groups = (f" AND ({' OR '.join([found] * len(group))})" for group in self.traces)
        return "".join(groups), [text for group in self.traces for text in group]
