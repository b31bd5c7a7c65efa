"""Which files of counters are added up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry_meta import counters


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The directory of this host, beside that of another."""
    here, there = tmp_path / "metrics" / "here", tmp_path / "metrics" / "there"
    here.mkdir(parents=True)
    there.mkdir()
    return here


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def touch(directory: Path, kind: str, process: int) -> str:
    path = directory / f"{kind}_{process}.db"
    path.touch()
    return str(path)


def test_what_a_process_counted_outlives_it(directory: Path, gone: int) -> None:
    kept = [touch(directory, "counter", gone), touch(directory, "histogram", gone)]

    assert list(counters.files(directory)) == kept


def test_what_a_process_had_under_way_ends_with_it(directory: Path, gone: int) -> None:
    touch(directory, "gauge_livesum", gone)
    mine = touch(directory, "gauge_livesum", os.getpid())

    assert list(counters.files(directory)) == [mine]


def test_another_host_adds_what_it_counted_and_not_what_is_under_way(directory: Path) -> None:
    there = directory.parent / "there"
    touch(there, "gauge_livesum", os.getpid())
    counted = touch(there, "counter", os.getpid())

    assert list(counters.files(directory)) == [counted]


def test_a_process_begins_without_what_an_earlier_one_of_its_id_had_under_way(directory: Path, gone: int) -> None:
    touch(directory, "gauge_livesum", gone)
    touch(directory, "gauge_livesum", os.getpid())
    parent = touch(directory, "gauge_livesum", os.getppid())

    counters.begin(directory)

    assert [str(path) for path in directory.iterdir()] == [parent]


def test_a_server_begins_to_count_anew(directory: Path) -> None:
    touch(directory, "counter", 1)
    touch(directory.parent / "there", "counter", 1)

    counters.clear(directory)

    assert list(counters.files(directory)) == []
