"""Tags that follow a registry by rule: the session of docs/following.md, and a registry that loses what was elected."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import requests

from tests.docs.pages import DOCS
from tests.docs.sessions import Session, section, steps
from tests.processes import wait_until
from tests.registries import Distribution
from tests.requirements import needs
from tests.served.api import Api, Json
from tests.served.test_history import Shell
from tests.server import Server

pytestmark = needs("kubectl")

PATIENCE = 30.0
REPOSITORY = "quay.io/acme/app"
NAMESPACE = "following"
PUSHED = [("1.4.0", "1.4.1"), ("1.5.0", "2.0.0"), ("1.5.1",)]
"""What is there when the tag is asked about for the first time, for the second, and for the third."""


def test_the_session_of_the_page_is_what_a_shell_shows(
    served: Server, kind: str, registry: Distribution, tmp_path: Path
) -> None:
    api = Api(served, NAMESPACE)
    repository, asked = f"{kind}/following", 0
    names = {REPOSITORY: registry.pullspec(repository), "shop": NAMESPACE}
    shell, session = Shell(served, tmp_path), Session(names)
    push(registry, repository, *PUSHED[0])

    for step in steps(section((DOCS / "following.md").read_text(), "A session")):
        if step.output.startswith("Elected="):
            push(registry, repository, *(PUSHED[asked] if asked else ()))
            asked += 1
            text, is_shown = session.command(step), partial(session.matches, step)
            wait_until(lambda: is_shown(shell.run(text)), seconds=PATIENCE, what=step.output)  # noqa: B023  # at once
            continue
        printed = shell.run(session.command(step))
        assert session.matches(step, printed), f"$ {step.command}\n{printed}\n--- the page shows\n{step.output}"

    assert asked == len(PUSHED)
    assert len(api.history("app", "stable")) == 3


def test_what_a_registry_deletes_is_not_left_until_somebody_says_so(
    served: Server, kind: str, registry: Distribution
) -> None:
    api, repository = Api(served), f"{kind}/following-loss"
    lower, higher = push(registry, repository, "1.4.0", "1.5.0")
    rule = {"follow.registry-meta.io/semver": "1"}
    make(api, registry.pullspec(repository), rule)
    wait_until(lambda: api.history("app", "stable") == [higher], seconds=PATIENCE, what="the higher version arrives")

    gone = requests.delete(f"{registry.base}/v2/{repository}/manifests/{higher}", timeout=PATIENCE)
    assert gone.status_code == 202
    wait_until(lambda: reason(api) == "Gone", seconds=PATIENCE, what="the loss is told")
    assert api.history("app", "stable") == [higher]
    make(api, registry.pullspec(repository), {**rule, "follow.registry-meta.io/allow-lower": "1.5.0"})

    wait_until(lambda: api.history("app", "stable") == [lower, higher], seconds=PATIENCE, what="the lower is taken")


def push(registry: Distribution, repository: str, *names: str) -> list[str]:
    return [registry.push(repository, name, seed=f"{repository} {name}") for name in names]


def make(api: Api, source: str, rule: Json) -> None:
    """Write the stream `app` with a tag that follows."""
    policy = {"insecure": True, "scheduled": True}
    tag = {
        "name": "stable", "annotations": rule, "from": {"kind": "DockerImage", "name": source}, "importPolicy": policy,
    }  # fmt: skip
    if not [each for each in api.get(api.place("imagestreams"))["items"] if each["metadata"]["name"] == "app"]:
        api.post(api.place("imagestreams"), {"metadata": {"name": "app"}, "spec": {"tags": [tag]}})
    else:
        api.patch(api.place("imagestreams/app"), {"spec": {"tags": [tag]}})


def reason(api: Api) -> str:
    [tag] = api.get(api.place("imagestreams/app"))["status"]["tags"]
    return "".join(each["reason"] for each in tag.get("conditions") or [] if each["type"] == "Elected")
