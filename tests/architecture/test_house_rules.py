"""The rules that keep the house simple: one door for writes, no hidden calls, no drawers for odds and ends."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from tests.architecture.sources import PACKAGES, ROOT, Source, sources

MOST_LINES = 400
MOST_LINES_OF_THE_WHOLE = 150
LONGER: dict[str, str] = {}
"""Files that are longer, and why."""

DRAWERS = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
SIGNALS = ("django.dispatch", "django.db.models.signals", "django.core.signals", "django.db.backends.signals")
BY_NAME = frozenset({"import_string", "import_module", "__import__", "send_task", "import_by_path"})
WRITES = frozenset({"create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete"})
STORE = "registry_meta.kube.store"
LOG = "registry_meta.kube.changes"
RESEALING = "registry_meta.kube.resealing"
"""Writes what is stored once more, under another key, and so changes nothing."""

EVERYTHING = sources(*PACKAGES, "tests")


def statement(verbs: str, table: str) -> re.Pattern[str]:
    """Return what finds SQL that changes a table."""
    return re.compile(rf"\b({verbs})\s+\"?{table}\b", re.IGNORECASE)


def offences(check: Callable[[Source], Iterable[object]], among: Iterable[Source]) -> list[str]:
    """Return what a check finds in files, each with the name of its file."""
    return [f"{source}: {found}" for source in among for found in check(source)]


def test_no_module_is_a_drawer() -> None:
    assert not offences(lambda source: DRAWERS & set(source.name.split(".")), EVERYTHING)


def test_a_file_is_read_in_one_sitting() -> None:
    long = {source.name: len(source.text.splitlines()) for source in EVERYTHING}

    assert {name: lines for name, lines in long.items() if lines > MOST_LINES and name not in LONGER} == {}
    assert [name for name in LONGER if long.get(name, 0) <= MOST_LINES] == []


def test_the_house_is_described_in_few_pages() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= MOST_LINES_OF_THE_WHOLE


def test_imports_stand_at_the_top() -> None:
    def inside(source: Source) -> Iterator[int]:
        for function in ast.walk(source.tree):
            # Django imports an application's configuration before its models may be imported.
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name != "ready":
                lines = {node.lineno for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)}
                yield from lines

    assert not offences(inside, EVERYTHING)


def test_nothing_happens_by_signal() -> None:
    assert not offences(lambda source: {name for module in SIGNALS for name in source.imports_below(module)}, sources())


def test_nothing_is_called_by_its_dotted_name() -> None:
    assert not offences(lambda source: {c for c in source.calls() if c.rpartition(".")[2] in BY_NAME}, sources())


def test_only_the_store_writes_objects() -> None:
    pattern = statement("INSERT INTO|UPDATE|DELETE FROM|REPLACE INTO|TRUNCATE", "kube_object")

    def writes(source: Source) -> Iterator[str]:
        yield from (text for text in source.strings() if pattern.search(text))
        for call in source.calls():
            if call.startswith(("Object.objects", "models.Object.objects")) and call.rpartition(".")[2] in WRITES:
                yield call

    assert not offences(writes, [source for source in sources() if source.name not in (STORE, RESEALING)])


def test_only_the_store_records_changes() -> None:
    pattern = statement("INSERT INTO|UPDATE|DELETE FROM", "kube_change")

    def records(source: Source) -> Iterator[str]:
        yield from (text for text in source.strings() if pattern.search(text))
        yield from source.imports & {f"{LOG}.append", f"{LOG}.take_version"}
        for call in source.calls():
            if call in ("changes.append", "changes.take_version"):
                yield call
            if call.startswith(("Change.", "models.Change.")) and call.rpartition(".")[2] in WRITES:
                yield call

    assert not offences(records, [source for source in sources() if source.name not in (STORE, LOG, RESEALING)])
