"""Workers that are killed; `test_workers.py`, the last file of this directory, sees how it went on."""

from __future__ import annotations

from tests.processes import wait_until
from tests.served.accidents import Accident
from tests.server import Server


def test_a_worker_that_was_killed_is_started_again(served: Server, kind: str, accidents: dict[str, Accident]) -> None:
    wait_until(lambda: bool(served.pids()["worker"]), seconds=20, what="there is a worker again")

    assert served.pids()["worker"][0] != accidents[kind].worker
    assert "worker ended with signal 9; starting it again" in served.log
