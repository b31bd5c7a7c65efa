"""The server as its users run it: one command, one line, one tree of processes."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.processes import ProcessInfo, descendants, free_port, wait_until
from tests.server import ROOT, Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with Server() as server:
        yield server


def family(server: Server) -> list[ProcessInfo]:
    return descendants(server.family()[0])


def role(server: Server, name: str) -> list[ProcessInfo]:
    """Return the process of a role and those below it, or nothing while it does not run."""
    supervisor = server.family()[0]
    ending = {"web": "manage.py web", "worker": "manage.py worker", "clock": "registry_meta.clock"}[name]
    tops = [info for info in family(server) if info.parent == supervisor and info.command.endswith(ending)]
    return [process for top in tops for process in (top, *descendants(top.pid))]


def is_up(server: Server) -> bool:
    try:
        return requests.get(f"{server.url}/readyz", verify=str(server.ca), timeout=5).status_code == 200
    except requests.RequestException:
        return False


def connect(server: Server, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    return context.wrap_socket(raw, server_hostname="localhost")


def serve(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "serve", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_META_", "DJANGO_"))}
    return subprocess.run(
        command, cwd=ROOT, env={**kept, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


def memory(pid: int) -> int:
    """Return the bytes of memory that a process takes; of what it shares with others, its part."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def test_one_line_says_that_it_is_ready(served: Server) -> None:
    lines = [line for line in served.log.splitlines() if "Registry Meta is ready" in line]

    assert lines == [f"Registry Meta is ready at {served.url} (export KUBECONFIG={served.kubeconfig})"]


def test_the_credentials_are_for_their_owner_only(served: Server) -> None:
    private = [*served.data_dir.glob("admin.*"), *served.data_dir.glob("**/*.key")]

    assert {path.name for path in private} == {
        "admin.kubeconfig",
        "admin.token",
        "ca.key",
        "encryption.key",
        "secret.key",
        "server.key",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE(served.data_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_protocols_are_spoken_over_tls(served: Server, protocol: str, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(served.ca))
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols([protocol])

    with connect(served, context) as connection:
        assert connection.selected_alpn_protocol() == protocol


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_versions_of_tls_are_refused(served: Server) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(served.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(ssl.SSLError):
        connect(served, context)


def test_all_processes_together_are_small(served: Server) -> None:
    assert sum(memory(pid) for pid in served.family()) < 300_000_000


def test_many_connections_may_be_open(served: Server) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = {resource.prlimit(info.pid, resource.RLIMIT_NOFILE)[0] for info in role(served, "web")}

    assert limits == {65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)} or min(limits) > 65_536


def test_a_second_server_on_the_same_data_is_refused(served: Server) -> None:
    done = serve("--data-dir", str(served.data_dir), "--port", str(free_port()))

    assert done.returncode == 1
    assert done.stderr == f"CommandError: another server runs on {served.data_dir}\n"


def test_a_port_that_is_taken_is_refused(served: Server, tmp_path: Path) -> None:
    done = serve("--data-dir", str(tmp_path), "--port", str(served.port))

    assert done.returncode == 1
    assert done.stderr == f"CommandError: cannot listen on 127.0.0.1 port {served.port}: Address already in use\n"


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    url = f"postgres://meta:hidden@127.0.0.1:{free_port()}/meta"

    done = serve("--data-dir", str(tmp_path), "--port", str(free_port()), DATABASE_URL=url)

    assert done.returncode == 1
    assert "CommandError: the database cannot be reached: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_a_misspelt_setting_is_warned_of(served: Server) -> None:
    done = serve("--data-dir", str(served.data_dir), REGISTRY_META_PROT="1")

    assert done.stderr.startswith("warning: REGISTRY_META_PROT: there is no such setting\n")


@pytest.mark.parametrize("name", ["web", "worker", "clock"])
def test_a_process_that_dies_is_started_again(served: Server, name: str) -> None:
    before = role(served, name)
    assert len(before) == (3 if name == "web" else 1)

    os.kill(before[0].pid, signal.SIGKILL)

    wait_until(lambda: not any(info.is_alive() for info in before), seconds=5, what="its processes ended")
    wait_until(lambda: len(role(served, name)) == len(before), seconds=20, what="its processes run again")
    wait_until(lambda: is_up(served), seconds=20, what="the server answers again")


def test_a_new_certificate_is_taken_up(served: Server) -> None:
    before = ssl.get_server_certificate(("127.0.0.1", served.port))
    (served.data_dir / "tls" / "server.crt").unlink()
    environ = {**os.environ, "REGISTRY_META_DATA_DIR": str(served.data_dir)}
    subprocess.run([sys.executable, "-m", "registry_meta.certificates"], cwd=ROOT, env=environ, check=True)

    os.kill(served.family()[0], signal.SIGHUP)

    def is_new() -> bool:
        try:
            return all(ssl.get_server_certificate(("127.0.0.1", served.port)) != before for _ in range(8))
        except OSError:
            # A process that makes room for one with the new certificate cuts what it has just taken on.
            return False

    wait_until(is_new, seconds=20, what="every web process has the new certificate")
    assert is_up(served)


def test_open_watches_do_not_hold_up_the_end() -> None:
    with Server() as server:
        watch = server.client().get(f"{server.url}/api/v1/namespaces?watch=true", stream=True, timeout=30)
        assert watch.status_code == 200

        started = time.monotonic()
        code = server.stop()

        assert code == 0
        assert time.monotonic() - started < 6
        watch.close()


def test_nothing_is_left_when_the_supervisor_is_killed() -> None:
    with Server() as server:
        processes = family(server)
        assert len(processes) >= 4

        os.kill(server.family()[0], signal.SIGKILL)

        wait_until(lambda: not any(info.is_alive() for info in processes), seconds=5, what="every process ended")


def test_the_second_start_is_quick_and_keeps_everything() -> None:
    with Server() as server:
        kept = [(path, path.read_text()) for path in (server.kubeconfig, server.ca, server.data_dir / "secret.key")]
        server.stop()

        started = time.monotonic()
        server.start()

        assert time.monotonic() - started < 5
        assert [(path, path.read_text()) for path, _ in kept] == kept
