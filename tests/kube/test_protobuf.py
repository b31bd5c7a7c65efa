"""Bodies in Protocol Buffers, as recorded from kubectl, oc and the image registry or built by hand."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_meta.kube.errors import StatusError
from registry_meta.kube.protobuf import decode_protobuf
from registry_meta.kube.protobuf_kinds import API_VERSIONS, SCHEMA

RBAC = "rbac.authorization.k8s.io/v1"

SECRET = (
    "azhzAAoMCgJ2MRIGU2VjcmV0EpgBChQKBHB1bGwSABoAIgAqADIAOABCABJgChEuZG9ja2VyY29uZmlnanNvbhJLeyJhdXRocyI6eyIxMjcuMC4w"
    "LjE6MTUwMDAiOnsidXNlcm5hbWUiOiJ1IiwicGFzc3dvcmQiOiJwIiwiYXV0aCI6ImRUcHcifX19Gh5rdWJlcm5ldGVzLmlvL2RvY2tlcmNvbmZp"
    "Z2pzb24aACIA"
)
SERVICE_ACCOUNT = (
    "azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSVwpNCgdkZWZhdWx0EgAaB2RlZmF1bHQiACokZWU2NDZmNTAtZjE3NC00NDE1LWJjNzMtODFiNjg4"
    "YWQ4MTQ0MgM0NTg4AEIICOWdk9gGEAAaBgoEcHVsbBoAIgA="
)
CLUSTER_ROLE_BINDING = (
    "azhzAAoyChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEhJDbHVzdGVyUm9sZUJpbmRpbmcSjgEKIwoTc3lzdGVtOmltYWdlLXBydW5lchIA"
    "GgAiACoAMgA4AEIAEigKBFVzZXISGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8aA2FubiIAGj0KGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8S"
    "C0NsdXN0ZXJSb2xlGhNzeXN0ZW06aW1hZ2UtcHJ1bmVyGgAiAA=="
)
MAY_I = (
    b'k8s\x00\n2\n\x17authorization.k8s.io/v1\x12\x17SelfSubjectAccessReview\x12`\n\x10\n\x00\x12\x00\x1a\x00"\x00*\x00'
    b'2\x008\x00B\x00\x12B\n@\n\x07regdemo\x12\x03get\x1a\x12image.openshift.io"\x00*\x13imagestreams/layers2\x00:\x03'
    b'app\x1a\x08\x08\x00\x12\x00\x1a\x00 \x00\x1a\x00"\x00'
)


def body(kind: str, api_version: str = "v1", /, *, raw: Any = None, **fields: Any) -> bytes:
    """Return the body of an object given as keyword arguments of its message."""
    message: Any = SCHEMA.new(kind)
    fill(message, fields)
    envelope: Any = SCHEMA.new("Unknown")
    fill(envelope, {"typeMeta": {"apiVersion": api_version, "kind": kind}})
    envelope.raw = message.SerializeToString() if raw is None else raw
    return b"".join((b"k8s\x00", envelope.SerializeToString()))


def fill(message: Any, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        target = getattr(message, name)
        if isinstance(value, dict) and hasattr(target, "DESCRIPTOR"):
            target.SetInParent()
            fill(target, value)
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(item, dict):
                    fill(target[key], item)
                else:
                    target[key] = item
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    fill(target.add(), item)
                else:
                    target.append(item)
        else:
            setattr(message, name, value)


def test_a_secret_of_kubectl_is_read_with_its_data_in_base64() -> None:
    tree = decode_protobuf(base64.b64decode(SECRET), "Secret", "v1")

    content = b'{"auths":{"127.0.0.1:15000":{"username":"u","password":"p","auth":"dTpw"}}}'
    assert tree == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pull"},
        "data": {".dockerconfigjson": base64.b64encode(content).decode()},
        "type": "kubernetes.io/dockerconfigjson",
    }


def test_a_service_account_that_oc_writes_back_keeps_its_times_and_lists() -> None:
    tree = decode_protobuf(base64.b64decode(SERVICE_ACCOUNT), "ServiceAccount", "v1")

    assert tree == {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "default",
            "namespace": "default",
            "uid": "ee646f50-f174-4415-bc73-81b688ad8144",
            "resourceVersion": "458",
            "creationTimestamp": "2026-11-23T23:40:21Z",
        },
        "imagePullSecrets": [{"name": "pull"}],
    }


def test_a_cluster_role_binding_of_oc_is_read() -> None:
    tree = decode_protobuf(base64.b64decode(CLUSTER_ROLE_BINDING), "ClusterRoleBinding", RBAC)

    group = RBAC.partition("/")[0]
    assert tree == {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "system:image-pruner"},
        "subjects": [{"kind": "User", "apiGroup": group, "name": "ann"}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:image-pruner"},
    }


def test_an_access_review_of_the_image_registry_is_read() -> None:
    tree = decode_protobuf(MAY_I, "SelfSubjectAccessReview", "authorization.k8s.io/v1")

    assert tree["spec"] == {
        "resourceAttributes": {
            "namespace": "regdemo",
            "verb": "get",
            "group": "image.openshift.io",
            "resource": "imagestreams/layers",
            "name": "app",
        }
    }


@pytest.mark.parametrize(
    ("kind", "api_version", "fields", "expected"),
    [
        ("Secret", "v1", {"stringData": {"a": "b"}, "immutable": False},
         {"stringData": {"a": "b"}, "immutable": False}),
        ("Secret", "v1", {"data": {"empty": b""}}, {"data": {"empty": ""}}),
        ("ConfigMap", "v1", {"binaryData": {"k": b"\x00\xff"}}, {"binaryData": {"k": "AP8="}}),
        ("Namespace", "v1", {"spec": {"finalizers": ["kubernetes"]}}, {"spec": {"finalizers": ["kubernetes"]}}),
        ("Event", "v1", {"count": 0, "eventTime": {"seconds": 1, "nanos": 2000}, "firstTimestamp": {}},
         {"eventTime": "1970-01-01T00:00:01.000002Z"}),
        ("ResourceQuota", "v1", {"spec": {"hard": {"pods": {"string": "3"}}}}, {"spec": {"hard": {"pods": "3"}}}),
        ("DeleteOptions", "v1", {"gracePeriodSeconds": 0, "preconditions": {"uid": "u"}, "dryRun": ["All"]},
         {"gracePeriodSeconds": 0, "preconditions": {"uid": "u"}, "dryRun": ["All"]}),
        ("ClusterRole", RBAC, {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}},
         {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}),
        ("Role", RBAC, {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]},
         {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]}),
        ("SubjectAccessReview", "authorization.k8s.io/v1",
         {"spec": {"user": "ann", "extra": {"scopes": {"items": ["a", ""]}}, "nonResourceAttributes": {}}},
         {"spec": {"user": "ann", "extra": {"scopes": ["a", ""]}, "nonResourceAttributes": {}}}),
        ("TokenRequest", "authentication.k8s.io/v1", {"spec": {"expirationSeconds": 600, "audiences": ["a"]}},
         {"spec": {"expirationSeconds": 600, "audiences": ["a"]}}),
        ("ServiceAccount", "v1",
         {"metadata": {"managedFields": [{"manager": "k", "fieldsV1": {"raw": b'{"f:secrets":{}}'}}]}},
         {"metadata": {"managedFields": [{"manager": "k", "fieldsV1": {"f:secrets": {}}}]}}),
        ("ServiceAccount", "v1", {"metadata": {"ownerReferences": [{"uid": "u", "controller": False}]}},
         {"metadata": {"ownerReferences": [{"uid": "u", "controller": False}]}}),
    ],
)  # fmt: skip
def test_a_message_becomes_the_json_that_it_stands_for(
    kind: str, api_version: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    tree = decode_protobuf(body(kind, api_version, **fields), kind, api_version)

    assert tree == {"apiVersion": api_version, "kind": kind, **expected}


def test_an_unnamed_type_is_that_of_the_path() -> None:
    tree = decode_protobuf(b"k8s\x00\x12\x0b\n\t\n\x07untyped", "Secret", "v1")

    assert tree == {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "untyped"}}


def test_an_unknown_field_is_skipped() -> None:
    sent = b"k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12\x0e\n\x07\n\x05extraJ\x03zzz"

    tree = decode_protobuf(sent, "Secret", "v1")

    assert tree["metadata"] == {"name": "extra"}


def test_another_kind_is_left_to_the_caller() -> None:
    tree = decode_protobuf(body("ServiceAccount", metadata={"name": "other"}), "Secret", "v1")

    assert tree == {"apiVersion": "v1", "kind": "ServiceAccount"}


def test_deletion_options_may_name_the_group_of_what_is_deleted() -> None:
    tree = decode_protobuf(body("DeleteOptions", RBAC, propagationPolicy="Orphan"), "DeleteOptions", "v1")

    assert tree == {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"", "empty data"),
        (b"k8s\x00", "empty body"),
        (b"{}", "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"),
        (b"\n\x06\n\x04bare", "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"),
        (b"k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12\t\n\x07\n\x05sh", "the body is no protobuf message of kind"),
        (body("Secret", raw=b"\n\x07\n\x05sh"), "the body is no protobuf message of kind Secret"),
        (body("Secret", raw=b"\n\x04\n\x02\xff\xfe"), "is no protobuf message of kind Secret"),
        (body("Secret", metadata={"creationTimestamp": {"seconds": 2**60}}), "outside the years"),
        (body("Secret", metadata={"managedFields": [{"fieldsV1": {"raw": b"{"}}]}), "not JSON"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(sent: bytes, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        decode_protobuf(sent, "Secret", "v1")

    assert caught.value.code == 400
    assert message in caught.value.message


def test_a_kind_without_such_a_form_is_an_unsupported_media_type() -> None:
    with pytest.raises(StatusError) as caught:
        decode_protobuf(b"k8s\x00", "ImageStream", "image.openshift.io/v1")

    assert caught.value.code == 415


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        outcome = decode_protobuf(body("Event", raw=raw), "Event", "v1")["kind"]
    except StatusError as error:
        outcome = error.code

    assert outcome in ("Event", 400)


def test_every_kind_has_a_message() -> None:
    kinds = {kind for kinds in API_VERSIONS.values() for kind in kinds}

    assert kinds <= SCHEMA.messages.keys()
