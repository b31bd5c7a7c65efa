"""A play of faults: tags that are imported on schedule, upstream moves on behind a fault, and the fault ends.

All faults happen at the same time, each on a way of its own to the registries, so that they do not wait for each other.

    pushed A ── imported ── fault ── pushed B ── condition, still A ── mended ── B
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.authorities import Authority
from tests.fault_proxy import PLAIN, Fault, FaultProxy
from tests.postgres import Postgres, binaries
from tests.processes import wait_until
from tests.redis_server import Redis
from tests.registries import ROBOT, Distribution
from tests.requirements import found
from tests.served import EMBEDDED
from tests.served.api import Api, stream_import
from tests.served.following import Follower
from tests.served.import_faults import TIMEOUT_WORDS, Case, Trick, Way
from tests.server import Server
from tests.token_service import LEEWAY, TokenService

Json = dict[str, Any]
INTERVAL = 2
TOKEN_SECONDS = 3
ENVIRONMENT = {
    "ALLOW_PRIVATE_NETWORKS": "true",
    "SCHEDULED_IMPORT_INTERVAL": str(INTERVAL),
    "UPSTREAM_CONNECT_TIMEOUT": "4",
    "UPSTREAM_READ_TIMEOUT": "4",
    "UPSTREAM_TIMEOUT": "12",
    "WORKER_CONCURRENCY": "32",
}
AT_ONCE = 16
PATIENCE = 180.0
TRIES = 4
HISTORY = "apis/history.registry-meta.io/v1alpha1"
TAG = "latest"


class Watcher(Follower):
    """Keeps every stream as each event of a watch showed it."""

    def __init__(self, api: Api) -> None:
        self.seen: dict[str, list[Json]] = {}
        super().__init__(api, api.place("imagestreams"))

    def _take(self, frame: Json) -> None:
        super()._take(frame)
        if frame["type"] != "ERROR":
            self.seen.setdefault(frame["object"]["metadata"]["name"], []).append(frame["object"])

    def newest(self, name: str) -> Json:
        """Return a stream as it was seen last, or nothing of it."""
        return (self.seen.get(name) or [{}])[-1]


@dataclass
class Scene:
    """One fault: its way to the registry, what was pushed, and what came of it."""

    case: Case
    way: FaultProxy
    service: FaultProxy | None
    repository: str
    pushed: list[str] = field(default_factory=list)
    during: Json = field(default_factory=dict)
    """The stream while the fault was there."""
    answer: Json = field(default_factory=dict)
    """The entry of an ImageStreamImport of then that only looked."""
    after: Json = field(default_factory=dict)
    """The stream in the end."""
    seen: list[Json] = field(default_factory=list)
    """The stream as a watch showed it, from the import of A on."""
    history: list[str] = field(default_factory=list)
    """The images of the ledger, the oldest first."""

    @property
    def met(self) -> int:
        """How many requests met the fault."""
        return (self.service or self.way).met

    @property
    def place(self) -> str:
        """The repository with its host, as the tag is imported from it during the fault."""
        host = self.case.move.replace("HOST", self.way.alias) or self.way.host
        return f"{host}/{self.repository}"

    def is_told(self, failure: Json) -> bool:
        """Return whether a condition, or the status of an import, tells of the fault as it should."""
        told = (failure.get("reason"), failure.get("message", ""))
        return told[0] == self.case.reason and matches(self.case.message(self.place), told[1])

    def is_late(self, failure: Json) -> bool:
        """Return whether a condition is about a machine with too much to do, and not about the fault."""
        return not self.is_told(failure) and re.search(TIMEOUT_WORDS, failure["message"]) is not None

    @property
    def insecure(self) -> bool:
        """Whether the import is."""
        return self.case.way is not Way.TLS


class Stage:
    """The registries behind all faults, and what makes their ways."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.authority = Authority(folder / "authority")
        self.stranger = Authority(folder / "stranger")
        self.open = stack.enter_context(Distribution().start())
        self.service = stack.enter_context(TokenService(self.authority, dict([ROBOT])))
        self.guarded = stack.enter_context(Distribution().start(guard=self.service.guard(ROBOT[0])))
        # The client keeps a token for a minute at least. These are good for seconds, so faults are met soon.
        self.service.manners.life = TOKEN_SECONDS
        self.service.manners.told_life = LEEWAY

    def scene(self, case: Case) -> Scene:
        """Return a scene with a way of its own, and nothing pushed."""
        area = "private" if case.way is Way.PASSWORD else "public"
        service = None
        if case.way in (Way.TOKEN, Way.PASSWORD):
            service = self._stack.enter_context(FaultProxy(self.service.realm.removesuffix("/token")))
            way = FaultProxy(self.guarded.base, realm=f"{service.base}/token")
        else:
            tls = self.authority.identity().context() if case.way is Way.TLS else None
            way = FaultProxy(self.open.base, tls=tls)
        return Scene(case, self._stack.enter_context(way), service, f"{area}/faults/{case.name}")

    def push(self, scene: Scene, seed: str) -> None:
        """Push an image as the tag of a scene."""
        registry = self.open if scene.service is None else self.guarded
        kind = scene.case.kind
        digest = registry.push(scene.repository, TAG, seed=f"{scene.case.name} {seed}", kind=kind)
        scene.pushed.append(digest)

    def break_(self, scene: Scene) -> None:
        """Let the fault of a scene happen."""
        fault, way = scene.case.fault, scene.service or scene.way
        if isinstance(fault, Fault):
            way.put(fault)
        elif fault is Trick.REFUSED:
            way.refuse()
        elif fault is Trick.NO_TLS:
            way.speak(PLAIN)
        elif fault is Trick.STRANGER:
            way.speak(self.stranger.identity().context())
        elif fault is Trick.EXPIRED:
            way.speak(self.authority.identity(expired=True).context())
        else:
            way.speak(self.authority.identity("registry.example").context())


