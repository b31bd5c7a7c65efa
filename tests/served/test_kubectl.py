"""An unmodified kubectl, from an empty server to a stream that follows a registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.processes import Program, wait_until
from tests.registries import Distribution
from tests.requirements import needs
from tests.served import KINDS
from tests.served.consumers import address, example, printed
from tests.served.kubectl import Kubectl
from tests.server import ROOT, Server

pytestmark = needs("kubectl")

KEY = "not-a-secret-any-more"
PATIENCE = 20.0


@dataclass(frozen=True)
class Demo:
    """The example of the documentation as it was applied: how to ask, and what the registry has."""

    kubectl: Kubectl
    said: str
    consumer: Program
    registry: Distribution
    repository: str
    latest: str
    stable: str

    def push(self, seed: str) -> str:
        """Let the registry's `latest` be another image and return its digest."""
        return self.registry.push(self.repository, "latest", seed=seed)

    def row(self, name: str) -> list[str]:
        """Return the cells that kubectl prints of a tag of the stream."""
        lines = self.kubectl("get", "istag", "--no-headers").splitlines()
        return next(line.split(maxsplit=2) for line in lines if line.startswith(name))


@pytest.fixture(scope="module", params=KINDS)
def demo(
    request: pytest.FixtureRequest,
    servers: dict[str, Server],
    registry: Distribution,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Demo]:
    """`examples/demo.yaml` in a namespace `demo`, next to the registry and the consumer that it speaks of."""
    if request.param not in servers:
        pytest.skip("PostgreSQL or Redis is not installed")
    home = tmp_path_factory.mktemp("home")
    repository = f"{request.param}/app"
    latest = registry.push(repository, "latest", seed="demo one")
    stable = registry.push(repository, "stable", seed="demo stable")
    kubectl = Kubectl(servers[request.param], home, namespace="demo")
    kubectl("create", "namespace", "demo")
    with example(KEY, home) as consumer:
        text = (ROOT / "examples" / "demo.yaml").read_text()
        text = text.replace("127.0.0.1:5000/app", registry.pullspec(repository))
        text = text.replace("http://127.0.0.1:9090/", address(consumer))
        said = kubectl("apply", "-f", "-", stdin=text)
        wait_until(lambda: len(kubectl("get", "istag").splitlines()) == 3, seconds=PATIENCE, what="both tags are there")
        yield Demo(kubectl, said, consumer, registry, repository, latest, stable)


def test_apply_makes_all_of_it(demo: Demo) -> None:
    assert demo.said.splitlines() == [
        "secret/consumer created",
        "imagestream.image.openshift.io/app created",
        "imagetrigger.triggers.registry-meta.io/app-latest created",
    ]


def test_get_shows_the_three_kinds(demo: Demo) -> None:
    lines = demo.kubectl("get", "is,istag,imagetriggers").splitlines()

    starts = [line.split()[:2] for line in lines if line]
    assert starts == [
        ["NAME", "IMAGE"],
        ["imagestream.image.openshift.io/app", "latest,stable"],
        ["NAME", "IMAGE"],
        ["imagestreamtag.image.openshift.io/app:latest", demo.registry.pullspec(demo.repository, digest=demo.latest)],
        ["imagestreamtag.image.openshift.io/app:stable", demo.registry.pullspec(demo.repository, digest=demo.stable)],
        ["NAME", "FROM"],
        ["imagetrigger.triggers.registry-meta.io/app-latest", "app:latest"],
    ]


def test_get_prints_what_is_asked_for(demo: Demo) -> None:
    kubectl = demo.kubectl

    stream = yaml.safe_load(kubectl("get", "is", "app", "-o", "yaml"))
    assert [entry["items"][0]["image"] for entry in stream["status"]["tags"]] == [demo.latest, demo.stable]
    assert kubectl("get", "is", "-o", "name") == "imagestream.image.openshift.io/app\n"
    path = "{range .status.tags[*]}{.tag}={.items[0].image} {end}"
    assert kubectl("get", "is", "app", "-o", f"jsonpath={path}") == f"latest={demo.latest} stable={demo.stable} "
    wide = kubectl("get", "imgtrig", "-o", "wide").splitlines()
    assert wide[0].split()[-2:] == ["READY", "REASON"]
    assert wide[1].split()[:3] == ["app-latest", "app:latest", "false"]


def test_describe_tells_of_tags_and_images(demo: Demo) -> None:
    text = demo.kubectl("describe", "is", "app")

    words = [line.split() for line in text.splitlines()]
    assert ["Name:", "app"] in words
    assert ["Namespace:", "demo"] in words
    assert ["Image:", demo.latest] in words
    assert ["Image:", demo.stable] in words
    assert ["Events:", "<none>"] in words


def test_explain_knows_the_fields(demo: Demo) -> None:
    text = demo.kubectl("explain", "is.spec.tags.importPolicy")

    assert "scheduled\t<boolean>" in text


def test_applying_again_changes_nothing(demo: Demo) -> None:
    stream = json.loads(demo.kubectl("get", "is", "app", "-o", "json"))
    applied = stream["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]

    assert demo.kubectl("apply", "-f", "-", stdin=applied) == "imagestream.image.openshift.io/app unchanged\n"
    assert demo.kubectl("diff", "-f", "-", stdin=applied) == ""


def test_a_watch_shows_the_row_that_moves(demo: Demo) -> None:
    get = ("get", "is", "--watch")
    with demo.kubectl.running(*get, "-o", "yaml") as whole, demo.kubectl.running(*get, "--no-headers") as rows:
        whole.wait_ready(lambda: demo.stable in whole.log.read_text())
        rows.wait_ready(lambda: bool(rows.log.read_text()))

        moved = demo.push("demo two")

        whole.wait_ready(lambda: moved in whole.log.read_text(), seconds=PATIENCE)
        rows.wait_ready(lambda: len(rows.log.read_text().splitlines()) > 1, seconds=PATIENCE)
        assert [line.split()[:2] for line in rows.log.read_text().splitlines()] == [["app", "latest,stable"]] * 2
    assert demo.row("app:latest")[1].endswith(moved)
    assert demo.row("app:stable")[1].endswith(demo.stable)


def test_the_consumer_is_told_what_moved(demo: Demo) -> None:
    moved = demo.push("demo three")

    demo.consumer.wait_ready(lambda: any(moved in line for line in printed(demo.consumer)), seconds=PATIENCE)

    last = printed(demo.consumer)[-1]
    assert last.startswith("demo/app:latest moved from sha256:")
    assert last.endswith(f" to {moved} (imported: the schedule, by system:registry-meta)")


def test_a_deleted_namespace_goes_away_with_all_in_it(demo: Demo) -> None:
    kubectl = demo.kubectl

    assert kubectl("delete", "namespace", "demo") == 'namespace "demo" deleted\n'

    gone = kubectl.run("get", "namespace", "demo")
    assert (gone.returncode, gone.stderr) == (1, 'Error from server (NotFound): namespaces "demo" not found\n')
    assert kubectl("get", "is,istag,imagetriggers,secrets", "-o", "name") == ""
