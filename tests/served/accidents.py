"""A worker that is killed at the worst moment, which is certain because a registry and a consumer stall."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from dataclasses import dataclass

from tests.registries import Distribution
from tests.served.api import Api
from tests.served.consumers import Keeper
from tests.served.stalls import Detour
from tests.served.tables import Row, rows
from tests.server import Server

PATIENCE = 30.0


@dataclass(frozen=True)
class Accident:
    """A worker that was killed while it waited for a registry and for a consumer."""

    api: Api
    worker: int
    """The number of the process that was killed."""
    digests: list[str]
    """What the tag `told:latest` pointed to, in order; the first before there was a trigger."""
    telling: Keeper
    """The consumer that the worker was speaking to."""
    slow: str
    """What the registry held back of the tag `slow:latest`."""
    hearing: Keeper
    """The consumer of that tag."""

    def moves(self, stream: str) -> list[Row]:
        """Return what the ledger has of a stream."""
        return rows(self.api.server, "imagestreams_tag_event", namespace=self.api.namespace, stream=stream)

    def deliveries(self, stream: str) -> list[Row]:
        """Return the deliveries of a stream."""
        return rows(self.api.server, "imagestreams_delivery", namespace=self.api.namespace, stream=stream)


def happen(server: Server, registry: Distribution, stack: ExitStack) -> Accident:
    """Let a worker begin an import and a delivery, and kill it."""
    api = Api(server)
    repository = f"crashes/{server.port}"
    digests = [registry.push(repository, f"v{number}", seed=f"{number}") for number in range(4)]
    slow = registry.push(f"{repository}/slow", "latest", seed="slow")
    telling, hearing = stack.enter_context(Keeper()), stack.enter_context(Keeper())
    detour = stack.enter_context(Detour(registry))
    api.bring_in("told", {"latest": registry.pullspec(repository, tag="v0")})
    api.trigger("told", "told:latest", telling.url)
    api.trigger("slow", "slow:latest", hearing.url)

    telling.gate.clear()
    api.bring_in("told", {"latest": registry.pullspec(repository, tag="v1")})
    api.stream("slow", {"latest": f"{detour.host}/{repository}/slow:latest"})
    telling.wait(1)
    assert detour.reached.wait(PATIENCE)
    [worker] = server.pids()["worker"]
    os.kill(worker, signal.SIGKILL)

    for number in (2, 3):
        api.bring_in("told", {"latest": registry.pullspec(repository, tag=f"v{number}")})
    telling.gate.set()
    detour.gate.set()
    return Accident(api, worker, digests, telling, slow, hearing)
