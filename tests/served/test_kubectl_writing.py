"""What an unmodified kubectl writes: generators, apply, edit, patches, labels, deletions, waits and rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.served import on_one_kind
from tests.served.kubectl import Kubectl
from tests.server import Server

STREAM = """
apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: app, labels: {app: x, part: one}}
spec:
  lookupPolicy: {local: true}
  tags:
  - {name: "1", reference: true, from: {kind: DockerImage, name: "r.example.com/x:1"}}
"""
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: shared, labels: {app: one}}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [get]}
"""
EDITOR = """#!/bin/sh
cat "$1" >> "$SEEN"
if grep -q 'part: one' "$1"; then sed -i 's/part: one/part: "b a d"/' "$1"; else sed -i 's/part: .*/part: two/' "$1"; fi
"""


def read(kubectl: Kubectl, kind: str, name: str) -> dict[str, Any]:
    """Return an object as the server holds it."""
    found: dict[str, Any] = json.loads(kubectl("get", kind, name, "-o", "json", "--show-managed-fields"))
    return found


@on_one_kind
def test_generators_make_what_they_say(kubectl: Kubectl) -> None:
    docker = ["--docker-server=r.example.com", "--docker-username=u", "--docker-password=p"]
    kubectl("create", "secret", "generic", "plain", "--from-literal=a=b")
    kubectl("create", "secret", "docker-registry", "pull", *docker)
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=imagestreams,secrets")
    kubectl("create", "rolebinding", "readers", "--role=reader", "--user=jane", "--serviceaccount=x:robot")

    assert read(kubectl, "secret", "plain")["data"] == {"a": "Yg=="}
    assert read(kubectl, "secret", "pull")["type"] == "kubernetes.io/dockerconfigjson"
    assert [rule["resources"] for rule in read(kubectl, "role", "reader")["rules"]] == [["secrets"], ["imagestreams"]]
    subjects = read(kubectl, "rolebinding", "readers")["subjects"]
    assert [(subject["kind"], subject["name"]) for subject in subjects] == [
        ("User", "jane"),
        ("ServiceAccount", "robot"),
    ]
    again = kubectl.refuses("create", "secret", "generic", "plain")
    assert again == 'error: failed to create secret secrets "plain" already exists\n'


