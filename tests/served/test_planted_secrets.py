"""Whatever secret a client gives the server, in the right place or in the wrong one, is nowhere in the clear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis as redis_client

from tests import planted
from tests.postgres import Postgres, binaries
from tests.processes import wait_until
from tests.redis_server import Redis
from tests.registries import Reply, StandIn
from tests.requirements import found
from tests.served import planting, planting_logins
from tests.served.planting import NAMESPACE, REPOSITORIES, Garden, basic
from tests.server import Server

pytestmark = pytest.mark.slow

DATABASE_PASSWORD = planted.planted("database")
REDIS_PASSWORD = planted.planted("redis")
ENVIRONMENT = {"ALLOW_PRIVATE_NETWORKS": "true", "LOG_LEVEL": "debug", "SCHEDULED_IMPORT_INTERVAL": "1"}
WITHOUT = ("admin.token", "admin.kubeconfig", ".key")
"""The files of the data directory that are there to hold the administrator's token, and the keys."""


class Site:
    """A server with all that it keeps and writes: files, database, Redis, log, audit log and metrics."""

    def __init__(self, stack: ExitStack, kind: str, folder: Path) -> None:
        self.database_url = self.redis_url = ""
        if kind == "postgresql":
            self._scale(stack)
        self.audit_log = folder / "audit.log"
        environment = {**ENVIRONMENT, "AUDIT_LOG": str(self.audit_log)}
        server = Server(database_url=self.database_url, redis_url=self.redis_url, environment=environment)
        self.garden = Garden(stack.enter_context(server))
        self.waiting: dict[str, bytes] = {}
        """What was kept while no worker ran."""

    def _scale(self, stack: ExitStack) -> None:
        if binaries() is None or not found("redis-server"):
            pytest.skip("PostgreSQL or Redis is not installed")
        url = stack.enter_context(Postgres()).create("planted")
        # The cluster trusts everybody, so that any password will do.
        self.database_url = url.replace("postgres@", f"postgres:{DATABASE_PASSWORD}@")
        url = stack.enter_context(Redis()).url
        with redis_client.Redis.from_url(url) as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        self.redis_url = url.replace("redis://", f"redis://:{REDIS_PASSWORD}@")

    def kept(self) -> dict[str, bytes]:
        """Return what the server keeps: its files but for keys and the administrator's token, and its databases."""
        found = planted.files(self.garden.server.data_dir, leave_out=WITHOUT)
        if self.database_url:
            found["PostgreSQL"] = planted.dump(self.database_url)
        if self.redis_url:
            found["Redis"] = redis_content(self.redis_url)
        return found

    def written(self) -> dict[str, bytes]:
        """Return what the server writes for those who run it."""
        garden = self.garden
        metrics = garden.session.get(f"{garden.server.url}/metrics").content
        return {"log": garden.server.log.encode(), "audit log": self.audit_log.read_bytes(), "metrics": metrics}