def impatient_server(kind: str, stage: Stage, stack: ExitStack) -> Server:
    """Start a server that looks often, waits for nobody, and trusts the authority of a stage."""
    environment = {**ENVIRONMENT, "UPSTREAM_CA_BUNDLE": str(stage.authority.file)}
    if kind == EMBEDDED:
        return stack.enter_context(Server(environment=environment))
    if binaries() is None or not found("redis-server"):
        pytest.skip("PostgreSQL or Redis is not installed")
    database_url = stack.enter_context(Postgres()).create("faults")
    redis_url = stack.enter_context(Redis()).url
    return stack.enter_context(Server(database_url=database_url, redis_url=redis_url, environment=environment))


def play(server: Server, stage: Stage, cases: Sequence[Case], fleeting: Sequence[Case] = ()) -> list[Scene]:
    """Play all cases and return what came of each; the fleeting ones see the second image during the fault."""
    api = Api(server)
    lasting, passing = [stage.scene(case) for case in cases], [stage.scene(case) for case in fleeting]
    scenes = lasting + passing
    _keep_passwords(api, scenes)
    with Watcher(api) as watcher, ThreadPoolExecutor(AT_ONCE) as pool:
        _import_first(api, stage, scenes, watcher, pool)
        start = {scene.case.name: len(watcher.seen[scene.case.name]) - 1 for scene in scenes}
        for scene in scenes:
            stage.break_(scene)
        list(pool.map(lambda scene: _move(api, scene, scene.place), [s for s in scenes if s.case.move]))
        # No token of before the fault is good any more when there is something new.
        time.sleep(TOKEN_SECONDS + 1)
        for scene in scenes:
            stage.push(scene, "B")
        _await(passing, lambda scene: _is_over(scene, watcher), "second image is imported beside the faults")
        _await(lasting, lambda scene: bool(_conditions(watcher.newest(scene.case.name))), "fault is told of")
        list(pool.map(lambda scene: _look(api, scene), lasting))
        list(pool.map(lambda scene: _see(api, scene), lasting))
        _end(api, scenes, watcher, pool)
        for scene in scenes:
            scene.seen = watcher.seen[scene.case.name][start[scene.case.name] :]
    return scenes


def _keep_passwords(api: Api, scenes: Sequence[Scene]) -> None:
    """Make a pull secret for each registry that wants a password."""
    for scene in scenes:
        if scene.case.way is Way.PASSWORD:
            body = {"username": ROBOT[0], "password": ROBOT[1]}
            text = json.dumps({"auths": {scene.way.host: body}})
            api.secret(scene.case.name, {".dockerconfigjson": text}, type_="kubernetes.io/dockerconfigjson")


def _import_first(api: Api, stage: Stage, scenes: Sequence[Scene], watcher: Watcher, pool: ThreadPoolExecutor) -> None:
    """Have the first image of each scene imported, on schedule from now on."""
    for scene in scenes:
        stage.push(scene, "A")
    list(pool.map(lambda scene: _create(api, scene), scenes))
    _await(scenes, lambda scene: head(watcher.newest(scene.case.name)) != "", "first image is imported")


