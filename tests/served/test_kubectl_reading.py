"""What an unmodified kubectl reads: explanations, every form of output, selections, watches, raw paths."""

from __future__ import annotations

import json
import re

import pytest

from tests.processes import wait_until
from tests.served import on_one_kind
from tests.served.kubectl import Kubectl

PATIENCE = 20.0


@pytest.fixture
def secrets(kubectl: Kubectl) -> Kubectl:
    """Three secrets s1, s2, s3 with labels `n` (not on s1) and `even`."""
    items = [
        {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": f"s{n}", "labels": {"even": str(n % 2)} | ({"n": str(n)} if n > 1 else {})},
            "stringData": {"k": f"v{n}"},
        }
        for n in (1, 2, 3)
    ]
    kubectl("create", "-f", "-", stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))
    return kubectl


@on_one_kind
@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("is", ["KIND:       ImageStream", "  spec\t<ImageStreamSpec>", "  status\t<ImageStreamStatus>"]),
        ("is.spec.tags", ["FIELD: tags <[]TagReference>", "  name\t<string> -required-"]),
        ("is.status.tags.items", ["FIELD: items <[]TagEvent>", "  dockerImageReference\t<string>"]),
        ("role.rules", ["GROUP:      rbac.authorization.k8s.io", "  verbs\t<[]string>"]),
        ("secret", ["KIND:       Secret", "  stringData\t<map[string]string>"]),
        ("istag.image.dockerImageLayers.size", ["FIELD: size <integer>"]),
    ],
)
def test_explain_goes_down_to_any_depth(kubectl: Kubectl, path: str, lines: list[str]) -> None:
    text = kubectl("explain", path).splitlines()

    assert [line for line in lines if not any(said.startswith(line) for said in text)] == []


@on_one_kind
def test_explain_shows_all_depths_at_once(kubectl: Kubectl) -> None:
    text = kubectl("explain", "is", "--recursive").splitlines()

    assert "        importMode\t<string>" in text
    assert "      fieldsV1\t<Object>" in text


@on_one_kind
def test_explain_says_what_there_is_not(kubectl: Kubectl) -> None:
    assert 'field "nope" does not exist' in kubectl.refuses("explain", "is.spec.tags.nope")
    assert 'doesn\'t have a resource type "tokenrequest"' in kubectl.refuses("explain", "tokenrequest.spec")
    assert 'doesn\'t have a resource type "pods"' in kubectl.refuses("get", "pods")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "name"], ["secret/s1", "secret/s2", "secret/s3"]),
        (["-o", "jsonpath={.items[*].metadata.name}"], ["s1 s2 s3"]),
        (["-o", "go-template={{range .items}}{{.metadata.name}} {{end}}"], ["s1 s2 s3"]),
        (["-o", "custom-columns=N:.metadata.name,V:.data.k"], ["N V", "s1 djE=", "s2 djI=", "s3 djM="]),
        (["-o", "name", "--sort-by=.metadata.labels.even"], ["secret/s2", "secret/s1", "secret/s3"]),
        (["-o", "name", "--chunk-size=1"], ["secret/s1", "secret/s2", "secret/s3"]),
        (["-o", "name", "-l", "n in (2,3),even!=0"], ["secret/s3"]),
        (["-o", "name", "-l", "n notin (2)"], ["secret/s1", "secret/s3"]),
        (["-o", "name", "-l", "!n"], ["secret/s1"]),
        (["-o", "name", "-l", "n>2"], ["secret/s3"]),
        (["-o", "name", "--field-selector", "type=Opaque,metadata.name!=s1"], ["secret/s2", "secret/s3"]),
        (["nope", "--ignore-not-found"], []),
    ],
)
def test_get_prints_each_form_and_selection(secrets: Kubectl, options: list[str], said: list[str]) -> None:
    lines = secrets("get", "secrets", *options).splitlines()

    assert [" ".join(line.split()) for line in lines] == said


def test_get_prints_tables(secrets: Kubectl) -> None:
    def rows(*options: str) -> list[str]:
        return [re.sub(r"\b\d+s\b", "AGO", " ".join(line.split())) for line in secrets("get", *options).splitlines()]

    assert rows("secret", "s1", "--show-labels") == ["NAME TYPE DATA AGE LABELS", "s1 Opaque 1 AGO even=1"]
    assert rows("secret", "s2", "-L", "n,even") == ["NAME TYPE DATA AGE N EVEN", "s2 Opaque 1 AGO 2 0"]
    assert rows("secret", "s1", "--show-kind", "--no-headers") == ["secret/s1 Opaque 1 AGO"]
    everywhere = rows("secret", "-A", "--no-headers", "--field-selector", f"metadata.namespace={secrets.namespace}")
    assert everywhere == [f"{secrets.namespace} s{n} Opaque 1 AGO" for n in (1, 2, 3)]
    assert rows("rolebinding", "system:image-pullers", "-o", "wide", "--no-headers") == [
        f"system:image-pullers ClusterRole/system:image-puller AGO system:serviceaccounts:{secrets.namespace}"
    ]