def redis_content(url: str) -> bytes:
    """Return the keys and values of every database."""
    content = b""
    for number in range(16):
        with redis_client.Redis.from_url(url, db=number) as client:
            for key in client.scan_iter():
                kind = client.type(key)
                if kind == b"list":
                    values = client.lrange(key, 0, -1)
                elif kind == b"hash":
                    values = [part for pair in client.hgetall(key).items() for part in pair]
                elif kind == b"set":
                    values = list(client.smembers(key))
                elif kind == b"zset":
                    values = client.zrange(key, 0, -1)
                else:
                    values = [client.get(key) or b""]
                content += b"\n".join([key, *values]) + b"\n"
    return content


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of each kind to which secrets were given in every way."""
    with ExitStack() as stack:
        made = Site(stack, request.param, tmp_path_factory.mktemp("planted"))
        plant_everywhere(made, stack)
        yield made


def plant_everywhere(site: Site, stack: ExitStack) -> None:
    garden = site.garden
    garden.made("api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    garden.keep(garden.server.token)
    for value in filter(None, (site.database_url and DATABASE_PASSWORD, site.redis_url and REDIS_PASSWORD)):
        garden.keep(value)
    planting.secrets_of_each_type(garden)
    planting.tokens(garden)
    planting_logins.people(garden)
    consumer = stack.enter_context(StandIn(lambda request: Reply(500, json.dumps(dict(request.headers)))))
    wanting_basic = stack.enter_context(planting.tell_tale(garden, "basic"))
    wanting_bearer = [stack.enter_context(planting.tell_tale(garden, "bearer")) for _ in range(3)]
    planting.addresses(garden, wanting_basic.host)
    entries = {
        "packed": (wanting_basic, {"auth": basic(f"robot:{garden.plant('packed')}")}),
        "apart": (wanting_bearer[0], {"username": "robot", "password": garden.plant("apart")}),
        "identity": (wanting_bearer[1], {"identitytoken": garden.plant("identity")}),
        "registry": (wanting_bearer[2], {"registrytoken": garden.plant("registry-token")}),
    }
    with garden.no_worker():
        for name, (registry, entry) in entries.items():
            planting.import_from(garden, registry.host, name, entry)
        planting.webhooks(garden, consumer.base)
        site.waiting = site.kept()
    wait_until(lambda: bool(consumer.requests), seconds=30, what="the consumer was told")
    wait_until(lambda: all(imported(garden, name) for name in entries), seconds=60, what="the worker has imported")


def imported(garden: Garden, name: str) -> bool:
    """Return whether the worker has tried to import with a credential."""
    for repository in REPOSITORIES:
        stream = garden.send("GET", f"{planting.IMAGES}/imagestreams/later-{name}-{repository}").json()
        tags = stream.get("status", {}).get("tags") or []
        if not any(tag.get("conditions") for tag in tags):
            return False
    return True


def test_the_credentials_were_used(site: Site) -> None:
    shown = "\n".join(site.garden.shown).encode()

    used = planted.traces(shown, site.garden.values)

    kinds = {value.split("-")[1] for value in used if value.startswith("planted-")}
    assert kinds == {"packed", "apart", "identity", "registry", "fetched"}


def test_what_looks_for_traces_finds_them(site: Site) -> None:
    answer = site.garden.send("GET", planting.SECRETS)

    assert len(planted.traces(answer.content, site.garden.values)) > 10


def test_nothing_that_is_kept_holds_a_trace(site: Site) -> None:
    content = site.kept()

    assert leaks(content, site.garden.values) == []
    assert len(content) > 3


def test_no_message_that_waits_holds_a_trace(site: Site) -> None:
    assert any(b"imports" in content for content in site.waiting.values())
    assert leaks(site.waiting, site.garden.values) == []


def test_nothing_that_is_written_holds_a_trace(site: Site) -> None:
    content = site.written()

    assert b"DEBUG" in content["log"]
    assert content["audit log"].count(b"\n") > 50
    assert b"registry_meta" in content["metrics"]
    assert leaks(content, site.garden.values) == []


def test_no_refusal_holds_a_trace(site: Site) -> None:
    refusals = site.garden.refusals

    assert len(refusals) > 100
    assert [(what, traces) for what, body in refusals if (traces := planted.traces(body, site.garden.values))] == []


def test_no_answer_to_an_import_holds_a_trace_though_it_tells_of_credentials(site: Site) -> None:
    answers = site.garden.answers

    assert sum(b"import.registry-meta.io/credentials" in answer for answer in answers) > 10
    assert [traces for answer in answers if (traces := planted.traces(answer, site.garden.values))] == []


def test_what_a_reader_of_streams_sees_holds_no_trace(site: Site) -> None:
    images = [f"{planting.IMAGES}/{plural}" for plural in ("imagestreams", "imagestreamtags", "imagetags")]
    paths = [*images, f"api/v1/namespaces/{NAMESPACE}/events", planting.TRIGGERS]

    bodies = {path: site.garden.send("GET", path).content for path in paths}

    assert leaks(bodies, site.garden.values) == []


def leaks(contents: dict[str, bytes], values: list[str]) -> list[str]:
    """Return where a trace of which secret is."""
    return [f"{where}: {value}" for where, content in contents.items() for value in planted.traces(content, values)]
