"""What is left of secrets outside the answers of the API: nothing, in any file, table or line of the log."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet

from registry_meta.databases import SQLITE_FILE
from registry_meta.kube.sealing import MARK, key_name
from tests import planted
from tests.kube.list_matches_watch import list_matches_watch
from tests.postgres import Postgres
from tests.processes import ProcessError, wait_until
from tests.redis_server import Redis
from tests.registries import Reply, Request, StandIn
from tests.server import PREFIX, ROOT, TEST_NAMESPACE, Server

pytestmark = pytest.mark.slow

IMAGES = f"/apis/image.openshift.io/v1/namespaces/{TEST_NAMESPACE}"
TRIGGERS = f"/apis/triggers.registry-meta.io/v1alpha1/namespaces/{TEST_NAMESPACE}/imagetriggers"
SECRETS = f"/api/v1/namespaces/{TEST_NAMESPACE}/secrets"
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}

SIGNING = "planted-signing-key-1f0c"
PASSWORD = "planted-password-77ab"
PATCHED = "planted-by-a-patch-93de"
REFUSED = "planted-in-a-bad-body-02cc"
PLANTED = (SIGNING, PASSWORD, PATCHED, REFUSED)


def traces(content: bytes) -> list[str]:
    """Return the planted values of which content holds a trace."""
    return planted.traces(content, PLANTED)


class Site:
    """A server that says all it can, and how what it stores is looked at."""

    def __init__(self, server: Server, database_url: str) -> None:
        self.server = server
        self.database_url = database_url
        self.client = server.client()
        self.signatures: list[str] = []
        self.credentials: list[str] = []

    def content(self) -> bytes:
        """Return every byte of the data directory, but for the keys in it, and of the database."""
        found = b"\n".join(planted.files(self.server.data_dir, leave_out=[".key"]).values())
        if self.database_url:
            found += planted.dump(self.database_url)
        return found

    def sealed(self) -> str:
        """Return, in the words of the command, how many sealed objects and changes the database holds now."""
        counts = [self._count(f"{table} WHERE document LIKE '{MARK}%'") for table in ("kube_object", "kube_change")]
        return "{} secrets and {} changes of secrets".format(*counts)

    def _count(self, rows: str) -> int:
        statement = f"SELECT count(*) FROM {rows}"
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                found = connection.execute(statement).fetchone()
        else:
            with closing(sqlite3.connect(self.server.data_dir / SQLITE_FILE)) as file:
                found = file.execute(statement).fetchone()
        return int(found[0]) if found else 0

    def send(self, method: str, path: str, body: object, code: int, **headers: str) -> Any:
        """Send a request and return the answer, whose status is known."""
        data = body if isinstance(body, str) else json.dumps(body)
        sent = {"Content-Type": "application/json", **headers}
        answer = self.client.request(method, f"{self.server.url}{path}", data=data, headers=sent)
        assert answer.status_code == code, answer.text
        return answer.json()

    def set_keys(self, keys: str) -> None:
        """Start the server again with other keys."""
        self.server.stop()
        self.server.environ[f"{PREFIX}ENCRYPTION_KEY"] = keys
        self.server.start()

    def reseal(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command beside the server."""
        command = [sys.executable, "manage.py", "reseal", "--data-dir", str(self.server.data_dir), *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.server.environ, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A server of each kind with secrets that have been used for everything there is."""
    url, redis_url = "", ""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        redis: Redis = request.getfixturevalue("redis")
        url, redis_url = postgres.create("sealed"), redis.url
    environment = {"ALLOW_PRIVATE_NETWORKS": "true", "LOG_LEVEL": "debug", "WEB_WORKERS": "1"}
    with Server(database_url=url, redis_url=redis_url, environment=environment) as server:
        made = Site(server, url)
        with made.client:
            use_secrets(made)
            yield made


def use_secrets(site: Site) -> None:
    """Create, change, refuse, list and watch secrets, sign an event with one and import with another."""
    site.send("POST", "/api/v1/namespaces", {"metadata": {"name": TEST_NAMESPACE}}, 201)
    with ExitStack() as stack:
        registry = stack.enter_context(StandIn(lambda request: guarded(site, request)))
        consumer = stack.enter_context(StandIn(lambda request: accepted(site, request)))
        write_secrets(site, registry.host)
        site.send("POST", f"{IMAGES}/imagestreamimports", importing(registry.host), 201)
        trigger(site, consumer.base)


def guarded(site: Site, request: Request) -> Reply:
    """Answer as a registry that knows one user and holds nothing."""
    given = request.headers.get("authorization", "")
    if not given:
        return Reply(401, headers={"WWW-Authenticate": 'Basic realm="tests"'})
    site.credentials.append(base64.b64decode(given.removeprefix("Basic ")).decode())
    return Reply(404, "{}")


def accepted(site: Site, request: Request) -> Reply:
    """Answer as a consumer of events."""
    site.signatures.append(request.headers.get("x-registry-meta-signature-256", ""))
    return Reply(204)


def write_secrets(site: Site, host: str) -> None:
    hook = {
        "metadata": {"name": "hook", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": SIGNING}},
        "stringData": {"hmac": SIGNING},
    }
    auths = {"auths": {host: {"auth": base64.b64encode(f"robot:{PASSWORD}".encode()).decode()}}}
    pull = {
        "metadata": {"name": "pull"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps(auths)},
    }
    site.send("POST", SECRETS, hook, 201)
    site.send("POST", SECRETS, pull, 201)
    site.send("PATCH", f"{SECRETS}/hook", {"stringData": {"more": PATCHED}}, 200, **STRATEGIC)
    wrong = base64.b64encode(REFUSED.encode()).decode()
    for body in (
        {"data": {"k": f"%{REFUSED}"}},
        {"data": {"k": [wrong]}},
        {"data": wrong},
        f'{{"data": {{"k": "{wrong}"',
    ):
        named = body if isinstance(body, str) else {"metadata": {"name": "bad"}, **body}
        site.send("POST", SECRETS, named, 400)
    docker = {"metadata": {"name": "bad"}, "type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": REFUSED}}
    site.send("POST", SECRETS, docker, 422)
    site.send("PATCH", f"{SECRETS}/hook", {"type": "other", "stringData": {"k": REFUSED}}, 422, **MERGE)


def importing(host: str) -> dict[str, Any]:
    source = {"from": {"kind": "DockerImage", "name": f"{host}/private:1"}, "importPolicy": {"insecure": True}}
    return {"metadata": {"name": "imported"}, "spec": {"import": True, "images": [source]}}


def trigger(site: Site, url: str) -> None:
    """Have the move of a tag told with a signature."""
    place = {"kind": "ImageStreamTag", "name": "app:latest"}
    webhook = {"url": url, "secretRef": {"name": "hook", "key": "hmac"}}
    site.send("POST", f"{IMAGES}/imagestreams", {"metadata": {"name": "app"}}, 201)
    body = {"metadata": {"name": "deploy"}, "spec": {"from": place, "webhook": webhook}}
    site.send("POST", TRIGGERS, body, 201)
    digest = "sha256:" + hashlib.sha256(b"image").hexdigest()
    image = {"metadata": {"name": digest}, "dockerImageReference": f"registry.example.com/app@{digest}"}
    site.send(
        "POST", f"{IMAGES}/imagestreammappings", {"metadata": {"name": "app"}, "image": image, "tag": "latest"}, 201
    )
    wait_until(lambda: bool(site.signatures), seconds=20, what="the consumer was told")


def test_secrets_were_used(site: Site) -> None:
    assert set(site.credentials) == {f"robot:{PASSWORD}"}
    assert site.signatures[0]


def test_what_looks_for_traces_finds_them(site: Site) -> None:
    answer = site.client.get(f"{site.server.url}{SECRETS}")

    assert traces(answer.content) == [SIGNING, PASSWORD, PATCHED]
    assert traces(json.dumps({"data": {"k": REFUSED}}).encode()) == [REFUSED]


def test_no_file_and_no_table_holds_a_trace(site: Site) -> None:
    content = site.content()

    assert MARK.encode() in content
    assert traces(content) == []


def test_no_line_of_the_log_holds_a_trace(site: Site) -> None:
    log = site.server.log

    assert "DEBUG" in log
    assert traces(log.encode()) == []


@pytest.mark.parametrize("selector", ["", "tier=gold"])
def test_a_list_and_its_watch_agree(site: Site, selector: str) -> None:
    def act() -> None:
        for labels in ({"tier": "gold"}, {"tier": None}, {"tier": "gold"}, {"tier": None}):
            patch = {"metadata": {"labels": labels}, "stringData": {"n": str(labels)}}
            site.send("PATCH", f"{SECRETS}/hook", patch, 200, **MERGE)
        site.send("POST", SECRETS, {"metadata": {"name": "short-lived", "labels": {"tier": "gold"}}}, 201)
        site.send("DELETE", f"{SECRETS}/short-lived", "", 200)

    list_matches_watch(site.client, f"{site.server.url}{SECRETS}", act, selector=selector)


def test_the_key_is_changed_in_three_steps(site: Site) -> None:
    old, new = (site.server.data_dir / "encryption.key").read_text().strip(), Fernet.generate_key().decode()
    before = site.client.get(f"{site.server.url}{SECRETS}").json()["items"]

    site.set_keys(f"{new},{old}")
    there = site.sealed()
    done = site.reseal()
    site.set_keys(new)

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"encrypted again: {there}, 1 other keys\n"
    assert site.client.get(f"{site.server.url}{SECRETS}").json()["items"] == before
    content = site.content()
    assert f"{MARK}{key_name(new)}:".encode() in content
    assert f"{MARK}{key_name(old)}:".encode() not in content
    assert traces(content) == []


# Which keys are missing, and what is dropped, is asked of each kind of database in tests/kube/test_sealing.py.
one_kind = pytest.mark.parametrize("site", ["sqlite"], indirect=True)


@one_kind
def test_a_server_without_the_key_does_not_start(site: Site) -> None:
    kept = site.server.environ.get(f"{PREFIX}ENCRYPTION_KEY", "")
    other = Fernet.generate_key().decode()

    with pytest.raises(ProcessError) as caught:
        site.set_keys(other)

    site.server.environ[f"{PREFIX}ENCRYPTION_KEY"] = kept
    assert "CommandError: REGISTRY_META_ENCRYPTION_KEY: " in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert other not in str(caught.value)
    site.server.start()
    assert site.client.get(f"{site.server.url}{SECRETS}/hook").status_code == 200


@one_kind
def test_secrets_whose_key_is_lost_can_be_dropped(site: Site) -> None:
    with pytest.raises(ProcessError):
        site.set_keys(Fernet.generate_key().decode())
    there = site.sealed()

    refused, dropped = site.reseal(), site.reseal("--drop-unreadable")

    assert refused.returncode == 1
    objects, _, changes = there.partition(" and ")
    assert re.search(rf"CommandError: {objects} \(tests/hook, tests/pull\b[^)]*\) and {changes}", refused.stderr)
    assert f"deleted: {there}, 1 other keys\n" in dropped.stdout
    site.server.start()
    assert site.client.get(f"{site.server.url}{SECRETS}").json()["items"] == []


def test_a_file_of_keys_that_holds_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "encryption.key").write_text("\n")
    with pytest.raises(
        ProcessError, match=r"error: REGISTRY_META_DATA_DIR: \S+encryption.key is not a Fernet key"
    ) as caught:
        Server(data_dir=tmp_path).start()

    assert "Traceback" not in str(caught.value)
