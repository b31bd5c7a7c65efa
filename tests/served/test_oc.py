"""An unmodified oc: what it makes, moves and tells of streams and tags, where it is at hand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.registries import Distribution
from tests.requirements import needs
from tests.served.kubectl import Oc
from tests.server import Server

pytestmark = needs("oc")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Desk:
    """The command in a namespace of its own, and a registry with the repository `repository` to import from."""

    oc: Oc
    registry: Distribution
    repository: str

    def push(self, tag: str, seed: str) -> str:
        """Let a tag of the repository be an image of a seed and return its digest."""
        return self.registry.push(self.repository, tag, seed=seed)

    def pullspec(self, tag: str) -> str:
        """Return the pull spec of a tag of the repository."""
        return self.registry.pullspec(self.repository, tag=tag)

    def history(self, stream: str, tag: str) -> list[str]:
        """Return the digests that a tag was, newest first."""
        status = json.loads(self.oc("get", "is", stream, "-o", "json"))["status"]
        entries = [entry for entry in status.get("tags") or [] if entry["tag"] == tag]
        return [item["image"] for entry in entries for item in entry["items"] or []]


@pytest.fixture
def desk(served: Server, registry: Distribution, tmp_path: Path) -> Iterator[Desk]:
    """The command on each kind of server in turn."""
    namespace = f"oc-{next(_numbers)}"
    oc = Oc(served, tmp_path, namespace=namespace)
    oc("create", "namespace", namespace)
    yield Desk(oc, registry, f"{namespace}/app")
    oc("delete", "namespace", namespace, "--wait=false")


def imported(desk: Desk, tag: str = "latest") -> str:
    """Import a tag of the repository into the stream `app` and return its digest."""
    digest = desk.push(tag, f"{desk.repository} {tag}")
    desk.oc("import-image", f"app:{tag}", "--from", desk.pullspec(tag), "--confirm", "--insecure")
    return digest


def test_a_stream_is_made_and_described(desk: Desk) -> None:
    assert desk.oc("create", "is", "app") == "imagestream.image.openshift.io/app created\n"

    words = [line.split() for line in desk.oc("describe", "is", "app").splitlines()]
    assert ["Name:", "app"] in words
    assert ["Image", "Repository:", "<none>"] in words
    assert ["Tags:", "<none>"] in words


def test_an_import_brings_a_tag_in_and_reports_it(desk: Desk) -> None:
    digest = desk.push("latest", "oc one")

    said = desk.oc("import-image", "app", "--from", desk.pullspec("latest"), "--confirm", "--insecure")

    assert said.startswith("imagestream.image.openshift.io/app imported\n\n")
    assert digest in said
    assert desk.history("app", "latest") == [digest]


def test_importing_again_moves_the_tag_and_keeps_its_history(desk: Desk) -> None:
    first = imported(desk)
    second = desk.push("latest", "oc another")

    desk.oc("import-image", "app")

    assert desk.history("app", "latest") == [second, first]


def test_import_all_brings_in_every_tag_of_a_repository(desk: Desk) -> None:
    digests = {tag: desk.push(tag, f"all {tag}") for tag in ("v1", "v2")}

    desk.oc(
        "import-image", "all", "--all", "--from", desk.registry.pullspec(desk.repository), "--confirm", "--insecure"
    )

    assert {tag: desk.history("all", tag) for tag in digests} == {tag: [digest] for tag, digest in digests.items()}


def test_a_dry_run_of_an_import_leaves_nothing(desk: Desk) -> None:
    desk.push("latest", "oc dry")

    said = desk.oc("import-image", "dry", "--from", desk.pullspec("latest"), "--confirm", "--insecure", "--dry-run")

    assert "(dry run)" in said
    assert desk.oc("get", "is", "-o", "name") == ""


def test_an_import_that_fails_says_why(desk: Desk) -> None:
    done = desk.oc.run("import-image", "app", "--from", desk.pullspec("none"), "--confirm", "--insecure")

    assert done.returncode == 1
    assert "not found" in done.stdout + done.stderr


def test_a_tag_is_set_to_the_image_of_another(desk: Desk) -> None:
    digest = imported(desk)

    said = desk.oc("tag", "app:latest", "app:stable", "copy:latest")

    assert said == f"Tag app:stable set to app@{digest}.\nTag copy:latest set to app@{digest}.\n"
    assert desk.history("app", "stable") == desk.history("copy", "latest") == [digest]


def test_an_alias_follows_its_tag(desk: Desk) -> None:
    first = imported(desk)

    assert desk.oc("tag", "--alias", "app:latest", "app:now") == "Tag app:now set up to track app:latest.\n"
    second = desk.push("latest", "oc alias")
    desk.oc("import-image", "app:latest")

    assert desk.history("app", "now") == [second, first]


def test_an_outside_image_is_tagged_once_on_schedule_or_as_a_reference(desk: Desk) -> None:
    desk.push("latest", "oc outside")
    spec = desk.pullspec("latest")

    assert desk.oc("tag", "--insecure", spec, "out:one") == f"Tag out:one set to {spec}.\n"
    assert (
        desk.oc("tag", "--insecure", "--scheduled", spec, "out:two")
        == f"Tag out:two set to import {spec} periodically.\n"
    )
    desk.oc("tag", "--reference", "--reference-policy=local", spec, "out:three")

    tags = {tag["name"]: tag for tag in json.loads(desk.oc("get", "is", "out", "-o", "json"))["spec"]["tags"]}
    assert tags["two"]["importPolicy"]["scheduled"] is True
    assert tags["three"]["reference"] is True
    assert tags["three"]["referencePolicy"] == {"type": "Local"}


def test_a_tag_is_deleted(desk: Desk) -> None:
    imported(desk)

    assert desk.oc("tag", "-d", "app:latest") == f"Deleted tag {desk.oc.namespace}/app:latest.\n"

    assert desk.history("app", "latest") == []
    missing = 'Error from server (NotFound): imagestreamtags.image.openshift.io "app:latest" not found\n'
    assert desk.oc.refuses("tag", "-d", "app:latest") == missing


def test_a_tag_is_made_with_its_stream(desk: Desk) -> None:
    digest = imported(desk)

    said = desk.oc("create", "istag", "made:1", "--from=app:latest", "-A", "why=test")

    assert said == "imagestreamtag.image.openshift.io/made:1 created\n"
    assert desk.history("made", "1") == [digest]
    tag = json.loads(desk.oc("get", "istag", "made:1", "-o", "json"))["tag"]
    assert tag["annotations"] == {"why": "test"}


def test_a_tag_without_a_colon_is_refused_by_the_server(desk: Desk) -> None:
    assert "must be of the form <stream_name>:<tag>" in desk.oc.refuses("create", "istag", "made")


def test_image_lookup_is_switched_and_listed(desk: Desk) -> None:
    desk.oc("create", "is", "app")

    assert desk.oc("set", "image-lookup", "app") == "imagestream.image.openshift.io/app image lookup updated\n"
    rows = [line.split() for line in desk.oc("set", "image-lookup").splitlines()]
    assert rows == [["NAME", "LOCAL"], ["app", "true"]]

    desk.oc("set", "image-lookup", "app", "--enabled=false")
    assert [line.split() for line in desk.oc("set", "image-lookup").splitlines()][1:] == [["app", "false"]]


def test_a_tag_and_its_image_are_described(desk: Desk) -> None:
    digest = imported(desk)

    for name in (("istag", "app:latest"), ("isimage", f"app@{digest}"), ("image", digest)):
        words = [line.split() for line in desk.oc("describe", *name).splitlines()]
        assert ["Image", "Name:", digest] in words or ["Name:", digest] in words, name


def test_streams_are_ranked_by_what_they_store(desk: Desk) -> None:
    imported(desk)

    lines = desk.oc("adm", "top", "imagestreams").splitlines()

    assert lines[0].split() == ["NAME", "STORAGE", "IMAGES", "LAYERS"]
    assert any(line.startswith(f"{desk.oc.namespace}/app") for line in lines)


def test_a_role_is_given_and_taken(desk: Desk) -> None:
    desk.oc("policy", "add-role-to-user", "view", "-z", "default")
    asked = ("auth", "can-i", "list", "imagestreams", f"--as=system:serviceaccount:{desk.oc.namespace}:default")
    assert desk.oc(*asked) == "yes\n"

    desk.oc("policy", "remove-role-from-user", "view", "-z", "default")

    assert desk.oc.run(*asked).stdout == "no\n"


def test_a_secret_is_linked_to_an_account(desk: Desk) -> None:
    desk.oc("create", "secret", "generic", "pull", "--from-literal=a=b")

    desk.oc("secrets", "link", "default", "pull", "--for=pull,mount")

    account = json.loads(desk.oc("get", "sa", "default", "-o", "json"))
    assert {"name": "pull"} in account["imagePullSecrets"]
    assert {"name": "pull"} in account["secrets"]
    desk.oc("secrets", "unlink", "default", "pull")
    account = json.loads(desk.oc("get", "sa", "default", "-o", "json"))
    assert {"name": "pull"} not in account.get("imagePullSecrets", []) + account.get("secrets", [])
