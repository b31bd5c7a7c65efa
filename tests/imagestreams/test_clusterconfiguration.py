"""The kinds of the cluster's image configuration: what they must look like, who may write them, what they are named."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagestreams import startup
from registry_meta.kube.catalog import catalog
from tests.authz.conftest import MERGE, Api
from tests.imagestreams.asking import opened

CONFIG = "/apis/config.openshift.io/v1"
SETS = {
    "imagedigestmirrorsets": f"{CONFIG}/imagedigestmirrorsets",
    "imagetagmirrorsets": f"{CONFIG}/imagetagmirrorsets",
    "imagecontentsourcepolicies": "/apis/operator.openshift.io/v1alpha1/imagecontentsourcepolicies",
}
FIELDS = {
    "imagedigestmirrorsets": "imageDigestMirrors",
    "imagetagmirrorsets": "imageTagMirrors",
    "imagecontentsourcepolicies": "repositoryDigestMirrors",
}


@pytest.fixture
def admin(db: None) -> Api:
    return opened()


def create(admin: Api, plural: str, *entries: dict[str, Any]) -> tuple[int, Any]:
    return admin.post(SETS[plural], {"metadata": {"name": "m"}, "spec": {FIELDS[plural]: list(entries)}})


def fields(answer: dict[str, Any]) -> list[str]:
    return [cause["field"] for cause in answer["details"]["causes"]]


@pytest.mark.parametrize("plural", ["imagedigestmirrorsets", "imagetagmirrorsets"])
@pytest.mark.parametrize(
    "entry",
    [
        {"source": "quay.io"},
        {"source": "*.redhat.io", "mirrors": ["mirror.local:5000/redhat"]},
        {"source": "quay.io:443/a/b-c_d__e", "mirrors": ["m", "n.local/x"], "mirrorSourcePolicy": "NeverContactSource"},
        {"source": "quay.io", "mirrors": ["m.local"], "mirrorSourcePolicy": "AllowContactingSource"},
    ],
)
def test_mirrors_that_make_sense_are_taken(admin: Api, plural: str, entry: dict[str, Any]) -> None:
    status, made = create(admin, plural, entry)

    assert (status, made["spec"][FIELDS[plural]], made["metadata"]["generation"]) == (201, [entry], 1)


@pytest.mark.parametrize("plural", ["imagedigestmirrorsets", "imagetagmirrorsets"])
@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({}, "source"),
        ({"source": "https://quay.io"}, "source"),
        ({"source": "*"}, "source"),
        ({"source": "*.quay.io/path"}, "source"),
        ({"source": "quay.io/Upper"}, "source"),
        ({"source": "quay.io/", "mirrors": ["m.local"]}, "source"),
        ({"source": "quay.io", "mirrors": ["*.m.local"]}, "mirrors[0]"),
        ({"source": "quay.io", "mirrors": ["m.local", "n.local", "m.local"]}, "mirrors[2]"),
        ({"source": "quay.io", "mirrors": ["m.local"], "mirrorSourcePolicy": "Never"}, "mirrorSourcePolicy"),
    ],
)
def test_mirrors_that_make_no_sense_are_refused(admin: Api, plural: str, entry: dict[str, Any], wrong: str) -> None:
    status, answer = create(admin, plural, entry)

    assert (status, fields(answer)) == (422, [f"spec.{FIELDS[plural]}[0].{wrong}"])


def test_an_old_policy_wants_a_source_and_nothing_more(admin: Api) -> None:
    assert create(admin, "imagecontentsourcepolicies", {"source": "Any Thing", "mirrors": ["x", "x"]})[0] == 201
    status, answer = create(admin, "imagecontentsourcepolicies", {"mirrors": ["x"]})
    assert (status, fields(answer)) == (422, ["spec.repositoryDigestMirrors[0].source"])


def test_a_long_source_is_refused_at_once(admin: Api) -> None:
    started = time.monotonic()

    status, _ = create(admin, "imagedigestmirrorsets", {"source": "a.b/" + "a" * 50_000 + "!"})

    assert status == 422
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("plural", SETS)
def test_a_spec_is_wanted_and_its_changes_are_counted(admin: Api, plural: str) -> None:
    assert fields(admin.post(SETS[plural], {"metadata": {"name": "n"}})[1]) == ["spec"]
    create(admin, plural, {"source": "quay.io", "mirrors": ["m.local"]})

    _, labelled = admin.patch(f"{SETS[plural]}/m", {"metadata": {"labels": {"a": "b"}}}, MERGE)
    _, changed = admin.patch(f"{SETS[plural]}/m", {"spec": {FIELDS[plural]: []}}, MERGE)

    assert (labelled["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"imageStreamImportMode": "Some"}, ["spec.imageStreamImportMode"]),
        ({"allowedRegistriesForImport": [{"insecure": True}]}, ["spec.allowedRegistriesForImport[0].domainName"]),
        (
            {"allowedRegistriesForImport": [{"domainName": "0:1:2"}]},
            ["spec.allowedRegistriesForImport[0].domainName"],
        ),
        ({"additionalTrustedCA": {}}, ["spec.additionalTrustedCA.name"]),
        ({"registrySources": {"blockedRegistries": ["a"], "allowedRegistries": ["b"]}}, ["spec.registrySources"]),
        (
            {"registrySources": {"containerRuntimeSearchRegistries": []}},
            ["spec.registrySources.containerRuntimeSearchRegistries"],
        ),
        (
            {"registrySources": {"containerRuntimeSearchRegistries": ["a", "a"]}},
            ["spec.registrySources.containerRuntimeSearchRegistries[1]"],
        ),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(admin: Api, spec: dict[str, Any], wrong: list[str]) -> None:
    status, answer = admin.post(f"{CONFIG}/images", {"metadata": {"name": "cluster"}, "spec": spec})

    assert (status, fields(answer)) == (422, wrong)


def test_the_status_of_the_configuration_is_written_apart(admin: Api) -> None:
    path = f"{CONFIG}/images/cluster"
    found = {"internalRegistryHostname": "registry.svc:5000"}
    admin.post(f"{CONFIG}/images", {"metadata": {"name": "cluster"}, "spec": {}, "status": found})
    _, before = admin.get(path)
    body = {"spec": {"imageStreamImportMode": "Legacy"}, "status": found}

    _, by_status = admin.patch(f"{path}/status", body, MERGE)
    _, by_spec = admin.patch(path, {**body, "status": {"internalRegistryHostname": "other"}}, MERGE)

    assert "status" not in before
    assert (by_status["spec"], by_status["status"]) == ({}, found)
    assert (by_spec["spec"], by_spec["status"]) == ({"imageStreamImportMode": "Legacy"}, found)
    assert admin.patch(f"{path}/status", {"status": {"imageStreamImportMode": "x"}}, MERGE)[0] == 422


@pytest.mark.django_db
def test_a_server_has_one_configuration_from_its_first_start(admin: Api) -> None:
    startup.begin()
    admin.patch(f"{CONFIG}/images/cluster", {"spec": {"imageStreamImportMode": "Legacy"}}, MERGE)

    startup.begin()

    assert admin.get(f"{CONFIG}/images/cluster")[1]["spec"] == {"imageStreamImportMode": "Legacy"}


def test_the_groups_come_last_so_that_images_alone_means_those_of_streams() -> None:
    groups = list(catalog.groups())

    assert groups[-2:] == ["config.openshift.io", "operator.openshift.io"]
    assert groups.index("image.openshift.io") < groups.index("config.openshift.io")
