"""The registries that the scenarios import from, at the addresses that the recorded answers name."""

import contextlib
import fcntl
import pathlib
import shutil
import sys
import tempfile

from tests.conformance import registry_content
from tests.processes import ProcessError, Program, answers

OPEN, CLOSED = 15000, 15001
ODD = (15002, 15003, 15004)
ROBOT = ("robot", "secret123")
PASSWORDS = "robot:$2y$05$conformance.registry.uDLKuU27KbrozodLbiju7lS5XvBmfa8S\n"
LOCK = pathlib.Path(tempfile.gettempdir()) / "registry-meta-conformance.lock"
ROOT = pathlib.Path(__file__).resolve().parents[2]

CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/content}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""
AUTHENTICATION = "auth: {{htpasswd: {{realm: conformance, path: {folder}/passwords}}}}\n"


@contextlib.contextmanager
def peers():
    """Run the registries, filled, for as long as the context lasts; one run at a time on a machine."""
    with LOCK.open("w") as lock, contextlib.ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-")))
        check_free((OPEN, CLOSED, *ODD))
        odd = Program([sys.executable, "-m", "tests.conformance.odd_registry"], log=folder / "odd.log", cwd=ROOT)
        stack.callback(odd.stop)
        run_distribution(stack, folder / "open", OPEN)
        registry_content.fill_open(registry_content.Registry(f"http://127.0.0.1:{OPEN}"))
        # What both hold is pushed once.
        shutil.copytree(folder / "open" / "content", folder / "closed" / "content")
        run_distribution(stack, folder / "closed", CLOSED, closed=True)
        registry_content.fill_closed(registry_content.Registry(f"http://127.0.0.1:{CLOSED}", ":".join(ROBOT)))
        odd.wait_ready(lambda: answers(ODD[-1]))
        yield


def check_free(ports):
    """Raise ProcessError when a stranger has one of the ports."""
    taken = [port for port in ports if answers(port)]
    if taken:
        raise ProcessError(f"the scenarios need 127.0.0.1, port {', '.join(map(str, taken))}: in use")


def run_distribution(stack, folder, port, *, closed=False):
    """Run CNCF Distribution until the end of a stack of contexts, and return once it answers."""
    program = distribution(folder, port, closed=closed)
    stack.callback(program.stop)
    program.wait_ready(lambda: answers(port))


def distribution(folder, port, *, closed):
    """Start CNCF Distribution on a port, with or without a password."""
    folder.mkdir(exist_ok=True)
    (folder / "passwords").write_text(PASSWORDS)
    text = CONFIGURATION + (AUTHENTICATION if closed else "")
    (folder / "config.yml").write_text(text.format(folder=folder, port=port))
    return Program(["docker-registry", "serve", folder / "config.yml"], log=folder / "log")
