"""What every stored kind answers to requests that are wrong, and in which forms it answers."""

from __future__ import annotations

import json

import pytest
import yaml

from registry_meta.kube.objects import ObjectStorage
from tests.contract.kinds import Kind, status_of
from tests.contract.test_stored_kinds import name_of

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "{} {}", '{"metadata": 1}', '{"metadata": {"labels": []}}'])
def test_a_body_that_makes_no_sense_is_a_bad_request(kind: Kind, body: str) -> None:
    answer = kind.client.post(kind.collection, data=body, headers={"Content-Type": "application/json"})

    assert status_of(answer) == (400, "Status", "BadRequest")


@pytest.mark.parametrize("other", [{"kind": "Pod"}, {"apiVersion": "example.com/v1"}])
def test_a_body_of_another_type_is_a_bad_request(kind: Kind, other: dict[str, str]) -> None:
    answer = kind.post({**kind.new(), **other})

    assert status_of(answer) == (400, "Status", "BadRequest")


def test_a_body_in_an_unknown_format_is_refused(kind: Kind) -> None:
    answer = kind.client.post(kind.collection, data="<a/>", headers={"Content-Type": "application/xml"})

    assert status_of(answer) == (415, "Status", "UnsupportedMediaType")


def test_a_body_may_be_yaml(kind: Kind) -> None:
    text = yaml.safe_dump(kind.new())

    answer = kind.client.post(kind.collection, data=text, headers={"Content-Type": "application/yaml"})

    kind.made.append(kind.new()["metadata"]["name"])
    assert answer.status_code == 201, answer.text


def test_an_unknown_field_is_warned_of_or_refused(kind: Kind) -> None:
    document = {**kind.new(), "surprise": True}

    strict = kind.post(document, fieldValidation="Strict")
    warned = kind.post(document, fieldValidation="Warn")
    ignored = kind.post({**kind.new("b"), "surprise": True}, fieldValidation="Ignore")

    assert status_of(strict) == (400, "Status", "BadRequest")
    assert 'unknown field "surprise"' in strict.json()["message"]
    assert warned.status_code == ignored.status_code == 201
    assert 'unknown field \\"surprise\\"' in warned.headers["Warning"]
    assert "Warning" not in ignored.headers


def test_an_update_under_another_name_is_refused(kind: Kind) -> None:
    created = kind.settled()
    other = {**created, "metadata": {**created["metadata"], "name": kind.example.name("other")}}

    answer = kind.client.put(kind.url(name_of(created)), json=other)

    assert status_of(answer) == (400, "Status", "BadRequest")


def test_an_object_of_another_namespace_is_refused(kind: Kind) -> None:
    if not kind.namespace:
        pytest.skip("this kind has no namespaces")
    document = kind.new()
    document["metadata"]["namespace"] = "elsewhere"

    answer = kind.post(document)

    assert status_of(answer) == (400, "Status", "BadRequest")


def test_a_namespace_that_does_not_exist_takes_no_objects(kind: Kind) -> None:
    if not kind.namespace:
        pytest.skip("this kind has no namespaces")
    kind.namespace = "nowhere"

    answer = kind.post(kind.new())

    assert status_of(answer) == (404, "Status", "NotFound")


@pytest.mark.parametrize("name", ["Not A Name", "..", "a/b", "a%b"])
def test_a_name_that_breaks_the_rules_is_refused(kind: Kind, name: str) -> None:
    document = kind.new()
    document["metadata"]["name"] = name
    document |= kind.example.of_name(name)

    answer = kind.post(document)

    if answer.status_code == 201 and " " in name:
        return  # kinds of RBAC take any path segment for a name
    assert status_of(answer) == (422, "Status", "Invalid")
    assert answer.json()["details"]["causes"][0]["field"] == "metadata.name"


def test_a_table_has_the_columns_of_the_kind(kind: Kind) -> None:
    created = kind.settled()
    columns = [column.name for column in kind.resource.columns or ()]

    headers = {"Accept": TABLE}
    listed = kind.client.get(kind.collection, params={"labelSelector": kind.selector}, headers=headers).json()
    single = kind.client.get(kind.url(name_of(created)), headers=headers).json()

    for table in (listed, single):
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert [column["name"] for column in table["columnDefinitions"]] == columns
        [row] = table["rows"]
        assert len(row["cells"]) == len(columns)
        assert row["object"]["kind"] == "PartialObjectMetadata"
        assert row["object"]["metadata"]["name"] == name_of(created)


