"""Limits and quotas as their administrators and their users meet them: kubectl, pushes, and imports by workers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.processes import wait_until
from tests.registries import Distribution
from tests.requirements import needs
from tests.served.api import Api
from tests.served.kubectl import Kubectl
from tests.server import Server

PATIENCE = 20.0
PLACES, ASKING = 3, 10
STREAM_LIMIT = {"type": "openshift.io/ImageStream", "max": {"openshift.io/images": "2"}}


@pytest.fixture
def api(served: Server) -> Api:
    """A namespace of its own."""
    return Api(served)


def quota(api: Api, **hard: str) -> None:
    api.post(api.place("resourcequotas", prefix="api/v1"), {"metadata": {"name": "q"}, "spec": {"hard": hard}})


def used(api: Api) -> dict[str, str]:
    found: dict[str, str] = api.get(api.place("resourcequotas/q", prefix="api/v1"))["status"]["used"]
    return found


def limit(api: Api, *limits: dict[str, Any]) -> None:
    api.post(api.place("limitranges", prefix="api/v1"), {"metadata": {"name": "l"}, "spec": {"limits": list(limits)}})


def conditions(api: Api, stream: str) -> dict[str, dict[str, Any]]:
    """Return what is the matter with the tags of a stream."""
    tags = api.get(api.place(f"imagestreams/{stream}"))["status"].get("tags") or []
    return {tag["tag"]: tag["conditions"][0] for tag in tags if tag.get("conditions")}


def test_clients_of_all_processes_share_the_places(api: Api) -> None:
    quota(api, **{"openshift.io/imagestreams": str(PLACES)})

    def ask(number: int) -> int:
        with api.server.client() as client:
            body = {"metadata": {"name": f"s{number}"}}
            answer: requests.Response = client.post(api.url(api.place("imagestreams")), json=body, timeout=PATIENCE)
            return answer.status_code

    with ThreadPoolExecutor(ASKING) as pool:
        answers = sorted(pool.map(ask, range(ASKING)))

    assert answers == [201] * PLACES + [403] * (ASKING - PLACES)
    assert used(api) == {"openshift.io/imagestreams": str(PLACES)}


def test_what_is_deleted_is_given_back(api: Api) -> None:
    quota(api, **{"count/secrets": "5"})
    for name in ("a", "b"):
        api.secret(name, {"k": "v"})
    assert used(api) == {"count/secrets": "2"}

    api.session.delete(api.url(api.place("secrets/a", prefix="api/v1")))

    wait_until(lambda: used(api) == {"count/secrets": "1"}, seconds=PATIENCE, what="the quota is counted anew")


def test_an_import_over_the_limit_is_told_at_each_tag_until_those_that_fit_are_asked_for(
    api: Api, registry: Distribution
) -> None:
    repository = f"limits/{api.namespace}"
    sources = {}
    for tag in ("a", "b", "c"):
        registry.push(repository, tag, seed=f"{repository} {tag}")
        sources[tag] = registry.pullspec(repository, tag=tag)
    limit(api, STREAM_LIMIT)

    api.stream("app", sources)

    wait_until(lambda: len(conditions(api, "app")) == 3, seconds=PATIENCE, what="the tags say what is the matter")
    found = conditions(api, "app")["c"]
    assert (found["type"], found["status"], found["reason"]) == ("ImportSuccess", "False", "Invalid")
    assert "openshift.io/images exceeds the maximum limit per openshift.io/ImageStream (3 > 2)" in found["message"]

    api.patch(api.place("imagestreams/app"), {"spec": {"tags": None}})
    api.bring_in("app", {tag: sources[tag] for tag in ("a", "b")})

    assert sorted(conditions(api, "app")) == ["c"]
    assert len(api.history("app", "a")) == 1


def test_a_moved_tag_over_the_limit_stays_and_says_why(api: Api, registry: Distribution) -> None:
    repository = f"limits/{api.namespace}-moved"
    for seed in ("one", "two"):
        registry.push(repository, "latest", seed=f"{repository} {seed}")
        api.bring_in("app", {"latest": registry.pullspec(repository, tag="latest")})
    limit(api, STREAM_LIMIT)
    before = api.history("app", "latest")

    registry.push(repository, "latest", seed=f"{repository} three")
    body = {"spec": {"tags": [{"name": "latest", "generation": 0,
                               "from": {"kind": "DockerImage", "name": registry.pullspec(repository, tag="latest")},
                               "importPolicy": {"insecure": True}}]}}  # fmt: skip
    api.patch(api.place("imagestreams/app"), body)

    wait_until(lambda: "latest" in conditions(api, "app"), seconds=PATIENCE, what="the tag says what is the matter")
    assert api.history("app", "latest") == before


@needs("kubectl")
def test_kubectl_makes_and_describes_quotas_and_limits(api: Api, tmp_path: Path) -> None:
    kubectl = Kubectl(api.server, tmp_path, namespace=api.namespace)
    limits = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [STREAM_LIMIT]}}
    hard = "count/secrets=10,openshift.io/imagestreams=2,secrets=1k"

    assert kubectl("create", "quota", "q", f"--hard={hard}") == "resourcequota/q created\n"
    assert kubectl("apply", "-f", "-", stdin=json.dumps(limits)) == "limitrange/l created\n"
    assert kubectl("apply", "-f", "-", stdin=json.dumps(limits)) == "limitrange/l unchanged\n"

    rows = kubectl("get", "quota").splitlines()
    assert rows[0].split() == ["NAME", "REQUEST", "LIMIT", "AGE"]
    assert "count/secrets: 0/10, openshift.io/imagestreams: 0/2, secrets: 0/1k" in rows[1]
    described = [line.split() for line in kubectl("describe", "quota", "q").splitlines()]
    assert ["openshift.io/imagestreams", "0", "2"] in described
    described = [line.split() for line in kubectl("describe", "limits", "l").splitlines()]
    assert ["openshift.io/ImageStream", "openshift.io/images", "-", "2", "-", "-", "-"] in described
    text = kubectl("describe", "namespace", api.namespace)
    assert "Resource Quotas" in text
    assert "Resource Limits" in text
    assert "A number with a suffix" in kubectl("explain", "quota.spec.hard")