def test_generators_make_what_is_of_the_cluster(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-seer"
    kubectl("create", "clusterrole", name, "--verb=get", "--resource=images", "--non-resource-url=/metrics")
    kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--group=seers")
    try:
        rules = read(kubectl, "clusterrole", name)["rules"]
        assert [rule.get("nonResourceURLs") for rule in rules] == [None, ["/metrics"]]
        assert read(kubectl, "clusterrolebinding", name)["roleRef"]["name"] == name
        assert kubectl("auth", "can-i", "get", "images", "--as=x", "--as-group=seers").endswith("yes\n")
        assert kubectl("auth", "can-i", "get", "/metrics", "--as=x", "--as-group=seers") == "yes\n"
    finally:
        kubectl("delete", f"clusterrolebinding/{name}", f"clusterrole/{name}")


@on_one_kind
def test_files_are_created(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "stream.yaml").write_text(STREAM)
    (tmp_path / "role.yaml").write_text(ROLE)

    said = kubectl("create", "-f", str(tmp_path), "--save-config")

    assert said.splitlines() == [
        "role.rbac.authorization.k8s.io/shared created",
        "imagestream.image.openshift.io/app created",
    ]
    assert kubectl("apply", "-f", str(tmp_path / "stream.yaml")).endswith("/app unchanged\n")


@on_one_kind
def test_a_dry_run_leaves_nothing(kubectl: Kubectl) -> None:
    for where in ("client", "server"):
        made = yaml.safe_load(kubectl("create", "secret", "generic", "dry", f"--dry-run={where}", "-o", "yaml"))
        assert ("uid" in made["metadata"]) is (where == "server")

    assert 'secrets "dry" not found' in kubectl.refuses("get", "secret", "dry")


@on_one_kind
def test_a_token_is_made_for_an_account(kubectl: Kubectl, served: Server) -> None:
    token = kubectl("create", "token", "default", "--duration=10m")

    review = served.client(token).post(
        f"{served.url}/apis/authentication.k8s.io/v1/selfsubjectreviews",
        json={"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"},
        timeout=20,
    )
    assert review.json()["status"]["userInfo"]["username"] == f"system:serviceaccount:{kubectl.namespace}:default"
    assert "may not specify a duration less than 10 minutes" in kubectl.refuses(
        "create", "token", "default", "--duration=1s"
    )
    assert 'serviceaccounts "nope" not found' in kubectl.refuses("create", "token", "nope")


@on_one_kind
def test_unknown_fields_are_refused_warned_of_or_ignored(kubectl: Kubectl) -> None:
    wrong = STREAM.replace("lookupPolicy", "lookUpPolicy")
    create = ("create", "--dry-run=server", "-f", "-")

    assert 'unknown field "spec.lookUpPolicy"' in kubectl.refuses(*create, "--validate=strict", stdin=wrong)
    assert kubectl.run(*create, "--validate=warn", stdin=wrong).stderr == 'Warning: unknown field "spec.lookUpPolicy"\n'
    assert kubectl.run(*create, "--validate=ignore", stdin=wrong).stderr == ""


def test_apply_moves_from_the_client_to_the_server(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=STREAM)
    changed = STREAM.replace("part: one", "part: two")

    diff = kubectl.run("diff", "-f", "-", stdin=changed)
    assert diff.returncode == 1
    assert {"-    part: one", "+    part: two"} <= set(diff.stdout.splitlines())
    assert kubectl.run("diff", "--server-side", "-f", "-", stdin=changed).returncode == 1
    assert read(kubectl, "is", "app")["metadata"]["labels"]["part"] == "one"

    assert kubectl("apply", "--server-side", "-f", "-", stdin=changed).endswith("/app serverside-applied\n")
    stream = read(kubectl, "is", "app")
    assert stream["metadata"]["labels"] == {"app": "x", "part": "two"}
    managers = {(entry["manager"], entry["operation"]) for entry in stream["metadata"]["managedFields"]}
    assert ("kubectl", "Apply") in managers
    assert ("kubectl-client-side-apply", "Update") not in managers


def test_two_managers_apply_one_object(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    other = ROLE.replace("verbs: [get]", "verbs: [list]").replace("app: one", "more: two")
    kubectl(*apply, "--field-manager=one", stdin=ROLE)

    conflict = kubectl.refuses(*apply, "--field-manager=two", stdin=other)
    assert conflict.startswith('error: Apply failed with 1 conflict: conflict with "one": .rules\n')
    assert read(kubectl, "role", "shared")["rules"][0]["verbs"] == ["get"]

    kubectl(*apply, "--field-manager=two", "--force-conflicts", stdin=other)
    role = read(kubectl, "role", "shared")
    assert (role["rules"][0]["verbs"], role["metadata"]["labels"]) == (["list"], {"app": "one", "more": "two"})

    kubectl(*apply, "--field-manager=two", stdin=other.replace(", labels: {more: two}", ""))
    assert read(kubectl, "role", "shared")["metadata"]["labels"] == {"app": "one"}


def test_apply_prunes_what_is_no_longer_there(kubectl: Kubectl) -> None:
    secrets = [f"apiVersion: v1\nkind: Secret\nmetadata: {{name: p{n}, labels: {{set: a}}}}\n" for n in (1, 2)]
    prune = ("apply", "--prune", "-l", "set=a", "--prune-allowlist=core/v1/Secret", "-f", "-")
    kubectl("apply", "-f", "-", stdin="---\n".join(secrets))

    assert kubectl(*prune, stdin=secrets[0]).splitlines() == ["secret/p1 unchanged", "secret/p2 pruned"]
    assert kubectl("get", "secrets", "-l", "set=a", "-o", "name") == "secret/p1\n"


@on_one_kind
def test_an_invalid_edit_comes_back_with_its_error(kubectl: Kubectl, served: Server, tmp_path: Path) -> None:
    kubectl("create", "-f", "-", stdin=STREAM)
    script, seen = tmp_path / "editor", tmp_path / "seen"
    script.write_text(EDITOR)
    script.chmod(0o755)
    environ = {"EDITOR": str(script), "SEEN": str(seen)}
    editing = Kubectl(served, tmp_path, namespace=kubectl.namespace, environ=environ)

    assert editing("edit", "is", "app") == "imagestream.image.openshift.io/app edited\n"

    assert '# * metadata.labels: Invalid value: "b a d"' in seen.read_text()
    assert read(kubectl, "is", "app")["metadata"]["labels"]["part"] == "two"


@on_one_kind
@pytest.mark.parametrize(
    ("how", "patch"),
    [
        ("json", [{"op": "add", "path": "/spec/tags/0/annotations", "value": {"a": "b"}}]),
        ("strategic", {"spec": {"tags": [{"name": "1", "annotations": {"a": "b"}}]}}),
        (
            "merge",
            {
                "spec": {
                    "tags": [
                        {
                            "name": "1",
                            "reference": True,
                            "annotations": {"a": "b"},
                            "from": {"kind": "DockerImage", "name": "r.example.com/x:1"},
                        }
                    ]
                }
            },
        ),
    ],
)
def test_a_patch_changes_one_field(kubectl: Kubectl, how: str, patch: object) -> None:
    kubectl("create", "-f", "-", stdin=STREAM)

    assert kubectl("patch", "is", "app", f"--type={how}", "-p", json.dumps(patch)).endswith("/app patched\n")

    tag = read(kubectl, "is", "app")["spec"]["tags"][0]
    assert (tag["annotations"], tag["from"]["name"]) == ({"a": "b"}, "r.example.com/x:1")


@on_one_kind
def test_wrong_patches_say_what_is_wrong(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=STREAM)

    def said(kind: str, patch: str) -> str:
        return kubectl.refuses("patch", "is", "app", f"--type={kind}", "-p", patch)

    assert "must be a JSON array" in said("json", "{}")
    assert "must be a JSON object" in said("merge", "[1]")
    assert 'there is nothing at "/spec/nope"' in said("json", '[{"op":"remove","path":"/spec/nope"}]')
    assert "spec.tags" in said("merge", '{"spec":{"tags":"x"}}')
    assert 'unknown $patch directive: "frob"' in said("strategic", '{"spec":{"tags":[{"name":"1","$patch":"frob"}]}}')
    assert "does not match the name on the URL" in said("merge", '{"metadata":{"name":"other"}}')
    assert "Conflict" in said("merge", '{"metadata":{"resourceVersion":"1"}}')


@on_one_kind
def test_labels_and_annotations_are_set_and_taken(kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "s")
    for verb, where in (("label", "labels"), ("annotate", "annotations")):
        kubectl(verb, "secret", "s", "a=1")
        assert "--overwrite is false" in kubectl.refuses(verb, "secret", "s", "a=2")
        kubectl(verb, "secret", "s", "a=2", "--overwrite")
        assert "(Conflict)" in kubectl.refuses(verb, "secret", "s", "b=1", "--resource-version=1")
        assert read(kubectl, "secret", "s")["metadata"][where] == {"a": "2"}
        kubectl(verb, "secret", "s", "a-")
        assert where not in read(kubectl, "secret", "s")["metadata"]


def test_replace_holds_to_its_version(kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "s")
    stale = kubectl("get", "secret", "s", "-o", "json")
    kubectl("label", "secret", "s", "a=b")
    old = json.loads(stale)["metadata"]["uid"]

    assert "(Conflict)" in kubectl.refuses("replace", "-f", "-", stdin=stale)
    assert read(kubectl, "secret", "s")["metadata"]["labels"] == {"a": "b"}
    kubectl("replace", "--force", "-f", "-", stdin="apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")
    assert read(kubectl, "secret", "s")["metadata"]["uid"] != old


def test_a_finalizer_holds_what_is_deleted(kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "s")
    kubectl("patch", "secret", "s", "--type=merge", "-p", '{"metadata":{"finalizers":["example.com/wait"]}}')

    kubectl("delete", "secret", "s", "--wait=false")
    assert "deletionTimestamp" in read(kubectl, "secret", "s")["metadata"]
    assert "timed out waiting" in kubectl.refuses("wait", "secret/s", "--for=delete", "--timeout=1s")
    with kubectl.running("wait", "secret/s", "--for=delete", "--timeout=20s") as waiting:
        kubectl("patch", "secret", "s", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]')
        assert waiting.process.wait(20) == 0
    assert "(NotFound)" in kubectl.refuses("get", "secret", "s")


@pytest.mark.parametrize(("cascade", "left"), [("foreground", ""), ("orphan", "secret/part\n")])
def test_dependents_go_with_their_owner_or_stay(kubectl: Kubectl, cascade: str, left: str) -> None:
    kubectl("create", "secret", "generic", "owner")
    uid = read(kubectl, "secret", "owner")["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Secret", "name": "owner", "uid": uid, "blockOwnerDeletion": True}
    part = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "part", "ownerReferences": [owner]}}
    kubectl("create", "-f", "-", stdin=json.dumps(part))

    kubectl("delete", "secret", "owner", f"--cascade={cascade}")

    assert kubectl("get", "secrets", "-o", "name") == left


