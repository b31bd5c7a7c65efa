"""Sealed documents under the newest key: bringing them there, and finding those that cannot be read.

What is stored stays the same object at the same version, so nothing of this is a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from registry_meta.kube import changes, sealing, store
from registry_meta.kube.catalog import catalog
from registry_meta.kube.meta import ObjectMeta, timestamp
from registry_meta.kube.models import Change, Counter
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.sealing import MARK, NAME_LENGTH, NAME_START, Unreadable

BATCH = 50

OBJECTS = (
    "SELECT id, namespace, name, document, NULL FROM kube_object"
    " WHERE resource = %s AND id > %s AND document NOT LIKE %s ORDER BY id LIMIT %s"
)
CHANGES = (
    "SELECT version, namespace, name, document, previous FROM kube_change WHERE resource = %s AND version > %s"
    " AND (document NOT LIKE %s OR previous NOT LIKE %s) ORDER BY version LIMIT %s"
)
# An object that was written since it was read here is left alone.
RESEAL_OBJECT = "UPDATE kube_object SET document = %s WHERE id = %s AND document = %s"
RESEAL_CHANGE = "UPDATE kube_change SET document = %s, previous = %s WHERE version = %s"
KEY_NAMES = (
    f"SELECT substr(document, {NAME_START + 1}, {NAME_LENGTH}), count(*)"  # noqa: S608  # numbers of our own
    " FROM {table} WHERE resource = %s AND document LIKE %s GROUP BY 1"
)
COLUMN = "SELECT {name}, {text} FROM {table} WHERE {text} NOT LIKE %s ORDER BY {name}"
RESEAL_COLUMN = "UPDATE {table} SET {text} = %s WHERE {name} = %s AND {text} = %s"
DROP_FROM_COLUMN = "DELETE FROM {table} WHERE {name} = %s"
COLUMN_KEY_NAMES = (
    f"SELECT substr({{text}}, {NAME_START + 1}, {NAME_LENGTH}), count(*)"  # noqa: S608  # numbers of our own
    " FROM {table} WHERE {text} LIKE %s GROUP BY 1"
)
STORED = "SELECT uid, version FROM kube_object WHERE resource = %s AND namespace = %s AND name = %s"
EMPTY = "UPDATE kube_object SET document = %s WHERE resource = %s AND namespace = %s AND name = %s"

Row = tuple[int, str, str, str, str | None]  # id or version, namespace, name, document, previous


@dataclass(frozen=True, slots=True)
class Column:
    """A column of sealed texts in a table that is none of objects; `name` is the column of their names."""

    table: str
    name: str
    text: str
    what: str

    def sql(self, statement: str) -> str:
        """Return a statement about this column."""
        return statement.format(table=self.table, name=self.name, text=self.text)


COLUMNS: list[Column] = []
"""What else is sealed, filled by the applications as they start: few rows in each table."""


@dataclass
class Outcome:
    """What was brought under the newest key, and what cannot be read: objects by place, changes by version."""

    objects: int = 0
    changes: int = 0
    texts: int = 0
    unreadable: list[tuple[Resource, str, str]] = field(default_factory=list)
    unreadable_changes: list[int] = field(default_factory=list)
    unreadable_texts: list[tuple[Column, str]] = field(default_factory=list)

    @property
    def lacks_a_key(self) -> bool:
        """Whether anything could not be read."""
        return bool(self.unreadable or self.unreadable_changes or self.unreadable_texts)


def sealed_kinds() -> list[Resource]:
    """Return the kinds of the catalog whose documents are sealed."""
    return [resource for resource in catalog if resource.sealed]


def missing_keys() -> dict[str, int]:
    """Return the names of keys that are not set, and how many stored documents need each."""
    known = sealing.keys().by_name
    missing: dict[str, int] = {}
    for name, count in _needed_keys():
        if name not in known:
            missing[name] = missing.get(name, 0) + count
    return missing


def _needed_keys() -> Iterator[tuple[str, int]]:
    """Yield the names of keys and how many texts need each."""
    asked: list[tuple[str, list[str]]] = [
        (KEY_NAMES.format(table=table), [resource.key, f"{MARK}%"])
        for resource in sealed_kinds()
        for table in ("kube_object", "kube_change")
    ]
    asked += [(column.sql(COLUMN_KEY_NAMES), [f"{MARK}%"]) for column in COLUMNS]
    for statement, parameters in asked:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            yield from cursor.fetchall()


def reseal(*, batch: int = BATCH) -> Outcome:
    """Bring every sealed document under the newest key, in transactions of `batch` rows; what is done is passed over.

    A run that ended early is continued by the next one. The server may run meanwhile.
    """
    outcome = Outcome()
    for resource in sealed_kinds():
        for rows in _stale(OBJECTS, resource, marks=1, batch=batch):
            with transaction.atomic():
                outcome.objects += sum(_reseal_object(resource, row, outcome) for row in rows)
        for rows in _stale(CHANGES, resource, marks=2, batch=batch):
            with transaction.atomic():
                outcome.changes += sum(_reseal_change(resource, row, outcome) for row in rows)
    for column in COLUMNS:
        with transaction.atomic():
            outcome.texts += _reseal_column(column, outcome)
    return outcome


def _reseal_column(column: Column, outcome: Outcome) -> int:
    with connection.cursor() as cursor:
        cursor.execute(column.sql(COLUMN), [f"{sealing.newest_mark()}%"])
        rows = cursor.fetchall()
        count = 0
        for name, text in rows:
            try:
                clear = sealing.unseal(text, key=column.what, namespace="", name=name)
            except Unreadable:
                outcome.unreadable_texts.append((column, name))
                continue
            cursor.execute(column.sql(RESEAL_COLUMN), [sealing.seal_text(clear), name, text])
            count += cursor.rowcount
    return count


def _stale(sql: str, resource: Resource, *, marks: int, batch: int) -> Iterator[list[Row]]:
    """Yield the rows that are not sealed with the newest key, in batches, each once."""
    pattern, last = f"{sealing.newest_mark()}%", 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, [resource.key, last, *[pattern] * marks, batch])
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _reseal_object(resource: Resource, row: Row, outcome: Outcome) -> int:
    number, namespace, name, text, _ = row
    try:
        document = _opener(resource, row)(text)
    except Unreadable:
        outcome.unreadable.append((resource, namespace, name))
        return 0
    with connection.cursor() as cursor:
        cursor.execute(RESEAL_OBJECT, [sealing.seal(resource, document), number, text])
        return int(cursor.rowcount)


def _reseal_change(resource: Resource, row: Row, outcome: Outcome) -> int:
    version, _, _, text, before = row
    opened = _opener(resource, row)
    try:
        document, previous = opened(text), None if before is None else opened(before)
    except Unreadable:
        outcome.unreadable_changes.append(version)
        return 0
    sealed = None if previous is None else sealing.seal(resource, previous)
    with connection.cursor() as cursor:
        cursor.execute(RESEAL_CHANGE, [sealing.seal(resource, document), sealed, version])
        return int(cursor.rowcount)


def _opener(resource: Resource, row: Row) -> Callable[[str], str]:
    def opened(text: str) -> str:
        return sealing.unseal(text, key=resource.key, namespace=row[1], name=row[2])

    return opened


def drop_unreadable(outcome: Outcome, *, now: datetime) -> None:
    """Delete what a run found that cannot be read, for nothing will bring it back.

    Changes are then missing from the log, so watches must begin anew.
    """
    for resource, namespace, name in outcome.unreadable:
        with transaction.atomic():
            _drop(resource, namespace, name, now=now)
    with transaction.atomic(), connection.cursor() as cursor:
        for column, name in outcome.unreadable_texts:
            cursor.execute(column.sql(DROP_FROM_COLUMN), [name])
    with transaction.atomic():
        # The mark moves first: a reader that finds rows missing must find out why.
        Counter.objects.update_or_create(name="compacted", defaults={"value": changes.newest()})
        versions = outcome.unreadable_changes
        for start in range(0, len(versions), BATCH):
            Change.objects.filter(version__in=versions[start : start + BATCH]).delete()


def _drop(resource: Resource, namespace: str, name: str, *, now: datetime) -> None:
    """Put an empty object in the place of one that cannot be read, and delete that as any other."""
    with connection.cursor() as cursor:
        cursor.execute(STORED, [resource.key, namespace, name])
        row = cursor.fetchone()
        if row is None:
            return
        meta = ObjectMeta(
            name=name, namespace=namespace, uid=row[0], resource_version=str(row[1]), creation_timestamp=timestamp(now)
        )
        empty = sealing.seal(resource, store.encode(resource.type(metadata=meta)))
        cursor.execute(EMPTY, [empty, resource.key, namespace, name])
    context = Context(SYSTEM, resource, now, namespace=namespace, reason="it cannot be decrypted")
    store.delete(resource, name, context=context, strategy=resource.storage.strategy)
