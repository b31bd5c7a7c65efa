"""The parent of the web and worker processes: starts, restarts and ends them; light, without Django.

    starting ──/readyz answers──▶ ready ──SIGTERM, SIGINT──▶ stopping ──▶ exit 0
        └───────────── a child keeps dying ──────────────────▶ stopping ──▶ exit 1

Children die with this process, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from registry_meta import environment as environments
from registry_meta.environment import Environment, SettingError
from registry_meta.lifeline import die_with_parent

MANAGE: Final = Path(__file__).resolve().parent.parent / "manage.py"
COMMANDS: Final = {
    "web": (sys.executable, str(MANAGE), "web"),
    "worker": (sys.executable, str(MANAGE), "worker"),
    "clock": (sys.executable, "-m", "registry_meta.clock"),
}
FRONT_PROXY: Final = {"frontproxy": (sys.executable, str(MANAGE), "frontproxy")}

WAIT: Final = (sys.executable, "-m", "registry_meta.readiness", "--wait")
RENEW: Final = (sys.executable, "-m", "registry_meta.certificates")

WEB: Final = frozenset({"web", "frontproxy"})
TICK: Final = 0.1  # seconds between two looks at the children
GRACE: Final = 5.0  # seconds that children have to end by themselves
MARGIN: Final = 2.0  # seconds that web processes have beyond those that they give to requests
FIRST_DELAY: Final = 0.5  # seconds before a child that died is started again, doubled with each death in a row
LAST_DELAY: Final = 10.0
MOST_DEATHS: Final = 5  # within WINDOW; then the server gives up
WINDOW: Final = 60.0
CERTIFICATE_LOOK: Final = 60.0  # seconds between two looks whether the certificate's file changed
OPEN_FILES: Final = 65_536
RENEWAL: Final = 86_400.0  # seconds between two runs of the renewal


@dataclass(slots=True)
class Child:
    """One process that is kept running, and when it died lately (monotonic seconds)."""

    role: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=deque)
    start_at: float = 0.0
    outcome: str = ""

    def start(self) -> None:
        """Start the process."""
        self.process = spawn(self.command)

    def has_ended(self) -> bool:
        """Return whether the process was started and is gone."""
        return self.process is not None and self.process.poll() is not None

    def schedule(self, now: float) -> None:
        """Note a death and decide when to start again."""
        if self.process is not None:
            self.outcome = _outcome(self.process.returncode)
        self.process = None
        self.deaths.append(now)
        while self.deaths[0] < now - WINDOW:
            self.deaths.popleft()
        self.start_at = now + min(FIRST_DELAY * 2 ** (len(self.deaths) - 1), LAST_DELAY)

    def keeps_dying(self) -> bool:
        """Return whether starting it again makes no sense."""
        return len(self.deaths) >= MOST_DEATHS

    def signal(self, number: int) -> None:
        """Send a signal to the process, which passes it on to its own children."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End the process and everything in its session group at once."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Keeps children running until a signal comes or one of them cannot be kept.

    What needs a library, such as TLS, is an errand: a short-lived process that is sent off and looked after.
    """

    def __init__(self, environment: Environment, children: Sequence[Child], *, ready_line: str) -> None:
        self.environment = environment
        self.children = children
        self.ready_line = ready_line
        self._stopping = False
        self._reloading = False
        self._ready = False
        self._wait: subprocess.Popen[bytes] | None = None
        self._certificate = _certificate(environment)
        self._certificate_time = _changed(self._certificate)
        self._next_look = 0.0
        self._next_renewal = time.monotonic() + RENEWAL
        self._renewal: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Run until the end and return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        try:
            while not self._stopping:
                failed = self._tend(time.monotonic())
                if failed is not None:
                    _say(
                        f"error: {failed.role} ended {MOST_DEATHS} times within {WINDOW:.0f} seconds, "
                        f"the last time with {failed.outcome}; giving up"
                    )
                    return 1
                self._announce()
                self._mind_certificate(time.monotonic())
                time.sleep(TICK)
            return 0
        finally:
            self._end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self._reloading = True

    def _tend(self, now: float) -> Child | None:
        """Start what should run; return a child that keeps dying, if any."""
        for child in self.children:
            if child.has_ended():
                child.schedule(now)
                if child.keeps_dying():
                    return child
                _say(f"{child.role} ended with {child.outcome}; starting it again")
            if child.process is None and child.start_at <= now:
                child.start()
        return None

    def _announce(self) -> None:
        """Print the line once, when the web processes answer."""
        if self._ready:
            return
        if self._wait is None:
            self._wait = spawn(WAIT)
        elif self._wait.poll() is not None:
            self._ready = self._wait.returncode == 0
            self._wait = None
            if self._ready:
                print(self.ready_line, flush=True)  # noqa: T201  # the one line that is promised

    def _mind_certificate(self, now: float) -> None:
        """Have the web processes read a certificate that changed, and renew the one made here in time."""
        if self._renewal is not None and self._renewal.poll() is not None:
            self._renewal = None
        if now >= self._next_renewal and self.environment.tls_cert is None:
            self._next_renewal = now + RENEWAL
            self._renewal = spawn(RENEW)
        if now >= self._next_look:
            self._next_look = now + CERTIFICATE_LOOK
            changed = _changed(self._certificate)
            self._reloading = self._reloading or changed != self._certificate_time
            self._certificate_time = changed
        if self._reloading and self._ready:
            self._reloading = False
            for child in self.children:
                if child.role in WEB:
                    child.signal(signal.SIGHUP)

    def _end(self) -> None:
        """Ask every child to end, wait, and kill what is left."""
        for errand in (self._wait, self._renewal):
            if errand is not None:
                errand.kill()
                errand.wait()
        began = time.monotonic()
        for child in self.children:
            child.signal(signal.SIGTERM)
        while any(self._is_waited_for(child, time.monotonic() - began) for child in self.children):
            time.sleep(TICK / 2)
        for child in self.children:
            child.kill()

    def _is_waited_for(self, child: Child, seconds: float) -> bool:
        """Return whether a child that was told to end so long ago may still take its time."""
        if child.process is None or child.has_ended():
            return False
        environment = self.environment
        grace = environment.shutdown_delay + environment.shutdown_grace + MARGIN if child.role in WEB else GRACE
        return seconds < grace


# With thousands of threads, the many arenas of glibc's allocator hold memory that nobody uses; and unless the limit for
# blocks of their own is fixed, it grows with the longest answer, and what answers took is not given back.
ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "8388608"}


def spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one, in a session of its own: a Ctrl-C reaches the supervisor alone."""
    return subprocess.Popen(  # noqa: S603  # the commands are ours
        command,
        cwd=MANAGE.parent,
        env={**ALLOCATOR, **os.environ},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=partial(die_with_parent, os.getpid()),  # safe: this process has one thread
    )


def children(environment: Environment) -> list[Child]:
    """Return the processes of a server, none started."""
    commands = {**COMMANDS, **(FRONT_PROXY if environment.requestheader_port else {})}
    return [Child(role, command) for role, command in commands.items()]


def command() -> tuple[str, ...]:
    """Return the command that runs this module."""
    return (sys.executable, "-m", __name__)


def raise_open_files() -> None:
    """Let the processes open as many files as the system allows: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _certificate(environment: Environment) -> Path:
    return environment.tls_cert or environment.data_dir / "tls" / "server.crt"


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _outcome(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"code {code}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  # this process has no logging


def main() -> int:
    """Run a server from the environment variables, prepared before, and return the exit code."""
    try:
        environment = environments.read()
    except SettingError as error:
        _say(f"error: {error}")
        return 2
    raise_open_files()
    line = f"Registry Meta is ready at {environment.server_url}"
    kubeconfig = environment.data_dir / "admin.kubeconfig"
    if kubeconfig.exists():
        line += f" (export KUBECONFIG={kubeconfig})"
    return Supervisor(environment, children(environment), ready_line=line).run()


if __name__ == "__main__":
    sys.exit(main())
