"""What operators see of a server with several processes: metrics, audit and overload."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.processes import wait_until
from tests.server import Server

NAMESPACES = "/api/v1/namespaces"
STREAMS = "/apis/image.openshift.io/v1/namespaces/default/imagestreams"
READS = 40
HOLDS_ONE = {"MAX_REQUESTS_INFLIGHT": "1", "WEB_WORKERS": "3"}
ASKED = 'verb="GET"', 'resource="namespaces"', 'code="200"'


@pytest.fixture(scope="module")
def audit_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the audit."""
    return tmp_path_factory.mktemp("audit") / "audit.log"


@pytest.fixture(scope="module")
def observed(audit_log: Path) -> Iterator[Server]:
    """A server that lets in one request a process."""
    with Server(environment={**HOLDS_ONE, "AUDIT_LOG": str(audit_log)}) as running:
        yield running


def scrape(server: Server) -> str:
    answer = fresh(server, "/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def fresh(server: Server, path: str) -> requests.Response:
    """Ask over a connection of its own, so that any of the processes may answer."""
    with server.client() as client:
        return client.get(f"{server.url}{path}")


def total(text: str, name: str, *labels: str) -> float:
    """Return the sum of the samples of a metric that have some labels."""
    lines = [line for line in text.splitlines() if re.match(rf"{name}[{{ ]", line)]
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(label in line for label in labels))


def test_whichever_process_answers_tells_the_sum(observed: Server) -> None:
    before = total(scrape(observed), "apiserver_request_total", *ASKED)
    for _ in range(READS):
        assert fresh(observed, f"{NAMESPACES}/default").status_code == 200

    texts = [scrape(observed) for _ in range(8)]

    assert {total(text, "apiserver_request_total", *ASKED) - before for text in texts} == {READS}
    counted = {total(text, "apiserver_request_duration_seconds_count", *ASKED[:2]) for text in texts}
    assert counted == {before + READS}
    assert {total(text, "apiserver_current_inflight_requests") for text in texts} == {1}


def test_a_process_that_dies_leaves_what_it_counted(observed: Server) -> None:
    before = total(scrape(observed), "apiserver_request_total", *ASKED)
    os.kill(observed.pids()["web"][1], signal.SIGKILL)
    wait_until(lambda: len(observed.pids()["web"]) == 4, seconds=10, what="another process has taken its place")

    def unbroken() -> bool:
        try:
            return total(scrape(observed), "apiserver_request_total", *ASKED) == before
        except requests.ConnectionError:
            return False

    wait_until(unbroken, seconds=10, what="the sum is what it was")


def test_an_open_watch_is_counted_until_it_ends(observed: Server) -> None:
    with observed.client() as client:
        watch = client.get(f"{observed.url}{NAMESPACES}?watch=1", stream=True)
        frames = watch.iter_content(1)  # which closes the connection once nobody has it
        next(frames)
        text = scrape(observed)
        watch.close()

    assert total(text, "apiserver_longrunning_requests", 'verb="WATCH"', 'resource="namespaces"') == 1
    assert total(text, "apiserver_registered_watchers", 'resource="namespaces"') == 1

    def is_over() -> bool:
        write(observed)  # a client that has left is noticed when there is something to tell it
        return total(scrape(observed), "apiserver_longrunning_requests") == 0

    wait_until(is_over, seconds=20, what="no watch is counted")


def write(server: Server) -> None:
    """Change the namespace that every server has."""
    patch = {"metadata": {"annotations": {"count": str(time.monotonic())}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    with server.client() as client:
        client.patch(f"{server.url}{NAMESPACES}/default", json=patch, headers=headers).raise_for_status()


def test_what_waits_is_told(observed: Server) -> None:
    text = scrape(observed)

    assert {name for name in ("imports", "triggers") if f'registry_meta_consumer_lag{{consumer="{name}"}}' in text}
    assert total(text, "registry_meta_queue_depth", 'queue="imports"') == 0
    assert total(text, "registry_meta_queue_depth", 'queue="deliveries"') == 0
    assert total(text, "registry_meta_change_log_version") > 0


def test_the_worker_counts_what_it_imports(observed: Server) -> None:
    source = {"kind": "DockerImage", "name": "127.0.0.1:1/app:latest"}
    body = {
        "kind": "ImageStream", "apiVersion": "image.openshift.io/v1", "metadata": {"name": "unreachable"},
        "spec": {"tags": [{"name": "latest", "from": source}]},
    }  # fmt: skip

    with observed.client() as client:
        client.post(f"{observed.url}{STREAMS}", json=body).raise_for_status()

    def is_done() -> bool:
        return total(scrape(observed), "registry_meta_imports_total", 'outcome="Done"') == 1

    wait_until(is_done, seconds=20, what="the import is counted")
    text = scrape(observed)
    assert total(text, "registry_meta_imported_images_total") == 1
    assert total(text, "registry_meta_imported_images_total", 'outcome="Success"') == 0


def test_the_audit_goes_to_its_file(observed: Server, audit_log: Path) -> None:
    with observed.client() as client:
        body = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "audited"}}
        answer = client.post(f"{observed.url}{NAMESPACES}", json=body)
    moved = audit_log.rename(audit_log.with_suffix(".1"))
    with observed.client() as client:
        client.delete(f"{observed.url}{NAMESPACES}/audited").raise_for_status()

    first, second = json.loads(moved.read_text().splitlines()[-1]), json.loads(audit_log.read_text())
    assert (first["verb"], first["auditID"]) == ("create", answer.headers["Audit-ID"])
    assert (second["verb"], second["objectRef"]["name"]) == ("delete", "audited")
    assert "audit.k8s.io" not in observed.log


def test_who_comes_when_it_is_full_is_asked_to_come_back(observed: Server) -> None:
    with observed.client() as client:
        token = client.post(
            f"{observed.url}{NAMESPACES}/default/serviceaccounts/default/token",
            json={"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {}},
        ).json()["status"]["token"]

    def ask(_: int) -> requests.Response:
        with observed.client(token) as client:
            return client.get(f"{observed.url}/apis")

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(120)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert total(scrape(observed), "apiserver_request_total", 'code="429"') == len(refused)
    assert fresh(observed, f"{NAMESPACES}/default").status_code == 200
