"""Imports on a running server go through the mirrors of the cluster, whoever does them and however long it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from registry_meta import certificates
from tests.processes import wait_until
from tests.registries import Distribution, Reply, Request, StandIn
from tests.requirements import found
from tests.served.api import Api
from tests.server import Server

CONFIG = "apis/config.openshift.io/v1"
OLD = "apis/operator.openshift.io/v1alpha1/imagecontentsourcepolicies"
PATIENCE = 30.0
NEVER = "NeverContactSource"


@pytest.fixture
def api(served: Server) -> Api:
    return Api(served)


@pytest.fixture(scope="module")
def mirror() -> Iterator[Distribution]:
    """A second registry."""
    if not found("docker-registry"):
        pytest.skip("docker-registry is not installed")
    with Distribution() as running:
        yield running


@pytest.fixture
def silent() -> Iterator[StandIn]:
    """A registry that would answer, and keeps who asked."""
    with StandIn(lambda request: Reply(200, "{}")) as running:
        yield running


class Mirrors:
    """Sets of mirrors that are made for a test and removed after it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._made: list[str] = []

    def add(self, path: str, field: str, source: str, *mirrors: str, policy: str = "") -> None:
        """Make a set of one source."""
        entry = {"source": source, "mirrors": list(mirrors), **({"mirrorSourcePolicy": policy} if policy else {})}
        body = {"metadata": {"generateName": "served-"}, "spec": {field: [entry]}}
        self._made.append(f"{path}/{self._api.post(path, body)['metadata']['name']}")

    def tags(self, source: str, *mirrors: str, policy: str = "") -> None:
        """Make mirrors for tags."""
        self.add(f"{CONFIG}/imagetagmirrorsets", "imageTagMirrors", source, *mirrors, policy=policy)

    def digests(self, source: str, *mirrors: str, policy: str = "") -> None:
        """Make mirrors for digests."""
        self.add(f"{CONFIG}/imagedigestmirrorsets", "imageDigestMirrors", source, *mirrors, policy=policy)

    def remove(self) -> None:
        """Remove what was made."""
        for path in self._made:
            self._api.session.delete(self._api.url(path), timeout=PATIENCE)
        self._made.clear()


@pytest.fixture
def mirrors(api: Api) -> Iterator[Mirrors]:
    made = Mirrors(api)
    yield made
    made.remove()


