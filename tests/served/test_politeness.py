"""A server of several processes and a registry that wants to be left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from imagestreams.upstream import media
from tests.redis_server import Redis
from tests.registries import Reply, Request, StandIn
from tests.requirements import found
from tests.server import Server

IMPORTS = "/apis/image.openshift.io/v1/namespaces/default/imagestreamimports"
CONFIG = json.dumps({"os": "linux", "architecture": "amd64", "config": {}}).encode()
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": {"mediaType": "application/json", "digest": media.digest(CONFIG), "size": len(CONFIG)},
        "layers": [],
    }
).encode()
BUSY = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "come back later"}]})


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    """A server whose two web processes share Redis."""
    if not found("redis-server"):
        pytest.skip("redis-server is not installed")
    environment = {"ALLOW_PRIVATE_NETWORKS": "true", "WEB_WORKERS": "2"}
    with Redis() as redis, Server(redis_url=redis.url, environment=environment) as running:
        yield running


def registry(headers: dict[str, str], *, status: int = 200) -> StandIn:
    def answer(request: Request) -> Reply | None:
        if request.path == "/v2/":
            return Reply(200, "{}")
        if "/manifests/" in request.path:
            kind = {"Content-Type": media.OCI_MANIFEST, **headers}
            return Reply(status, MANIFEST if status == 200 else BUSY, kind)
        return Reply(200, CONFIG)

    return StandIn(answer)


def bring_in(server: Server, source: str) -> dict[str, object]:
    """Import a tag over a connection of its own, so that any process may do it, and return its status."""
    image = {"from": {"kind": "DockerImage", "name": source}, "importPolicy": {"insecure": True}}
    body = {
        "kind": "ImageStreamImport",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": "polite"},
        "spec": {"import": False, "images": [image]},
    }
    with server.client() as client:
        answer = client.post(server.url + IMPORTS, json=body, timeout=60)
    answer.raise_for_status()
    status: dict[str, object] = answer.json()["status"]["images"][0]["status"]
    return status


def sample(server: Server, name: str, host: str) -> float:
    with server.client() as client:
        text = client.get(f"{server.url}/metrics").text
    lines = [line for line in text.splitlines() if line.startswith(f'{name}{{host="{host}"')]
    return float(lines[0].rpartition(" ")[2]) if lines else -1.0


def test_what_one_process_is_told_keeps_all_away(shared: Server) -> None:
    with registry({"Retry-After": "60"}, status=429) as busy:
        first = bring_in(shared, f"{busy.host}/a/b:v1")
        asked = len(busy.asked("/v2/a"))

        others = [bring_in(shared, f"{busy.host}/a/b:v{number}") for number in range(8)]

        assert "come back later" in str(first["message"])
        assert all("come back later" in str(other["message"]) for other in others)
        assert len(busy.asked("/v2/a")) == asked == 1
        until = sample(shared, "registry_meta_upstream_limited_until_timestamp_seconds", busy.host)
        assert 30 < until - time.time() <= 60


def test_what_is_left_of_a_quota_is_told(shared: Server) -> None:
    with registry({"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "42;w=21600"}) as counting:
        assert bring_in(shared, f"{counting.host}/a/b:v1")["status"] == "Success"

        assert sample(shared, "registry_meta_upstream_quota_remaining", counting.host) == 42
