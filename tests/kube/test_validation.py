"""The rules of object metadata, in the words of Kubernetes."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from registry_meta.kube import errors, validation
from registry_meta.kube.meta import ObjectMeta, OwnerReference
from registry_meta.kube.validation import dns_label, dns_subdomain, label_key, label_value, path_segment

NOT_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NOT_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NOT_NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
NOT_KEY = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g."
    " 'example.com/MyName')"
)
NOT_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def meta(**members: Any) -> ObjectMeta:
    return ObjectMeta(**{"name": "a", "namespace": "n", **members})


def problems(**members: Any) -> list[str]:
    found = validation.object_meta(meta(**members), namespaced=True, name_rule=dns_subdomain)
    return [str(problem) for problem in found]


def update_problems(new: ObjectMeta, old: ObjectMeta) -> list[str]:
    return [str(problem) for problem in validation.object_meta_update(new, old)]


def owner(name: str, **members: Any) -> OwnerReference:
    return OwnerReference(**{"api_version": "v1", "kind": "Secret", "name": name, "uid": f"uid-{name}", **members})


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a.b-c.d", "a" * 253])
def test_a_subdomain(name: str) -> None:
    assert dns_subdomain(name) == []


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", ".a", "a.", "a..b", "a.-b", "é", "a\n"])
def test_no_subdomain(name: str) -> None:
    assert dns_subdomain(name) == [NOT_SUBDOMAIN]


def test_a_subdomain_that_is_too_long() -> None:
    assert dns_subdomain("a" * 254) == ["must be no more than 253 characters"]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("a-1", []),
        ("a.b", [NOT_LABEL]),
        ("", [NOT_LABEL]),
        ("a" * 64, ["must be no more than 63 characters"]),
    ],
)
def test_a_dns_label(name: str, texts: list[str]) -> None:
    assert dns_label(name) == texts


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("sha256:abc", []),
        ("App Name", []),
        (".", ["may not be '.'"]),
        ("..", ["may not be '..'"]),
        ("a/b", ["may not contain '/'"]),
        ("%/", ["may not contain '/'", "may not contain '%'"]),
    ],
)
def test_a_path_segment(name: str, texts: list[str]) -> None:
    assert path_segment(name) == texts


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("x", []),
        ("a.b-c_D", []),
        ("example.com/x", []),
        ("a b", [NOT_NAME_PART]),
        ("", ["name part must be non-empty", NOT_NAME_PART]),
        ("/x", ["prefix part must be non-empty"]),
        ("example.com/", ["name part must be non-empty", NOT_NAME_PART]),
        ("Bad_Prefix/x", [f"prefix part {NOT_SUBDOMAIN}"]),
        ("a/b/c", [NOT_KEY]),
        ("a" * 64, ["name part must be no more than 63 bytes"]),
    ],
)
def test_a_label_key(key: str, texts: list[str]) -> None:
    assert label_key(key) == texts


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("", []),
        ("A.b-c_d", []),
        ("a/b", [NOT_VALUE]),
        ("b c", [NOT_VALUE]),
        ("-a", [NOT_VALUE]),
        ("a" * 64, ["must be no more than 63 bytes"]),
    ],
)
def test_a_label_value(value: str, texts: list[str]) -> None:
    assert label_value(value) == texts


def test_metadata_that_is_right() -> None:
    annotations = {"x": "any text: é ✓", "EXAMPLE.com/X": ""}

    assert (
        problems(labels={"x": "", "example.com/x": "1"}, annotations=annotations, finalizers=["example.com/one"]) == []
    )


@pytest.mark.parametrize(
    ("members", "texts"),
    [
        ({"name": ""}, ["metadata.name: Required value: name or generateName is required"]),
        ({"name": "A"}, [f'metadata.name: Invalid value: "A": {NOT_SUBDOMAIN}']),
        ({"namespace": ""}, ["metadata.namespace: Required value"]),
        ({"namespace": "a.b"}, [f'metadata.namespace: Invalid value: "a.b": {NOT_LABEL}']),
        ({"generate_name": "Bad_"}, [f'metadata.generateName: Invalid value: "Bad_": {NOT_SUBDOMAIN}']),
        ({"generate_name": "gen-"}, []),
        ({"generation": -1}, ["metadata.generation: Invalid value: -1: must be greater than or equal to 0"]),
        (
            {"labels": {"a b": "c"}, "annotations": {"d e": "f"}},
            [
                f'metadata.labels: Invalid value: "a b": {NOT_NAME_PART}',
                f'metadata.annotations: Invalid value: "d e": {NOT_NAME_PART}',
            ],
        ),
        ({"labels": {"x": "b c"}}, [f'metadata.labels: Invalid value: "b c": {NOT_VALUE}']),
        ({"annotations": {"t": "é" * 131072}}, ["metadata.annotations: Too long: may not be more than 262144 bytes"]),
        ({"annotations": {"t": "e" * 262143}}, []),
        (
            {"finalizers": ["example.com/no name"]},
            [f'metadata.finalizers: Invalid value: "example.com/no name": {NOT_NAME_PART}'],
        ),
        (
            {"finalizers": ["orphan", "short"]},
            [
                'metadata.finalizers[1]: Invalid value: "short": name is neither a standard finalizer name nor is it'
                " fully qualified"
            ],
        ),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            [
                'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and'
                " foregroundDeletion cannot be both set"
            ],
        ),
        (
            {"owner_references": [OwnerReference()]},
            [
                'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
                'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
                'metadata.ownerReferences.name: Invalid value: "": must not be empty',
                'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
            ],
        ),
        (
            {"owner_references": [owner("x", controller=True), owner("y", controller=True), owner("z")]},
            [
                'metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Secret","name":"x","uid":"uid-x",'
                '"controller":true},{"apiVersion":"v1","kind":"Secret","name":"y","uid":"uid-y","controller":true},'
                '{"apiVersion":"v1","kind":"Secret","name":"z","uid":"uid-z"}]: Only one reference can have Controller'
                ' set to true. Found "true" in references for Secret/x and Secret/y'
            ],
        ),
        (
            {"owner_references": [owner("x", api_version="a/b/c")]},
            ['metadata.ownerReferences.apiVersion: Invalid value: "a/b/c": version must not be empty'],
        ),
        (
            {"owner_references": [owner("x", kind="Event")]},
            [
                'metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"x","uid":"uid-x"}:'
                " /v1, Kind=Event is disallowed from being an owner"
            ],
        ),
    ],
)
def test_metadata_that_breaks_a_rule(members: dict[str, Any], texts: list[str]) -> None:
    assert problems(**members) == texts


def test_a_cluster_wide_object_has_no_namespace() -> None:
    found = validation.object_meta(meta(), namespaced=False, name_rule=path_segment)

    assert [str(problem) for problem in found] == ["metadata.namespace: Forbidden: not allowed on this type"]


def test_a_rule_of_a_kind_sees_the_base_of_a_generated_name_as_it_is() -> None:
    def rule(name: str) -> list[str]:
        return ["no dash at the end"] if name.endswith("-") else []

    found = validation.object_meta(meta(generate_name="gen-"), namespaced=True, name_rule=rule)

    assert [str(problem) for problem in found] == ['metadata.generateName: Invalid value: "gen-": no dash at the end']


def test_owners_are_kept_once() -> None:
    owners, warning = validation.distinct_owners([owner("x"), owner("y"), owner("z", uid="uid-x")])

    assert [one.name for one in owners] == ["x", "y"]
    assert warning.endswith("observed: uid-x")
    assert validation.distinct_owners(owners) == (owners, "")


def test_a_change_that_keeps_the_identity_is_right() -> None:
    old = meta(uid="u", creation_timestamp="2024-01-02T03:04:05Z", generation=1)

    assert update_problems(msgspec.structs.replace(old, labels={"a": "b"}, generation=2), old) == []


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"name": "b"}, 'metadata.name: Invalid value: "b": field is immutable'),
        ({"namespace": "m"}, 'metadata.namespace: Invalid value: "m": field is immutable'),
        ({"uid": "v"}, 'metadata.uid: Invalid value: "v": field is immutable'),
        (
            {"deletion_timestamp": "2001-01-01T00:00:00Z"},
            'metadata.deletionTimestamp: Invalid value: "2001-01-01T00:00:00Z": field is immutable',
        ),
        (
            {"deletion_grace_period_seconds": 3},
            "metadata.deletionGracePeriodSeconds: Invalid value: 3: field is immutable",
        ),
        ({"generation": 1}, "metadata.generation: Invalid value: 1: must not be decremented"),
        ({"labels": {"x": "b c"}}, f'metadata.labels: Invalid value: "b c": {NOT_VALUE}'),
    ],
)
def test_a_change_that_breaks_a_rule(members: dict[str, Any], text: str) -> None:
    old = meta(uid="u", generation=2)

    assert update_problems(msgspec.structs.replace(old, **members), old) == [text]


def test_finalizers_only_go_once_the_object_is_being_deleted() -> None:
    old = meta(finalizers=["example.com/one", "example.com/two"], deletion_timestamp="2024-01-02T03:04:05Z")
    fewer = msgspec.structs.replace(old, finalizers=["example.com/two"])
    more = msgspec.structs.replace(old, finalizers=["z", "example.com/one", 'a"'])

    assert update_problems(fewer, old) == []
    assert update_problems(more, old) == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new"
        ' finalizers []string{"a\\"", "z"}'
    ]


@pytest.mark.parametrize("rule", [dns_subdomain, dns_label, label_key, label_value, path_segment])
def test_a_long_text_takes_no_long_time(rule: validation.NameRule) -> None:
    started = time.monotonic()

    rule("a" * 300_000 + "!")

    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("ann:secret@host/a", '"ann:***@host/a"'),
        ("docker://ann:s@cret@host:5000/a:1", '"docker://ann:***@host:5000/a:1"'),
        ({"url": "https://:secret@host"}, '{"url":"https://:***@host"}'),
        ("ruby:3.3@sha256:abc", '"ruby:3.3@sha256:abc"'),
        ("host:5000/ruby:3.3@latest", '"host:5000/ruby:3.3@latest"'),
        ("ann@example.com", '"ann@example.com"'),
    ],
)
def test_a_password_in_an_address_is_not_repeated(value: object, printed: str) -> None:
    assert errors.invalid_value("spec.from", value, "bad").message == f"Invalid value: {printed}: bad"