def outcome(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what came of the one image of an import."""
    [image] = answer["status"]["images"]
    found: dict[str, Any] = image
    return found


def test_an_import_is_of_the_mirror_while_there_is_one_and_of_the_source_after(
    api: Api, registry: Distribution, mirror: Distribution, mirrors: Mirrors
) -> None:
    at_source = registry.push("served-mirrors/app", "v1", seed="mirrored, source")
    at_mirror = mirror.push("copies/app", "v1", seed="mirrored, mirror")
    pullspec = registry.pullspec("served-mirrors/app", tag="v1")
    mirrors.tags(f"{registry.host}/served-mirrors", f"{mirror.host}/copies")

    through = outcome(api.bring_in("app", {"t": pullspec}))
    mirrors.remove()
    straight = outcome(api.bring_in("app", {"t": pullspec}))

    name = registry.pullspec("served-mirrors/app")
    assert through["image"]["dockerImageReference"] == f"{name}@{at_mirror}"
    assert straight["image"]["dockerImageReference"] == f"{name}@{at_source}"
    assert api.history("app", "t") == [at_source, at_mirror]


def test_a_worker_imports_from_the_mirror_of_a_source_that_hears_nothing(
    api: Api, mirror: Distribution, silent: StandIn, mirrors: Mirrors
) -> None:
    digest = mirror.push("copies/multi", "v1", seed="never contacted", kind="index")
    mirrors.tags(f"{silent.host}/team", f"{mirror.host}/copies", policy=NEVER)
    mirrors.digests(f"{silent.host}/team", f"{mirror.host}/copies", policy=NEVER)

    api.stream("by-tag", {"t": f"{silent.host}/team/multi:v1"}, scheduled=True)
    api.stream("by-digest", {"t": f"{silent.host}/team/multi@{digest}"})
    api.stream("missing", {"t": f"{silent.host}/team/multi:v2"}, scheduled=True)

    for stream in ("by-tag", "by-digest"):
        wait_until(partial(is_imported, api, stream), seconds=PATIENCE, what=f"{stream} is imported")
    wait_until(lambda: bool(failure(api, "missing")), seconds=PATIENCE, what="the failure is told")
    assert failure(api, "missing").endswith(f"not contacted, the policy of its mirrors is {NEVER}]")
    assert silent.connections == 0


def is_imported(api: Api, stream: str) -> bool:
    """Return whether the tag of a stream points to something."""
    return bool(api.history(stream, "t"))


def failure(api: Api, stream: str) -> str:
    """Return the message of the condition of a stream's tag, or nothing."""
    status = api.get(f"{api.place('imagestreams')}/{stream}").get("status", {})
    conditions = [found for tag in status.get("tags", []) for found in tag.get("conditions", [])]
    return str(conditions[0]["message"]) if conditions else ""


def test_an_old_policy_counts_for_digests_alone(
    api: Api, registry: Distribution, mirror: Distribution, mirrors: Mirrors
) -> None:
    digest = mirror.push("copies/old", "v1", seed="an old policy")
    mirrors.add(OLD, "repositoryDigestMirrors", f"{registry.host}/served-old", f"{mirror.host}/copies")

    by_digest = outcome(api.bring_in("app", {"d": registry.pullspec("served-old/old", digest=digest)}))
    by_tag = outcome(api.bring_in("app", {"t": registry.pullspec("served-old/old", tag="v1")}))

    assert by_digest["status"]["status"] == "Success"
    assert by_tag["status"]["reason"] == "NotFound"


def test_the_tags_of_a_repository_are_those_of_its_mirror(
    api: Api, mirror: Distribution, silent: StandIn, mirrors: Mirrors
) -> None:
    for tag in ("v1", "v2"):
        mirror.push("copies/listed", tag, seed=f"listed {tag}")
    mirrors.tags(f"{silent.host}/team", f"{mirror.host}/copies", policy=NEVER)
    source = {"from": {"kind": "DockerImage", "name": f"{silent.host}/team/listed"}, "importPolicy": {"insecure": True}}

    answer = api.post(
        api.place("imagestreamimports"),
        {"metadata": {"name": "listed"}, "spec": {"import": True, "repository": source}},
    )

    assert [image["tag"] for image in answer["status"]["repository"]["images"]] == ["v1", "v2"]
    assert silent.connections == 0


def test_streams_follow_the_hosts_of_the_cluster(api: Api) -> None:
    api.post(api.place("imagestreams"), {"metadata": {"name": "app"}})
    path = f"{CONFIG}/images/cluster"

    def public() -> str:
        status = api.get(f"{api.place('imagestreams')}/app").get("status", {})
        return str(status.get("publicDockerImageRepository", ""))

    api.patch(path, {"spec": {"externalRegistryHostnames": ["registry.example.com"]}})
    try:
        wanted = f"registry.example.com/{api.namespace}/app"
        wait_until(lambda: public() == wanted, seconds=PATIENCE, what="the stream has an address")
    finally:
        api.patch(path, {"spec": {"externalRegistryHostnames": None}})
    wait_until(lambda: not public(), seconds=PATIENCE, what="the stream has none any more")


def test_an_authority_of_the_cluster_is_trusted_with_its_registry(api: Api, tmp_path: Path) -> None:
    authority, pair = secured(tmp_path)

    def answer(request: Request) -> Reply:
        return Reply(200, '{"tags": []}')

    with ExitStack() as stack:
        site = stack.enter_context(StandIn(answer, tls=pair))
        name = f"cas-{api.namespace}"
        key = site.host.replace(":", "..")
        api.post(
            "api/v1/namespaces/openshift-config/configmaps", {"metadata": {"name": name}, "data": {key: authority}}
        )
        before = repository_status(api, site)
        stack.callback(api.patch, f"{CONFIG}/images/cluster", {"spec": {"additionalTrustedCA": None}})
        api.patch(f"{CONFIG}/images/cluster", {"spec": {"additionalTrustedCA": {"name": name}}})
        trusted = repository_status(api, site)
        api.patch(f"api/v1/namespaces/openshift-config/configmaps/{name}", {"data": {key: None}})
        after = repository_status(api, site)

    assert "certificate signed by unknown authority" in before
    assert trusted == "Success"
    assert "certificate signed by unknown authority" in after


def repository_status(api: Api, site: StandIn) -> str:
    """Return what a look at the tags of a repository came to."""
    source = {"from": {"kind": "DockerImage", "name": f"{site.host}/team/app"}}
    body = {"metadata": {"name": "looked"}, "spec": {"import": False, "repository": source}}
    status = api.post(api.place("imagestreamimports"), body)["status"]["repository"]["status"]
    return str(status.get("message") or status["status"])


def secured(folder: Path) -> tuple[str, tuple[Path, Path]]:
    """Return an authority as PEM, and the files of a certificate under it for 127.0.0.1 with its key."""
    now = datetime.now(UTC)
    authority = certificates.new_authority(now=now)
    made = certificates.new_server(authority, names=["127.0.0.1"], now=now)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    pair = (folder / "server.pem", folder / "server.key")
    pair[0].write_bytes(made.certificate.public_bytes(pem))
    pair[1].write_bytes(made.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return authority.certificate.public_bytes(pem).decode(), pair