def test_a_table_carries_whole_objects_or_none_when_asked(kind: Kind) -> None:
    created = kind.settled()
    headers = {"Accept": TABLE}

    whole = kind.client.get(kind.url(name_of(created)), params={"includeObject": "Object"}, headers=headers).json()
    none = kind.client.get(kind.url(name_of(created)), params={"includeObject": "None"}, headers=headers).json()

    assert whole["rows"][0]["object"] == created
    assert none["rows"][0].get("object") is None


def test_metadata_comes_alone_when_asked(kind: Kind) -> None:
    created = kind.settled()

    single = kind.client.get(kind.url(name_of(created)), headers={"Accept": PARTIAL}).json()
    listed = kind.client.get(
        kind.collection, params={"labelSelector": kind.selector}, headers={"Accept": PARTIAL_LIST}
    ).json()

    assert single == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": created["metadata"],
    }
    assert listed["kind"] == "PartialObjectMetadataList"
    assert [item["metadata"] for item in listed["items"]] == [created["metadata"]]


def test_a_form_that_nobody_speaks_is_not_acceptable(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.client.get(kind.url(name_of(created)), headers={"Accept": "text/turtle"})

    assert answer.status_code == 406


def test_yaml_says_what_json_says(kind: Kind) -> None:
    created = kind.settled()

    answer = kind.client.get(kind.url(name_of(created)), headers={"Accept": "application/yaml"})

    assert answer.headers["Content-Type"].startswith("application/yaml")
    assert json.loads(json.dumps(yaml.load(answer.text, yaml.BaseLoader)))["metadata"]["name"] == name_of(created)


def test_nobody_is_let_in_without_rights(kind: Kind) -> None:
    created = kind.settled()
    url = kind.url(name_of(created))

    impersonating = {"Impersonate-User": "nobody-in-particular"}
    reads = [
        kind.client.get(url, headers=impersonating),
        kind.client.get(kind.collection, headers=impersonating),
    ]
    writes = [
        kind.client.post(kind.collection, json=kind.new("b"), headers=impersonating),
        kind.client.put(url, json=created, headers=impersonating),
        kind.client.patch(url, data="{}", headers={**impersonating, "Content-Type": "application/merge-patch+json"}),
    ]
    if not kind.example.everyone_deletes:
        writes.append(kind.client.delete(url, headers=impersonating))
    anonymous = kind.client.get(url, headers={"Authorization": None})
    forged = kind.client.get(url, headers={"Authorization": "Bearer sha256~forged"})

    assert [status_of(answer) for answer in writes] == [(403, "Status", "Forbidden")] * len(writes)
    if kind.example.everyone_reads:
        assert [answer.status_code for answer in reads] == [200, 200]
    else:
        assert [status_of(answer) for answer in reads] == [(403, "Status", "Forbidden")] * 2
    assert status_of(anonymous) == (403, "Status", "Forbidden")
    assert status_of(forged) == (401, "Status", "Unauthorized")
    assert kind.get(name_of(created)).json() == created


@pytest.mark.parametrize("text", ["x", "1.5", "1_0", " 5", "5 ", "\u0661", "9" * 20, "9" * 5000])
@pytest.mark.parametrize("name", ["limit", "timeoutSeconds", "resourceVersion"])
def test_what_is_no_number_is_a_bad_request(kind: Kind, name: str, text: str) -> None:
    listed = kind.client.get(kind.collection, params={name: text})
    watched = kind.client.get(kind.collection, params={"watch": "1", "timeoutSeconds": "1", name: text})

    assert status_of(listed) == (400, "Status", "BadRequest")
    if name == "resourceVersion":
        assert status_of(watched) == (422, "Status", "Invalid")
    elif name == "timeoutSeconds":
        assert status_of(watched) == (400, "Status", "BadRequest")


def test_the_largest_limit_is_no_limit(kind: Kind) -> None:
    kind.create()

    assert kind.listing(limit=2**63 - 1)["metadata"].get("continue") is None
    assert kind.names()


def test_a_list_as_of_a_version_that_is_no_longer_kept_says_so(kind: Kind) -> None:
    answer = kind.client.get(kind.collection, params={"resourceVersion": "1", "resourceVersionMatch": "Exact"})

    assert status_of(answer) == (410, "Status", "Expired")
    assert answer.json()["message"] == "The resourceVersion for the provided list is too old."


def test_the_first_of_repeated_parameters_counts(kind: Kind) -> None:
    answer = kind.client.get(kind.collection, params=[("watch", "false"), ("watch", "true"), ("timeoutSeconds", "1")])

    assert answer.json()["kind"].endswith("List")


def test_a_status_may_be_metadata_alone_but_is_no_table(kind: Kind) -> None:
    if kind.resource.subresource("status") is None:
        pytest.skip("this kind has no status of its own")
    path = f"{kind.collection}/{name_of(kind.create())}/status"

    assert kind.client.get(path, headers={"Accept": PARTIAL}).json()["kind"] == "PartialObjectMetadata"
    assert status_of(kind.client.get(path, headers={"Accept": TABLE})) == (406, "Status", "NotAcceptable")


def test_a_wrong_method_is_told_the_right_ones(kind: Kind) -> None:
    answer = kind.client.post(f"{kind.collection}/x")

    assert status_of(answer) == (405, "Status", "MethodNotAllowed")
    assert answer.headers["Allow"] == "GET, PUT, PATCH, DELETE"


def test_a_replacement_that_would_create_needs_the_right_to_create(kind: Kind) -> None:
    document = kind.new()
    updater = {"Impersonate-User": "updater"}
    roles = f"{kind.server.url}/apis/rbac.authorization.k8s.io/v1"
    resource = kind.resource
    rule = {"apiGroups": [resource.group], "resources": [resource.plural], "verbs": ["get", "update"]}
    name = f"only-updates-{kind.word}"
    role = {"metadata": {"name": name}, "rules": [rule]}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "updater"}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    assert kind.client.post(f"{roles}/clusterroles", json=role).status_code == 201
    assert kind.client.post(f"{roles}/clusterrolebindings", json=binding).status_code == 201
    try:
        answer = kind.client.put(kind.url(name_of(document)), json=document, headers=updater)
    finally:
        kind.client.delete(f"{roles}/clusterrolebindings/{name}")
        kind.client.delete(f"{roles}/clusterroles/{name}")

    creates = isinstance(resource.storage, ObjectStorage) and resource.storage.strategy.create_on_update
    assert status_of(answer) == ((403, "Status", "Forbidden") if creates else (404, "Status", "NotFound"))
    assert not creates or "cannot create resource" in answer.json()["message"]
    assert kind.get(name_of(document)).status_code == 404


def test_json_is_indented_for_people(kind: Kind) -> None:
    created = kind.settled()
    url = kind.url(name_of(created))

    answers = [
        kind.client.get(url, params={"pretty": "true"}),
        kind.client.get(url, headers={"Accept": "application/json;pretty=1"}),
        kind.client.get(url, headers={"User-Agent": "curl/8.5"}),
    ]

    assert all(answer.text.startswith('{\n  "kind"') and answer.json() == created for answer in answers)
    assert "\n  " not in kind.get(name_of(created)).text


@pytest.mark.parametrize("version", ["v1", "meta.k8s.io/v1", "own"])
def test_how_to_delete_is_said_in_the_versions_that_know_it(kind: Kind, version: str) -> None:
    created = kind.settled()
    known = kind.resource.api_version if version == "own" else version
    options = {"kind": "DeleteOptions", "dryRun": ["All"]}

    accepted = kind.client.delete(kind.url(name_of(created)), json={**options, "apiVersion": known})
    refused = kind.client.delete(kind.url(name_of(created)), json={**options, "apiVersion": "example.com/v1"})

    assert accepted.status_code == 200, accepted.text
    assert status_of(refused) == (400, "Status", "BadRequest")
    assert kind.get(name_of(created)).status_code == 200
