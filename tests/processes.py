"""Programs that tests run beside themselves: started on free ports, watched, and ended without leftovers."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 15.0

FIRST_PAUSE = 0.05
LAST_PAUSE = 0.25
PART = 0.05
"""How soon a condition is looked at again (seconds), and the part of a wait that the looks may be apart."""

_libc = ctypes.CDLL(None, use_errno=True)


class ProcessError(RuntimeError):
    """A program did not start, or did not end; the message ends with what it last wrote."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether something accepts connections on a port."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Return once `condition` holds; raises ProcessError that names `what` after so many seconds."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited > seconds:
            raise ProcessError(f"{what}: not within {seconds:.0f} seconds")
        # Most conditions are requests: who waits long asks less often, and leaves the machine to what is waited for.
        time.sleep(min(FIRST_PAUSE + waited * PART, LAST_PAUSE))


def die_with_tests() -> None:
    """Have the kernel end this process, just forked, when the process that runs the tests ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Program:
    """A running program whose output goes to a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environ: Mapping[str, str] | None = None,
        user: int | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
                user=user,
                group=user,
                extra_groups=[] if user is not None else None,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=die_with_tests,
            )

    def wait_ready(self, condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
        """Return once `condition` holds; raises ProcessError when the program ends before, or takes longer."""

        def ready_or_over() -> bool:
            if self.process.poll() is not None:
                raise ProcessError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            return condition()

        try:
            wait_until(ready_or_over, seconds=seconds, what=f"{self.name} is ready")
        except ProcessError as error:
            raise ProcessError(f"{error}\n{self.tail()}") from error

    def tail(self, lines: int = 30) -> str:
        """Return the last lines that the program wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, number: int = signal.SIGTERM, *, seconds: float = STOP_SECONDS) -> int:
        """End the program and return its exit code; raises ProcessError when it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise ProcessError(f"{self.name} did not end within {seconds:.0f} seconds:\n{self.tail()}") from error


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process of this machine; `started` (clock ticks since boot) tells it from a later one with its number."""

    pid: int
    parent: int
    started: int
    state: str
    command: str

    def is_alive(self) -> bool:
        """Return whether the very same process still runs."""
        now = process_info(self.pid)
        return now is not None and now.started == self.started and now.state not in "ZX"


def process_info(pid: int) -> ProcessInfo | None:
    """Return what the kernel says of a process, or None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return ProcessInfo(pid, int(fields[1]), int(fields[19]), fields[0], command)


def descendants(pid: int) -> list[ProcessInfo]:
    """Return the processes below one, parents before their children."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    known = [info for info in map(process_info, numbers) if info is not None]
    found: list[ProcessInfo] = []
    parents = [pid]
    for parent in parents:
        children = [info for info in known if info.parent == parent]
        found += children
        parents += [child.pid for child in children]
    return found
