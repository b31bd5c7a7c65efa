"""What the image configuration of the cluster does to streams, tags and requests to import."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagestreams import addresses, configuration
from imagestreams.reference import PullSpec
from registry_meta.kube.meta import now
from tests.authz.conftest import MERGE, Api, bind
from tests.imagestreams.asking import opened, person
from tests.imagestreams.builders import digest

NAMESPACE = "/apis/image.openshift.io/v1/namespaces/shop"
CONFIG = "/apis/config.openshift.io/v1/images"
LISTED = '"example.com:443"'
REFUSED = f'registry "quay.io" not allowed by whitelist: {LISTED}'


@pytest.fixture
def admin(db: None) -> Api:
    return opened()


def configure(admin: Api, **spec: Any) -> None:
    body = {"metadata": {"name": "cluster"}, "spec": spec}
    status, answer = admin.post(CONFIG, body)
    if status == 409:
        status, answer = admin.patch(f"{CONFIG}/cluster", {"spec": spec}, MERGE)
    assert status in (200, 201), answer


def found(admin: Api, **status: Any) -> None:
    configure(admin)
    code, answer = admin.patch(f"{CONFIG}/cluster/status", {"status": status}, MERGE)
    assert code == 200, answer


def a_stream(name: str, source: str = "") -> dict[str, Any]:
    tags = [{"name": "t", "from": {"kind": "DockerImage", "name": source}}] if source else []
    return {"metadata": {"name": name}, "spec": {"tags": tags}}


def an_import(source: str, **spec: Any) -> dict[str, Any]:
    images = [{"from": {"kind": "DockerImage", "name": source}, "to": {"name": "t"}}]
    return {"metadata": {"name": "app"}, "spec": {"import": False, "images": images, **spec}}


def causes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cause["field"], cause["message"]) for cause in answer["details"]["causes"]]


def test_a_stream_of_a_registry_that_is_not_allowed_is_refused_to_everybody(admin: Api) -> None:
    configure(admin, allowedRegistriesForImport=[{"domainName": "example.com"}])

    for writer in (admin, person(admin, "jane", "edit")):
        status, answer = writer.post(f"{NAMESPACE}/imagestreams", a_stream("app", "quay.io/a/b:1"))

        assert (status, causes(answer)) == (422, [("spec.tags[t].from.name", f"Forbidden: {REFUSED}")])
    assert admin.post(f"{NAMESPACE}/imagestreams", a_stream("app", "example.com/a/b:1"))[0] == 201


def test_what_a_stream_had_before_the_list_it_keeps(admin: Api) -> None:
    admin.post(f"{NAMESPACE}/imagestreams", a_stream("app", "quay.io/a/b:1"))
    configure(admin, allowedRegistriesForImport=[{"domainName": "example.com"}])
    path = f"{NAMESPACE}/imagestreams/app"

    labelled, _ = admin.patch(path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
    moved, _ = admin.patch(path, a_stream("app", "quay.io/a/b:2"), MERGE)
    strayed, _ = admin.patch(path, a_stream("app", "quay.io/a/other:1"), MERGE)

    assert (labelled, moved, strayed) == (200, 200, 422)


@pytest.mark.parametrize(
    ("plural", "body", "field"),
    [
        ("imagestreamtags", {"tag": {"from": {"kind": "DockerImage", "name": "quay.io/a/b:1"}}}, "tag.from.name"),
        ("imagetags", {"spec": {"from": {"kind": "DockerImage", "name": "quay.io/a/b:1"}}}, "spec.from.name"),
    ],
)
def test_a_tag_of_a_registry_that_is_not_allowed_is_refused(
    admin: Api, plural: str, body: dict[str, Any], field: str
) -> None:
    configure(admin, allowedRegistriesForImport=[{"domainName": "example.com"}])
    admin.post(f"{NAMESPACE}/imagestreams", a_stream("app", "example.com/a/b:1"))

    made = admin.post(f"{NAMESPACE}/{plural}", {"metadata": {"name": "app:x"}, **body})
    changed = admin.patch(f"{NAMESPACE}/{plural}/app:t", body, MERGE)

    for status, answer in (made, changed):
        assert (status, causes(answer)) == (422, [(field, f"Forbidden: {REFUSED}")])


def test_an_import_is_refused_to_those_who_may_make_no_images(admin: Api) -> None:
    configure(admin, allowedRegistriesForImport=[{"domainName": "example.com"}])
    jane = person(admin, "jane", "edit")
    asked = an_import("127.0.0.1:1/a/b:1")

    refused, answer = jane.post(f"{NAMESPACE}/imagestreamimports", asked)
    looked, _ = admin.post(f"{NAMESPACE}/imagestreamimports", asked)

    why = f'registry "127.0.0.1:1" not allowed by whitelist: {LISTED}'
    text = f'Forbidden: importing images from registry "127.0.0.1:1" is forbidden: {why}'
    assert (refused, causes(answer)) == (422, [("spec.images[0].from.name", text)])
    assert looked == 201


def test_whoever_may_do_everything_in_a_namespace_may_not_import_from_everywhere(admin: Api) -> None:
    configure(admin, allowedRegistriesForImport=[{"domainName": "example.com"}])
    bind(admin, "shop", "cluster-admin", "owner", name="owner")

    status, _ = admin.acting_for("owner").post(f"{NAMESPACE}/imagestreamimports", an_import("127.0.0.1:1/a/b:1"))

    assert status == 422


def test_pushes_to_the_integrated_registry_are_always_allowed(admin: Api) -> None:
    found(admin, internalRegistryHostname="registry.svc:5000")
    configure(admin, allowedRegistriesForImport=[{"domainName": "example.com"}])
    admin.post(f"{NAMESPACE}/imagestreams", a_stream("app"))

    def pushed(reference: str, image: str) -> int:
        body = {
            "metadata": {"name": "app", "namespace": "shop"},
            "image": {"metadata": {"name": digest(image)}, "dockerImageReference": f"{reference}@{digest(image)}"},
            "tag": "t",
        }
        return admin.post(f"{NAMESPACE}/imagestreammappings", body)[0]

    assert pushed("registry.svc:5000/shop/app", "a") == 201
    assert pushed("quay.io/shop/app", "b") == 422


@pytest.mark.parametrize("part", ["spec", "status"])
def test_the_import_mode_of_the_cluster_is_that_of_tags_that_name_none(admin: Api, part: str) -> None:
    if part == "spec":
        configure(admin, imageStreamImportMode="PreserveOriginal")
    else:
        found(admin, imageStreamImportMode="PreserveOriginal")

    _, made = admin.post(f"{NAMESPACE}/imagestreams", a_stream("app", "quay.io/a/b:1"))

    assert made["spec"]["tags"][0]["importPolicy"]["importMode"] == "PreserveOriginal"


def test_the_hosts_of_the_cluster_are_those_of_its_streams(admin: Api) -> None:
    found(admin, internalRegistryHostname="registry.svc:5000", externalRegistryHostnames=["found.example.com"])
    _, by_status = admin.post(f"{NAMESPACE}/imagestreams", a_stream("one"))
    configure(admin, externalRegistryHostnames=["wished.example.com", "other.example.com"])
    _, by_spec = admin.post(f"{NAMESPACE}/imagestreams", a_stream("two"))

    assert by_status["status"]["dockerImageRepository"] == "registry.svc:5000/shop/one"
    assert by_status["status"]["publicDockerImageRepository"] == "found.example.com/shop/one"
    assert by_spec["status"]["publicDockerImageRepository"] == "wished.example.com/shop/two"


def test_streams_follow_the_hosts_of_the_cluster(admin: Api) -> None:
    for name in ("one", "two"):
        admin.post(f"{NAMESPACE}/imagestreams", a_stream(name, "quay.io/a/b:1"))
    before = admin.get(f"{NAMESPACE}/imagestreams/one")[1]
    configure(admin, externalRegistryHostnames=["registry.example.com"])

    counts = [addresses.sweep(now()), addresses.sweep(now())]

    after = admin.get(f"{NAMESPACE}/imagestreams/one")[1]
    assert counts == [2, 0]
    assert after["status"]["publicDockerImageRepository"] == "registry.example.com/shop/one"
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_a_configuration_of_another_name_says_nothing(admin: Api) -> None:
    admin.post(CONFIG, {"metadata": {"name": "other"}, "spec": {"imageStreamImportMode": "PreserveOriginal"}})

    assert configuration.current().import_mode == "Legacy"


@pytest.mark.django_db(transaction=True)
def test_what_was_read_is_kept_until_the_configuration_changes() -> None:
    admin = opened()
    configure(admin, externalRegistryHostnames=["a.example.com"])
    first = configuration.current()
    admin.post(f"{NAMESPACE}/imagestreams", a_stream("app"))
    second = configuration.current()
    admin.delete(f"{CONFIG}/cluster")

    assert first is second
    assert first.hosts.external == "a.example.com"
    assert configuration.current().hosts.external == ""


@pytest.mark.django_db(transaction=True)
def test_a_request_that_came_before_a_change_does_not_bring_back_what_was() -> None:
    admin = opened()
    configure(admin, externalRegistryHostnames=["a.example.com"])
    before = configuration.current()
    configure(admin, externalRegistryHostnames=["b.example.com"])
    after = configuration.current()

    found = configuration.memory.current(before.version)

    assert found is after
    assert configuration.current() is after


@pytest.mark.django_db(transaction=True)
def test_a_request_reads_what_it_remembers_by_in_one_statement() -> None:
    admin = opened()
    admin.post(f"{NAMESPACE}/imagestreams", a_stream("app"))

    with CaptureQueriesContext(connection) as queries:
        admin.patch(f"{NAMESPACE}/imagestreams/app", {"metadata": {"labels": {"a": "b"}}}, MERGE)

    looks = [query["sql"] for query in queries.captured_queries if query["sql"].startswith("SELECT name, value")]
    assert len(looks) == 1
    assert not [query for query in queries.captured_queries if "FROM kube_counter WHERE name = " in query["sql"]]


def test_authorities_are_read_from_the_config_map_that_is_named(admin: Api) -> None:
    data = {"quay.io": "one", "registry.example.com..5000": "two", "updateservice-registry": "three"}
    admin.post("/api/v1/namespaces/openshift-config/configmaps", {"metadata": {"name": "cas"}, "data": data})
    before = configuration.current().authorities
    configure(admin, additionalTrustedCA={"name": "cas"})

    assert before == {}
    assert configuration.current().authorities == {"quay.io": "one", "registry.example.com:5000": "two"}


def test_mirrors_of_all_kinds_are_read(admin: Api) -> None:
    def mirrors(field: str, mirror: str, **more: str) -> dict[str, Any]:
        entry = {"source": "quay.io", "mirrors": [mirror], **more}
        return {"metadata": {"name": "m"}, "spec": {field: [entry]}}

    root = "/apis/config.openshift.io/v1"
    admin.post(f"{root}/imagetagmirrorsets", mirrors("imageTagMirrors", "tags.local"))
    admin.post(f"{root}/imagedigestmirrorsets", mirrors("imageDigestMirrors", "digests.local"))
    body = mirrors("repositoryDigestMirrors", "old.local")
    admin.post("/apis/operator.openshift.io/v1alpha1/imagecontentsourcepolicies", body)

    def hosts(*, by_digest: bool) -> list[str]:
        spec = PullSpec.parse("quay.io/a/b")
        route = configuration.current().registries.route(spec, by_digest=by_digest)
        return [place.spec.registry for place in route.places]

    assert hosts(by_digest=False) == ["tags.local", "quay.io"]
    assert hosts(by_digest=True) == ["digests.local", "old.local", "quay.io"]
    change = mirrors("imageTagMirrors", "tags.local", mirrorSourcePolicy="NeverContactSource")
    admin.patch(f"{root}/imagetagmirrorsets/m", change, MERGE)
    assert hosts(by_digest=True) == ["digests.local", "old.local"]
