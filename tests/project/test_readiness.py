"""Whether those who look after the processes are told the truth."""

from __future__ import annotations

import os
import time
from pathlib import Path

from registry_meta import environment, readiness
from registry_meta.environment import SIGN_OF_LIFE
from tests.processes import wait_until
from tests.server import Server


def at(data_dir: Path) -> environment.Environment:
    return environment.read({"REGISTRY_META_DATA_DIR": str(data_dir)})


def test_no_sign_of_life_is_no_life(tmp_path: Path) -> None:
    assert not readiness.does_tasks(at(tmp_path), now=time.time())


def test_an_old_sign_of_life_is_no_life(tmp_path: Path) -> None:
    sign = tmp_path / SIGN_OF_LIFE
    sign.touch()
    now = time.time()
    os.utime(sign, (now - 61, now - 61))

    assert not readiness.does_tasks(at(tmp_path), now=now)


def test_a_server_at_work_shows_life(sqlite_server: Server) -> None:
    data_dir = at(sqlite_server.data_dir)

    wait_until(lambda: readiness.does_tasks(data_dir, now=time.time()), seconds=30, what="clock and worker are at work")
