"""From a push to a consumer: what it is told, and how soon."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.registries import Distribution
from tests.requirements import needs
from tests.served.api import Api, stream_import
from tests.served.consumers import Keeper, address, example, printed
from tests.served.kubectl import Kubectl
from tests.served.pace import within
from tests.served.tables import rows
from tests.server import Server

KEY = "a key that only the two ends know"
SOON = 2.0
"""Seconds from an import to the consumer of what it moved."""

ROUNDS = 5
PATIENCE = 20.0


@pytest.fixture
def api(served: Server) -> Api:
    """A namespace with the key of the consumers."""
    api = Api(served)
    api.secret("consumer", {"key": KEY})
    return api


@pytest.fixture
def repository(api: Api) -> str:
    """A repository that no other test pushes to."""
    return f"events/{api.namespace}-{api.server.port}"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """What prints a line for the person who runs the tests."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end=" ", flush=True)

    return line


def is_imported(api: Api, digest: str) -> bool:
    return api.history("app", "latest")[:1] == [digest]


@needs("kubectl")
def test_an_import_by_kubectl_reaches_the_example_consumer(
    api: Api, kind: str, registry: Distribution, repository: str, tmp_path: Path, say: Callable[[str], None]
) -> None:
    kubectl = Kubectl(api.server, tmp_path, namespace=api.namespace)
    digests = [registry.push(repository, "latest", seed="0")]
    pullspec = registry.pullspec(repository, tag="latest")
    api.stream("app", {"latest": pullspec})
    wait_until(lambda: is_imported(api, digests[0]), seconds=PATIENCE, what="the first image is there")
    wish = tmp_path / "import.json"
    wish.write_text(json.dumps(stream_import("app", {"latest": pullspec})))
    raw = f"/{api.place('imagestreamimports')}"
    seconds: list[float] = []

    with example(KEY, tmp_path) as consumer:
        api.trigger("deploy", "app:latest", address(consumer), secret="consumer")
        for number in range(1, ROUNDS + 1):
            digests.append(registry.push(repository, "latest", seed=str(number)))
            start = time.monotonic()
            kubectl("create", "-f", str(wish)) if number % 2 else kubectl("create", "--raw", raw, "-f", str(wish))
            consumer.wait_ready(lambda: digests[-1] in consumer.log.read_text(), seconds=PATIENCE)
            seconds.append(time.monotonic() - start)

        place = f"{api.namespace}/app:latest"
        assert printed(consumer) == [
            f"{place} moved from {before} to {after} (imported on request, by system:admin)"
            for before, after in itertools.pairwise(digests)
        ]
    say(f"{kind}: from kubectl to the consumer {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s")
    within(statistics.median(seconds), SOON, what="from an import to the consumer")


def test_what_the_schedule_finds_reaches_a_consumer(
    api: Api, kind: str, registry: Distribution, repository: str, say: Callable[[str], None]
) -> None:
    first = registry.push(repository, "latest", seed="a")
    api.stream("app", {"latest": registry.pullspec(repository, tag="latest")}, scheduled=True)
    wait_until(lambda: is_imported(api, first), seconds=PATIENCE, what="the first image is there")

    with Keeper() as keeper:
        uid = api.trigger("deploy", "app:latest", keeper.url, secret="consumer")["metadata"]["uid"]
        second = registry.push(repository, "latest", seed="b")
        keeper.wait(1)
        third = registry.push(repository, "latest", seed="c")
        arrivals = keeper.wait(2)

    assert [arrival.move for arrival in arrivals] == [(first, second), (second, third)]
    assert all(arrival.is_signed(KEY) for arrival in arrivals)
    assert [arrival.event["data"]["reason"] for arrival in arrivals] == ["imported: the schedule"] * 2
    moves = [row for row in rows(api.server, "imagestreams_tag_event") if row["namespace"] == api.namespace]
    assert [row["digest"] for row in moves] == [first, second, third]
    assert [arrival.event["id"] for arrival in arrivals] == [f"{uid}.{row['version']}" for row in moves[1:]]
    seconds = [arrival.seconds for arrival in arrivals]
    say(f"{kind}: from a scheduled import to the consumer {', '.join(f'{each:.2f} s' for each in seconds)}")
    within(min(seconds), SOON, what="from a scheduled import to the consumer")
