"""The supervisor starts again what dies, gives up on what keeps dying, and ends all together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from registry_meta import supervisor
from registry_meta.environment import Environment
from registry_meta.supervisor import Child
from tests.processes import ProcessInfo, descendants, free_port, wait_until
from tests.server import ROOT

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
RUN = """
import sys
from registry_meta import supervisor
from registry_meta.environment import Environment

children = [supervisor.Child(str(number), (sys.executable, "-c", code)) for number, code in enumerate(sys.argv[2:])]
sys.exit(supervisor.Supervisor(Environment(port=int(sys.argv[1])), children, ready_line="ready").run())
"""


class Running:
    """A supervisor of small programs, in a process of its own; `with` ends it."""

    def __init__(self, *programs: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(free_port()), *programs],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.commands = sorted(f"{sys.executable} -c {program}" for program in programs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def children(self) -> list[ProcessInfo]:
        """Return the programs once all of them run."""
        found: list[ProcessInfo] = []

        def all_run() -> bool:
            # What the supervisor starts besides, and what it is about to start, have other command lines.
            found[:] = [info for info in descendants(self.process.pid) if info.command in self.commands]
            return sorted(info.command for info in found if info.state != "Z") == self.commands

        wait_until(all_run, seconds=20, what="all programs run")
        return found

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal and return the exit code and what was written."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_them(number: int) -> None:
    with Running(SLEEP, SLEEP) as running:
        children = running.children()

        code, output = running.end(number)

    assert code == 0
    assert output == ""
    assert not any(child.is_alive() for child in children)


def test_one_that_does_not_listen_is_killed() -> None:
    with Running(DEAF) as running:
        (child,) = running.children()
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == "deaf\n"

        started = time.monotonic()
        code, _ = running.end(signal.SIGTERM)

    assert code == 0
    assert time.monotonic() - started < supervisor.GRACE + 3
    assert not child.is_alive()


def test_none_is_left_when_the_supervisor_is_killed() -> None:
    with Running(SLEEP, DEAF) as running:
        children = running.children()

        running.end(signal.SIGKILL)

    wait_until(lambda: not any(child.is_alive() for child in children), seconds=5, what="the programs ended")


def test_one_that_dies_is_started_again() -> None:
    with Running(SLEEP) as running:
        (first,) = running.children()

        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: not first.is_alive(), seconds=5, what="the program ended")
        (second,) = running.children()
        code, output = running.end(signal.SIGTERM)

    assert second.pid != first.pid
    assert code == 0
    assert output == "0 ended with signal 9; starting it again\n"


@pytest.mark.slow
def test_one_that_keeps_dying_ends_the_server() -> None:
    with Running("raise SystemExit(3)", SLEEP) as running:
        output, _ = running.process.communicate(timeout=40)

    assert running.process.returncode == 1
    assert output.splitlines()[-1] == "error: 0 ended 5 times within 60 seconds, the last time with code 3; giving up"


def test_each_death_in_a_row_delays_the_next_start() -> None:
    child = Child("web", ("true",))

    delays = []
    for second in range(3):
        child.schedule(float(second))
        delays.append(child.start_at - second)
    child.schedule(supervisor.WINDOW + 10)

    assert delays == [0.5, 1.0, 2.0]
    assert len(child.deaths) == 1
    assert not child.keeps_dying()


def test_the_programs_of_a_server_exist() -> None:
    roles = {child.role: child.command for child in supervisor.children(Environment())}

    assert set(roles) == {"web", "worker", "clock"}
    assert all(Path(command[0]).exists() for command in roles.values())
    assert Path(roles["web"][1]) == ROOT / "manage.py"