@on_one_kind
def test_get_shows_managers_only_when_asked(secrets: Kubectl) -> None:
    hidden = json.loads(secrets("get", "secret", "s1", "-o", "json"))
    shown = json.loads(secrets("get", "secret", "s1", "-o", "json", "--show-managed-fields"))

    assert "managedFields" not in hidden["metadata"]
    assert [entry["manager"] for entry in shown["metadata"]["managedFields"]] == ["kubectl-create"]
    assert json.loads(secrets("get", "secret", "s1", "-o", "jsonpath-as-json={.data}")) == [{"k": "djE="}]


def test_a_wrong_selector_is_refused(secrets: Kubectl) -> None:
    assert "found '2', expected: '('" in secrets.refuses("get", "secrets", "-l", "n in 2")
    assert "field label not supported: data" in secrets.refuses("get", "secrets", "--field-selector", "data=x")


def test_watches_tell_what_happened(secrets: Kubectl) -> None:
    get = ("get", "secrets", "--no-headers")
    with (
        secrets.running(*get, "--watch", "--output-watch-events") as events,
        secrets.running(*get, "--watch-only", "-o", "name") as changes,
    ):
        events.wait_ready(lambda: len(events.log.read_text().splitlines()) == 3, seconds=PATIENCE)

        def told() -> bool:
            secrets("annotate", "secret", "s1", "a-", "--overwrite")
            secrets("annotate", "secret", "s1", "a=b", "--overwrite")
            return "secret/s1" in changes.log.read_text()

        wait_until(told, seconds=PATIENCE, what="the watch follows")
        secrets("delete", "secret", "s1")
        events.wait_ready(lambda: "DELETED" in events.log.read_text(), seconds=PATIENCE)
        words = [line.split()[:2] for line in events.log.read_text().splitlines()]
        assert words[:3] == [["ADDED", f"s{n}"] for n in (1, 2, 3)]
        assert words[3] == ["MODIFIED", "s1"]
        assert words[-1] == ["DELETED", "s1"]
        assert {line for line in changes.log.read_text().splitlines() if line} == {"secret/s1"}


FORMS = {
    "wide": "s1 Opaque 1",
    "yaml": "name: s1",
    "json": '"name": "s1",',
    "name": "secret/s1",
    "jsonpath={.metadata.name}": "s1",
    "jsonpath-as-json={.metadata.name}": '"s1"',
    "go-template={{.metadata.name}}": "s1",
    "custom-columns=N:.metadata.name": "s1",
}


@on_one_kind
@pytest.mark.parametrize(("form", "said"), FORMS.items())
def test_each_form_of_output_can_be_watched(secrets: Kubectl, form: str, said: str) -> None:
    get = ("get", "secret", "--field-selector=metadata.name=s1", "--watch", "-o", form)
    with secrets.running(*get) as program:

        def times() -> int:
            return " ".join(program.log.read_text().split()).count(said)

        program.wait_ready(lambda: times() > 0, seconds=PATIENCE)
        before = times()
        secrets("label", "secret", "s1", "moved=yes")
        program.wait_ready(lambda: times() > before, seconds=PATIENCE)


def test_raw_paths_are_read_and_written(kubectl: Kubectl) -> None:
    path = f"/api/v1/namespaces/{kubectl.namespace}/secrets"
    body = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "raw"}}

    made = json.loads(kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body)))
    labelled = json.dumps({**body, "metadata": {"name": "raw", "labels": {"a": "b"}}})
    kubectl("replace", "--raw", f"{path}/raw", "-f", "-", stdin=labelled)
    found = json.loads(kubectl("get", "--raw", f"{path}/raw"))
    gone = json.loads(kubectl("delete", "--raw", f"{path}/raw"))

    assert found["metadata"]["uid"] == made["metadata"]["uid"] == gone["details"]["uid"]
    assert found["metadata"]["labels"] == {"a": "b"}
    assert kubectl.refuses("get", "--raw", f"{path}/raw") == 'Error from server (NotFound): secrets "raw" not found\n'


@on_one_kind
def test_discovery_is_listed(kubectl: Kubectl) -> None:
    versions = kubectl("api-versions").split()
    cluster = kubectl("api-resources", "--api-group=image.openshift.io", "--namespaced=false", "-o", "name").split()
    patched = kubectl("api-resources", "--verbs=patch,watch", "-o", "name").split()
    wide = [line.split() for line in kubectl("api-resources", "-o", "wide").splitlines()]

    assert {"v1", "image.openshift.io/v1", "rbac.authorization.k8s.io/v1"} <= set(versions)
    assert cluster == ["images.image.openshift.io", "imagesignatures.image.openshift.io"]
    assert "imagestreams.image.openshift.io" in patched
    assert "imagestreamtags.image.openshift.io" not in patched
    assert ["imagestreamimages", "isimage", "image.openshift.io/v1", "true", "ImageStreamImage", "get"] in wide
    assert "Server Version: v1." in kubectl("version")


@on_one_kind
def test_describe_knows_the_built_in_kinds(secrets: Kubectl) -> None:
    assert "k:  2 bytes" in secrets("describe", "secret", "s1")
    assert "v1" not in secrets("describe", "secret", "s1")
    assert "Image pull secrets:  <none>" in secrets("describe", "serviceaccount", "default")
    assert "Status:       Active" in secrets("describe", "namespace", secrets.namespace)
    assert "imagestreams.image.openshift.io/layers" in secrets("describe", "clusterrole", "system:image-puller")
    assert secrets.run("events").stderr == f"No events found in {secrets.namespace} namespace.\n"