def test_many_are_deleted_at_once(kubectl: Kubectl) -> None:
    for name in ("a", "b", "c"):
        kubectl("create", "secret", "generic", name)
    kubectl("label", "secret", "a", "x=y")

    kubectl("delete", "secrets", "--all", "--dry-run=server")
    assert kubectl("delete", "secrets", "-l", "x=y", "--grace-period=0") == 'secret "a" deleted\n'
    assert kubectl("get", "secrets", "-o", "name") == "secret/b\nsecret/c\n"
    kubectl("delete", "secrets", "--all")
    assert kubectl("get", "secrets", "-o", "name") == ""
    assert kubectl("delete", "secret", "a", "--ignore-not-found") == ""


def test_wait_sees_fields_and_creations(kubectl: Kubectl) -> None:
    with kubectl.running("wait", "is/app", "--for=create", "--timeout=20s") as waiting:
        kubectl("create", "-f", "-", stdin=STREAM)
        assert waiting.process.wait(20) == 0

    said = kubectl("wait", "is/app", "--for=jsonpath={.spec.lookupPolicy.local}=true", "--timeout=20s")
    assert said == "imagestream.image.openshift.io/app condition met\n"


@on_one_kind
def test_rights_are_told_and_held(kubectl: Kubectl) -> None:
    jane = ("--as", "jane", "--as-group", "devs")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=secrets")
    kubectl("create", "rolebinding", "readers", "--role=reader", "--group=devs")

    who = yaml.safe_load(kubectl("auth", "whoami", "-o", "yaml", *jane))["status"]["userInfo"]
    assert (who["username"], who["groups"]) == ("jane", ["devs", "system:authenticated"])
    assert kubectl("auth", "can-i", "list", "secrets", *jane) == "yes\n"
    denied = kubectl.run("auth", "can-i", "delete", "secrets", *jane)
    assert (denied.returncode, denied.stdout) == (1, "no\n")
    rules = [line.split() for line in kubectl("auth", "can-i", "--list", *jane).splitlines()]
    assert ["secrets", "[]", "[]", "[get", "list]"] in rules
    assert kubectl("get", "secrets", "-o", "name", *jane) == ""
    refused = kubectl.refuses("delete", "secret", "x", *jane)
    assert f'cannot delete resource "secrets" in API group "" in the namespace "{kubectl.namespace}"' in refused


def test_reconcile_adds_and_takes_rights(kubectl: Kubectl) -> None:
    role = ROLE.replace("name: shared", f"name: shared, namespace: {kubectl.namespace}")
    other = role.replace("[get]", "[list]")
    kubectl("auth", "reconcile", "-f", "-", stdin=role)

    kubectl("auth", "reconcile", "-f", "-", stdin=other)
    assert [rule["verbs"] for rule in read(kubectl, "role", "shared")["rules"]] == [["get"], ["list"]]
    kubectl("auth", "reconcile", "--remove-extra-permissions", "-f", "-", stdin=other)
    assert [rule["verbs"] for rule in read(kubectl, "role", "shared")["rules"]] == [["list"]]