def _create(api: Api, scene: Scene) -> None:
    policy = {"insecure": scene.insecure, "scheduled": True, "importMode": "PreserveOriginal"}
    source = {"kind": "DockerImage", "name": f"{scene.way.host}/{scene.repository}:{TAG}"}
    body = {
        "metadata": {"name": scene.case.name},
        "spec": {"tags": [{"name": TAG, "from": source, "importPolicy": policy}]},
    }
    api.post(api.place("imagestreams"), body)


def _move(api: Api, scene: Scene, place: str) -> None:
    """Have the tag of a scene imported from another place."""
    path = api.place(f"imagestreams/{scene.case.name}")
    tag = api.get(path)["spec"]["tags"][0]
    tag["from"]["name"] = f"{place}:{TAG}"
    api.patch(path, {"spec": {"tags": [tag]}})


def _look(api: Api, scene: Scene) -> None:
    """Ask for an import that only looks, again where the answer is about something else."""
    body = _request(scene)
    body["spec"]["import"] = False
    for _ in range(TRIES):
        scene.answer = api.post(api.place("imagestreamimports"), body)["status"]["images"][0]
        if scene.is_told(scene.answer["status"]):
            break


def _see(api: Api, scene: Scene) -> None:
    """Read the stream, again after some looks where its condition is about something else."""
    for _ in range(TRIES):
        scene.during = api.get(api.place(f"imagestreams/{scene.case.name}"))
        if all(scene.is_told(condition) for condition in failures(scene.during)):
            break
        time.sleep(2 * INTERVAL)


def _request(scene: Scene) -> Json:
    body = stream_import(scene.case.name, {TAG: f"{scene.place}:{TAG}"})
    policy = {"insecure": scene.insecure, "scheduled": True, "importMode": "PreserveOriginal"}
    body["spec"]["images"][0]["importPolicy"] = policy
    return body


def _end(api: Api, scenes: Sequence[Scene], watcher: Watcher, pool: ThreadPoolExecutor) -> None:
    """Mend everything, let users act where they have to, and wait until nothing happens any more."""

    def act(scene: Scene) -> None:
        if scene.case.move and "HOST" not in scene.case.move:
            _move(api, scene, f"{scene.way.host}/{scene.repository}")
        else:
            api.post(api.place("imagestreamimports"), _request(scene))

    for scene in scenes:
        (scene.service or scene.way).mend()
    list(pool.map(act, [scene for scene in scenes if scene.case.lasting]))
    _await(scenes, lambda scene: _is_over(scene, watcher), "second image is imported")
    time.sleep(INTERVAL * 1.5)
    for scene in scenes:
        scene.after = api.get(api.place(f"imagestreams/{scene.case.name}"))
        path = f"{HISTORY}/namespaces/{api.namespace}/imagestreams/{scene.case.name}/history"
        scene.history = [event["image"] for event in reversed(api.get(path)["items"])]


def _is_over(scene: Scene, watcher: Watcher) -> bool:
    return head(watcher.newest(scene.case.name)) == scene.pushed[1]


def _await(scenes: Sequence[Scene], holds: Callable[[Scene], bool], what: str) -> None:
    waiting = list(scenes)

    def is_over() -> bool:
        waiting[:] = [scene for scene in waiting if not holds(scene)]
        return not waiting

    try:
        wait_until(is_over, seconds=PATIENCE, what=f"the {what}")
    except Exception as error:
        names = ", ".join(scene.case.name for scene in waiting)
        raise AssertionError(f"the {what}: not of {names}") from error


# --- what is read of a stream


def head(stream: Json) -> str:
    """Return the image that the tag points to, empty for none."""
    items = _tag(stream).get("items") or []
    return str(items[0]["image"]) if items else ""


def failures(stream: Json) -> list[Json]:
    """Return the conditions that tell of failed imports."""
    return [condition for condition in _conditions(stream) if condition["type"] == "ImportSuccess"]


def _conditions(stream: Json) -> list[Json]:
    return _tag(stream).get("conditions") or []


def _tag(stream: Json) -> Json:
    tags: Sequence[Json] = stream.get("status", {}).get("tags") or []
    return next((tag for tag in tags if tag["tag"] == TAG), {})


def essence(stream: Json) -> Json:
    """Return a stream without what every write changes."""
    meta = {
        name: value for name, value in stream["metadata"].items() if name not in ("resourceVersion", "managedFields")
    }
    return {**stream, "metadata": meta}


def matches(pattern: re.Pattern[str], text: str) -> bool:
    """Return whether a pattern is all of a text."""
    return pattern.fullmatch(text) is not None
