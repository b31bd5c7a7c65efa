"""Repositories are read through their mirrors, and closed registries never hear of it."""

from __future__ import annotations

# What fills the registries is shared with the recorded conversations and has no annotations.
# mypy: allow-untyped-calls
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from imagestreams.configuration import Configuration
from imagestreams.credentials import Bundle, Entry, Keyring, Login
from imagestreams.imports.fetch import Fetched, Fetcher, Platform, Wanted
from imagestreams.imports.routing import Blocked, Unreached
from imagestreams.imports.sources import Sources
from imagestreams.mirrors import MirrorSet, Registries
from imagestreams.reference import PullSpec
from imagestreams.upstream.client import Limits, UpstreamClient
from imagestreams.upstream.errors import NotFound, Transient
from imagestreams.upstream.values import Credential
from tests.conformance.odd_registry import Memory
from tests.registries import KINDS, Reply, Request, StandIn

PART = re.compile(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
AMD64 = Platform("amd64", "linux")


class Site:
    """A registry in memory that keeps what it was asked; while `status` is set it answers nothing else."""

    def __init__(self) -> None:
        self.store = Memory()
        self.status = 0
        self.stand_in = StandIn(self._answer)

    @property
    def host(self) -> str:
        return self.stand_in.host

    @property
    def asked(self) -> list[str]:
        found = [PART.fullmatch(request.path) for request in self.stand_in.requests]
        return [f"{part[2]} {part[3]}" for part in found if part]

    def push(self, repository: str, tag: str | None, *, seed: str = "a", kind: str = "image") -> str:
        return str(KINDS[kind](self.store, repository, tag, seed=seed)["digest"])

    def _answer(self, request: Request) -> Reply | None:
        if self.status:
            return Reply(self.status, headers={"WWW-Authenticate": 'Basic realm="tests"'})
        if request.path == "/v2/":
            return Reply(headers={"Docker-Distribution-Api-Version": "registry/2.0"})
        part = PART.fullmatch(request.path)
        if part is None:
            return None
        repository, what, name = part.groups()
        if what == "tags":
            tags = self.store.tags.get(repository)
            return Reply(body=json.dumps({"tags": tags})) if tags else _unknown("NAME_UNKNOWN")
        if what == "blobs":
            blob = self.store.blobs.get((repository, name))
            return Reply(body=blob) if blob is not None else _unknown("BLOB_UNKNOWN")
        kind, body = self.store.manifests.get((repository, name), ("", b""))
        return Reply(body=body, headers={"Content-Type": kind}) if kind else _unknown("MANIFEST_UNKNOWN")


def _unknown(code: str) -> Reply:
    return Reply(404, json.dumps({"errors": [{"code": code, "message": "unknown"}]}))


@contextmanager
def opened() -> Iterator[Site]:
    site = Site()
    with site.stand_in:
        yield site


@pytest.fixture
def source() -> Iterator[Site]:
    with opened() as site:
        yield site


@pytest.fixture
def mirror() -> Iterator[Site]:
    with opened() as site:
        yield site


@pytest.fixture
def client() -> Iterator[UpstreamClient]:
    made = UpstreamClient(limits=Limits(), allow_private=True)
    yield made
    made.close()


def sources(client: UpstreamClient, registries: Registries, *entries: Entry) -> Sources:
    return Sources(client, Keyring(Bundle(entries)), cluster=Configuration(0, registries=registries))


def fetched(
    client: UpstreamClient, registries: Registries, site: Site, reference: str, *, preserve: bool = False
) -> Fetched:
    repository = PullSpec.parse(f"{site.host}/team/app")
    wanted = Wanted(repository, reference, True, preserve, AMD64)
    return Fetcher(sources(client, registries), now=NOW).fetch([wanted])[wanted]


def mirrored(source: Site, *mirrors: str, closed: bool = False) -> MirrorSet:
    return MirrorSet(f"{source.host}/team", mirrors, closed=closed)


def test_a_tag_and_all_of_its_image_come_from_a_mirror_for_tags_alone(
    client: UpstreamClient, source: Site, mirror: Site
) -> None:
    digest = mirror.push("copies/app", "v1")
    registries = Registries(tags=[mirrored(source, f"{mirror.host}/copies")])

    found = fetched(client, registries, source, "v1")

    assert found.image is not None
    assert found.image.docker_image_reference == f"{source.host}/team/app@{digest}"
    assert not source.stand_in.requests
    assert len(mirror.asked) == 2


@pytest.mark.parametrize("preserve", [False, True])
def test_members_of_a_mirrored_index_come_from_where_it_came_from(
    client: UpstreamClient, source: Site, mirror: Site, preserve: bool
) -> None:
    mirror.push("copies/app", "v1", kind="index")
    registries = Registries(tags=[mirrored(source, f"{mirror.host}/copies")])

    found = fetched(client, registries, source, "v1", preserve=preserve)

    assert (found.status["status"], len(found.members)) == ("Success", 3 if preserve else 0)
    assert not source.stand_in.requests


def test_members_of_an_index_from_the_source_are_looked_for_at_mirrors_for_digests(
    client: UpstreamClient, source: Site, mirror: Site
) -> None:
    source.push("team/app", "v1", kind="index")
    mirror.push("copies/app", None, kind="index")
    registries = Registries(digests=[mirrored(source, f"{mirror.host}/copies")])

    found = fetched(client, registries, source, "v1", preserve=True)

    assert found.status["status"] == "Success"
    assert source.asked == ["manifests v1"]
    assert len(mirror.asked) == 6


def test_a_mirror_that_fails_is_followed_by_the_next_and_by_the_source(
    client: UpstreamClient, source: Site, mirror: Site
) -> None:
    source.push("team/app", "v1")
    mirror.status = 404
    registries = Registries(tags=[mirrored(source, "127.0.0.1:1/none", mirror.host)])

    found = fetched(client, registries, source, "v1")

    assert found.status["status"] == "Success"
    assert source.asked[0] == "manifests v1"


def test_when_all_fail_each_is_told_of_by_its_own_name(client: UpstreamClient, source: Site, mirror: Site) -> None:
    registries = Registries(tags=[mirrored(source, f"{mirror.host}/copies", "127.0.0.1:1/none")])

    status = fetched(client, registries, source, "v1").status

    assert (status["reason"], status["code"]) == ("InternalError", 500)
    start = f'Internal error occurred: [dockerimage.image.openshift.io "{mirror.host}/copies/app:v1" not found, '
    assert str(status["message"]).startswith(f"{start}127.0.0.1:1/none/app:v1: Get ")
    end = f'dockerimage.image.openshift.io "{source.host}/team/app:v1" not found]'
    assert str(status["message"]).endswith(end)


def test_a_source_that_was_asked_alone_is_told_of_as_ever(client: UpstreamClient, source: Site) -> None:
    registries = Registries(digests=[mirrored(source, "127.0.0.1:1/none")])

    status = fetched(client, registries, source, "v1").status

    assert status["reason"] == "NotFound"


@pytest.mark.parametrize("reference", ["v1", "digest"])
def test_a_source_that_is_never_to_be_contacted_is_not(
    client: UpstreamClient, source: Site, mirror: Site, reference: str
) -> None:
    digest = source.push("team/app", "v1")
    sets = [mirrored(source, f"{mirror.host}/copies", closed=True)]
    registries = Registries(digests=sets, tags=sets)

    status = fetched(client, registries, source, digest if reference == "digest" else "v1").status

    assert status["reason"] == "InternalError"
    assert str(status["message"]).endswith(
        "the repository itself is not contacted, the policy of its mirrors is NeverContactSource]"
    )
    assert source.stand_in.connections == 0
    assert len(mirror.asked) == 1


def test_without_a_mirror_for_its_kind_of_name_nobody_is_asked(
    client: UpstreamClient, source: Site, mirror: Site
) -> None:
    source.push("team/app", "v1")
    registries = Registries(digests=[mirrored(source, mirror.host, closed=True)])

    status = fetched(client, registries, source, "v1").status

    assert status["message"] == (
        f"Internal error occurred: {source.host}/team/app:v1: the repository itself is not contacted,"
        " the policy of its mirrors is NeverContactSource"
    )
    assert source.stand_in.connections == mirror.stand_in.connections == 0


def test_a_blocked_registry_is_forbidden_and_hears_nothing(client: UpstreamClient, source: Site) -> None:
    registries = Registries(blocked=[source.host])
    repository = PullSpec.parse(f"{source.host}/team/app")

    image = fetched(client, registries, source, "v1").status
    listed = Fetcher(sources(client, registries), now=NOW).list_tags(repository, insecure=True).status

    for status in (image, listed):
        assert (status["reason"], status["code"]) == ("Forbidden", 403)
        assert status["message"] == f"forbidden: registry {source.host} blocked"
    assert source.stand_in.connections == 0


def test_tags_are_listed_where_the_first_mirror_has_them(client: UpstreamClient, source: Site, mirror: Site) -> None:
    mirror.push("copies/app", "v1")
    source.push("team/app", "v2")
    registries = Registries(tags=[mirrored(source, "127.0.0.1:1/none", f"{mirror.host}/copies")])
    repository = PullSpec.parse(f"{source.host}/team/app")

    listed = Fetcher(sources(client, registries), now=NOW).list_tags(repository, insecure=True)

    assert listed.tags == ["v1"]
    assert not source.stand_in.requests


def test_tags_that_nobody_lists_are_told_of_with_every_name(client: UpstreamClient, source: Site, mirror: Site) -> None:
    registries = Registries(tags=[mirrored(source, f"{mirror.host}/copies")])
    repository = PullSpec.parse(f"{source.host}/team/app")

    status = Fetcher(sources(client, registries), now=NOW).list_tags(repository, insecure=True).status

    assert status["message"] == (
        f'Internal error occurred: [dockerimage.image.openshift.io "{mirror.host}/copies/app" not found,'
        f' dockerimage.image.openshift.io "{source.host}/team/app" not found]'
    )


def test_each_place_gets_the_credentials_of_its_own_name(client: UpstreamClient, source: Site, mirror: Site) -> None:
    mirror.status = source.status = 401
    entries = [Entry(f"{source.host}/team", Login("s", "s")), Entry(f"{mirror.host}/copies", Login("m", "m"))]
    registries = Registries(tags=[mirrored(source, f"{mirror.host}/copies")])
    repository = PullSpec.parse(f"{source.host}/team/app")

    with pytest.raises(Unreached) as caught:
        sources(client, registries, *entries).repository(repository, insecure=True).manifest("v1")

    assert len(caught.value.failures) == 2
    assert sent(mirror) == {Credential("m", "m").basic()}
    assert sent(source) == {Credential("s", "s").basic()}


def sent(site: Site) -> set[str]:
    found = (request.headers.get("authorization") for request in site.stand_in.requests)
    return {text for text in found if text}


def test_heads_go_the_same_way(client: UpstreamClient, source: Site, mirror: Site) -> None:
    mirror.push("copies/app", "v1")
    registries = Registries(tags=[mirrored(source, f"{mirror.host}/copies", closed=True)])
    repository = sources(client, registries).repository(PullSpec.parse(f"{source.host}/team/app"), insecure=True)

    assert repository.head("v1") is None  # this registry says no digest
    with pytest.raises(Unreached):
        repository.head("v2")
    assert source.stand_in.connections == 0


def test_an_error_of_several_is_transient_when_one_of_them_is(
    client: UpstreamClient, source: Site, mirror: Site
) -> None:
    mirror.status = 507
    registries = Registries(tags=[mirrored(source, f"{mirror.host}/copies")])
    repository = sources(client, registries).repository(PullSpec.parse(f"{source.host}/team/app"), insecure=True)

    with pytest.raises(Unreached) as caught:
        repository.manifest("v1")

    assert isinstance(caught.value, Transient)
    assert isinstance(caught.value.failures[1].error, NotFound)


def test_security_is_that_of_each_place(client: UpstreamClient, source: Site, mirror: Site) -> None:
    """Neither speaks TLS, so only what is marked insecure answers."""
    source.push("team/app", "v1")
    mirror.push("copies/app", "v1")
    sets = [mirrored(source, f"{mirror.host}/copies")]
    trusted = Registries(tags=sets, insecure=[f"{mirror.host}/copies"])
    repository = PullSpec.parse(f"{source.host}/team/app")

    sources(client, trusted).repository(repository, insecure=False).manifest("v1")
    with pytest.raises(Unreached):
        sources(client, Registries(tags=sets)).repository(repository, insecure=False).manifest("v1")
    with pytest.raises(Blocked):
        sources(client, Registries(blocked=[source.host])).repository(repository, insecure=True).manifest("v1")
