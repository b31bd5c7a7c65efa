"""Pull secrets on a running server: which are used in what order, and what the answer of an import tells of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_until
from tests.registries import PASSWORDS, ROBOT, Distribution
from tests.requirements import found
from tests.served.api import IMAGES, Api
from tests.served.kubectl import Kubectl, Oc
from tests.server import Server

Json = dict[str, Any]
ANNOTATION = "import.registry-meta.io/credentials"
DOCKERCONFIGJSON = "kubernetes.io/dockerconfigjson"
RBAC = "apis/rbac.authorization.k8s.io/v1"
WRONG = "correct-horse-battery"


@pytest.fixture(scope="module")
def closed() -> Iterator[Distribution]:
    """A registry that wants a password, with one image."""
    if not found("docker-registry"):
        pytest.skip("docker-registry is not installed")
    with Distribution().start(htpasswd=PASSWORDS) as running:
        running.push("team/app", "v1", seed="closed")
        yield running


@pytest.fixture
def api(served: Server) -> Api:
    return Api(served)


def config(registry: Distribution, password: str) -> str:
    entry = {"username": ROBOT[0], "password": password}
    return json.dumps({"auths": {registry.host: entry}})


def pull_secret(api: Api, name: str, registry: Distribution, password: str = ROBOT[1]) -> None:
    api.secret(name, {".dockerconfigjson": config(registry, password)}, type_=DOCKERCONFIGJSON)


def look(api: Api, registry: Distribution, *, write: bool = False, user: str = "") -> Json:
    """Look at the image with an import, and return the answer."""
    source = {"kind": "DockerImage", "name": registry.pullspec("team/app", tag="v1")}
    image = {"from": source, "importPolicy": {"insecure": True}}
    body = {"metadata": {"name": "app"}, "spec": {"import": write, "images": [image]}}
    headers = {"Impersonate-User": user} if user else {}
    answer = api.session.post(api.url(api.place("imagestreamimports")), json=body, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text
    document: Json = answer.json()
    return document


def told(answer: Json) -> Json:
    """Return what an answer tells of the one repository."""
    (repository,) = json.loads(answer["metadata"]["annotations"][ANNOTATION])["repositories"]
    document: Json = repository
    return document


def outcomes(answer: Json) -> list[tuple[str, str]]:
    tried = told(answer)["tried"]
    return [(one["credential"].get("name", one["credential"]["kind"]), one["outcome"]) for one in tried]


def test_a_look_tells_which_secret_opens_a_registry(api: Api, closed: Distribution) -> None:
    pull_secret(api, "old", closed, WRONG)
    pull_secret(api, "young", closed)

    answer = look(api, closed)

    assert answer["status"]["images"][0]["status"]["status"] == "Success"
    assert outcomes(answer) == [("old", "Refused"), ("young", "Accepted")]
    assert WRONG not in json.dumps(answer)


def test_the_secret_that_the_default_account_pulls_with_comes_first(api: Api, closed: Distribution) -> None:
    pull_secret(api, "old", closed, WRONG)
    pull_secret(api, "young", closed)
    accounts = api.place("serviceaccounts", prefix="api/v1")
    reference = {"imagePullSecrets": [{"name": "young"}]}
    if api.session.get(api.url(f"{accounts}/default"), timeout=30).status_code == 404:
        api.post(accounts, {"metadata": {"name": "default"}, **reference})
    else:
        api.patch(f"{accounts}/default", reference)

    assert outcomes(look(api, closed)) == [("young", "Accepted")]


def test_a_failed_import_tells_why_and_the_stream_keeps_the_words_of_old(api: Api, closed: Distribution) -> None:
    pull_secret(api, "old", closed, WRONG)

    answer = look(api, closed, write=True)

    status = answer["status"]["images"][0]["status"]
    place = closed.pullspec("team/app", tag="v1")
    assert (status["reason"], status["message"]) == (
        "Unauthorized",
        f'you may not have access to the container image "{place}"',
    )
    assert told(answer)["advice"].startswith(f'Renew the key "{closed.host}" of the secret "old"')
    assert ANNOTATION not in json.dumps(answer["status"])


def test_an_import_that_goes_well_has_no_such_annotation(api: Api, closed: Distribution) -> None:
    pull_secret(api, "young", closed)

    assert "annotations" not in look(api, closed, write=True)["metadata"]


def test_who_may_only_import_learns_no_names_of_secrets(api: Api, closed: Distribution) -> None:
    pull_secret(api, "hidden-name", closed, WRONG)
    rules = [{"apiGroups": ["image.openshift.io"], "resources": ["imagestreamimports"], "verbs": ["create"]}]
    api.post(api.place("roles", prefix=RBAC), {"metadata": {"name": "importer"}, "rules": rules})
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "ines"}
    role = {"kind": "Role", "apiGroup": "rbac.authorization.k8s.io", "name": "importer"}
    api.post(
        api.place("rolebindings", prefix=RBAC),
        {"metadata": {"name": "importer"}, "subjects": [subject], "roleRef": role},
    )

    answer = look(api, closed, user="ines")

    assert told(answer)["tried"][0]["credential"] == {"kind": "Secret"}
    assert "hidden-name" not in json.dumps(answer)
    assert "hidden-name" in json.dumps(look(api, closed))


def test_what_was_shown_to_registries_is_counted(api: Api, closed: Distribution) -> None:
    pull_secret(api, "old", closed, WRONG)

    look(api, closed)

    metrics = api.session.get(f"{api.server.url}/metrics", timeout=30).text
    assert 'registry_meta_upstream_credentials_total{outcome="Refused"}' in metrics


def test_oc_shows_nothing_odd(served: Server, api: Api, closed: Distribution, tmp_path: Path) -> None:
    if not found("oc"):
        pytest.skip("oc is not installed")
    pull_secret(api, "old", closed, WRONG)
    oc = Oc(served, tmp_path, namespace=api.namespace)

    done = oc.run("import-image", "app:v1", "--from", closed.pullspec("team/app", tag="v1"), "--confirm", "--insecure")

    said = done.stdout + done.stderr
    assert "you may not have access to the container image" in said
    assert "registry-meta.io" not in said


def test_kubectl_describes_why_a_stream_is_not_imported(
    served: Server, api: Api, closed: Distribution, tmp_path: Path
) -> None:
    if not found("kubectl"):
        pytest.skip("kubectl is not installed")
    pull_secret(api, "old", closed, WRONG)
    source = {"kind": "DockerImage", "name": closed.pullspec("team/app", tag="v1")}
    tag = {"name": "v1", "from": source, "importPolicy": {"insecure": True}}
    api.post(api.place("imagestreams"), {"metadata": {"name": "app"}, "spec": {"tags": [tag]}})
    kubectl = Kubectl(served, tmp_path, namespace=api.namespace)

    wait_until(lambda: "ImportFailed" in kubectl("get", "events"), seconds=30, what="an event tells of the import")

    told = kubectl("describe", "is", "app").partition("Events:")[2]
    assert f"{closed.host}/team/app: Renew the pull secret: the registry says that it is wrong" in told
    assert "old" not in told.split()


def test_the_secret_of_the_server_is_for_the_namespaces_that_are_named(closed: Distribution) -> None:
    environment = {
        "ALLOW_PRIVATE_NETWORKS": "true",
        "PULL_SECRET": config(closed, ROBOT[1]),
        "PULL_SECRET_NAMESPACES": "team-*,shop",
    }
    with Server(environment=environment) as server:
        allowed, other = look(Api(server, "team-a"), closed), look(Api(server, "elsewhere"), closed)

    assert told(allowed)["accepted"] == {"kind": "Server"}
    assert other["status"]["images"][0]["status"]["reason"] == "Unauthorized"
    assert [one["reason"] for one in told(other)["skipped"]] == ["NotForThisNamespace"]


def test_the_subresource_lists_what_imports_may_use(api: Api, closed: Distribution) -> None:
    pull_secret(api, "young", closed)
    api.secret("plain", {"key": "value"})

    listed = api.get(f"{IMAGES}/namespaces/{api.namespace}/imagestreams/app/secrets")

    assert [item["metadata"]["name"] for item in listed["items"]] == ["young"]
