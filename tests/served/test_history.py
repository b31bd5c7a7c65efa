"""The session of docs/history.md, command by command, as it stands there: history, rollback, hold and users."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs.pages import DOCS
from tests.docs.sessions import Session, section, steps
from tests.processes import wait_until
from tests.registries import Distribution
from tests.requirements import needs
from tests.served.api import Api
from tests.server import Server

pytestmark = needs("kubectl")

PATIENCE = 30.0
REPOSITORY = "quay.io/acme/app"
NAMESPACE = "shop"


class Shell:
    """A shell in which the commands of a session are run one by one, and which keeps its variables."""

    def __init__(self, server: Server, home: Path) -> None:
        self._environ = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(server.kubeconfig)}
        self._home = home
        self._before: list[str] = []

    def run(self, command: str) -> str:
        """Run a command and return what it printed, complaints among it."""
        if command.partition("=")[0].isupper():
            self._before.append(command)
            return ""
        done = subprocess.run(
            ["bash", "-c", "\n".join([*self._before, command])],
            env=self._environ, cwd=self._home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        return done.stdout


def test_the_session_of_the_page_is_what_a_shell_shows(
    served: Server, kind: str, registry: Distribution, tmp_path: Path
) -> None:
    api = Api(served, NAMESPACE)
    repository = f"{kind}/session"

    def push(seed: str) -> str:
        return registry.push(repository, "latest", seed=f"session {kind} {seed}")

    def arrive(seed: str) -> None:
        moved = push(seed)
        wait_until(lambda: moved in api.history("app", "latest")[:1], seconds=PATIENCE, what=f"{seed} arrives")

    def is_noted() -> bool:
        [tag] = api.get(api.place("imagestreams/app"))["status"]["tags"]
        return bool(tag.get("conditions"))

    def stay() -> None:
        push("three")
        wait_until(is_noted, seconds=PATIENCE, what="the newer image is noted")

    before: Mapping[str, Callable[[], None]] = {
        'kubectl get --raw "$APP/history?tag=latest&pretty=true"': lambda: arrive("two"),
        "kubectl -n shop get is app -o jsonpath='{.status.tags[0].conditions[0].message}'": stay,
        'kubectl get --raw "$APP/history?limit=1&pretty=true"': lambda: arrive("three"),
    }
    push("one")
    api.stream("app", {"latest": registry.pullspec(repository, tag="latest")}, scheduled=True)
    wait_until(lambda: api.history("app", "latest") != [], seconds=PATIENCE, what="the first image arrives")
    shell, session = Shell(served, tmp_path), Session({REPOSITORY: registry.pullspec(repository)})
    done = set()

    for step in steps(section((DOCS / "history.md").read_text(), "A session")):
        before.get(step.command, lambda: None)()
        printed = shell.run(session.command(step))
        assert session.matches(step, printed), f"$ {step.command}\n{printed}\n--- the page shows\n{step.output}"
        done.add(step.command)

    assert set(before) <= done
