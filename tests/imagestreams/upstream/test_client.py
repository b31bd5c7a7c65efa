"""The client against CNCF Distribution, and against a registry that takes formats which Distribution does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagestreams.upstream import media
from imagestreams.upstream.client import UpstreamClient
from imagestreams.upstream.errors import IntegrityError, Malformed, NotFound, Unauthorized, Unreachable
from imagestreams.upstream.values import Credential, Repository
from tests.imagestreams.upstream.conftest import Connect
from tests.registries import ROBOT, Distribution, memory_registry

ROBOT_LOGIN = Credential(*ROBOT)
WRONG = Credential("robot", "wrong-password")
NOWHERE = media.digest(b"nowhere")


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("image", media.SCHEMA2),
        ("list", media.MANIFEST_LIST),
        ("oci", media.OCI_MANIFEST),
        ("index", media.OCI_INDEX),
        ("artifact", media.OCI_MANIFEST),
    ],
)
def test_a_manifest_of_any_kind_is_read_by_tag_and_by_digest(
    connect: Connect, open_registry: Distribution, kind: str, media_type: str
) -> None:
    digest = open_registry.push(f"kinds/{kind}", "v1", seed=kind, kind=kind)
    repository = connect(open_registry.pullspec(f"kinds/{kind}"))

    by_tag = repository.manifest("v1")

    assert (by_tag.digest, by_tag.media_type) == (digest, media_type)
    assert media.digest(by_tag.body) == digest
    assert repository.manifest(digest) == by_tag
    assert repository.head("v1") == digest


def test_a_signed_manifest_of_schema_1_has_the_digest_of_what_is_signed(connect: Connect) -> None:
    with memory_registry() as (host, store):
        repository = connect(f"{host}/old/signed")

        by_tag = repository.manifest("latest")

        assert by_tag.media_type == media.SCHEMA1
        assert ("old/signed", by_tag.digest) in store.manifests
        assert media.digest(by_tag.body) != by_tag.digest
        assert repository.manifest(by_tag.digest) == by_tag


def test_a_blob_is_read_and_measured(connect: Connect, open_registry: Distribution) -> None:
    digest = open_registry.push_blob("blobs/a", b"x" * 1000)
    repository = connect(open_registry.pullspec("blobs/a"))

    assert repository.blob(digest, limit=1000) == b"x" * 1000
    assert repository.blob_size(digest) == 1000
    with pytest.raises(Malformed, match="larger than 999 bytes"):
        repository.blob(digest, limit=999)


@pytest.mark.parametrize("call", [lambda one: one.blob(NOWHERE, limit=1), lambda one: one.blob_size(NOWHERE)])
def test_a_blob_that_is_missing_is_unknown(
    connect: Connect, open_registry: Distribution, call: Callable[[object], object]
) -> None:
    open_registry.push("blobs/b", "v1", seed="b")

    with pytest.raises(NotFound) as caught:
        call(connect(open_registry.pullspec("blobs/b")))

    assert (caught.value.text, caught.value.codes) == ("unknown blob", ("BLOB_UNKNOWN",))


@pytest.mark.parametrize("reference", ["gone", NOWHERE])
def test_a_manifest_that_is_missing_is_unknown(connect: Connect, open_registry: Distribution, reference: str) -> None:
    open_registry.push("missing/app", "v1", seed="missing")
    repository = connect(open_registry.pullspec("missing/app"))

    with pytest.raises(NotFound) as by_get:
        repository.manifest(reference)
    with pytest.raises(NotFound) as by_head:
        repository.head(reference)

    assert by_get.value.codes == by_head.value.codes == ("MANIFEST_UNKNOWN",)


def test_a_repository_that_is_missing_has_no_tags(connect: Connect, open_registry: Distribution) -> None:
    with pytest.raises(NotFound) as caught:
        list(connect(open_registry.pullspec("no/where")).tags())

    assert caught.value.codes == ("NAME_UNKNOWN",)
    assert caught.value.text == "name unknown: repository name not known to registry"


def test_all_tags_are_listed(connect: Connect, open_registry: Distribution) -> None:
    for tag in ("b", "a", "latest"):
        open_registry.push("tags/app", tag, seed="tags")

    assert set(connect(open_registry.pullspec("tags/app")).tags()) == {"a", "b", "latest"}


def test_a_closed_registry_opens_to_the_credential_that_fits(connect: Connect, closed_registry: Distribution) -> None:
    digest = closed_registry.push("closed/app", "v1", seed="closed")
    place = closed_registry.pullspec("closed/app")

    assert connect(place, ROBOT_LOGIN).manifest("v1").digest == digest
    assert connect(place, WRONG, ROBOT_LOGIN).manifest("v1").digest == digest
    assert list(connect(place, WRONG, ROBOT_LOGIN).tags()) == ["v1"]


@pytest.mark.parametrize("credentials", [(), (None,), (Credential("robot", ""),), (None, WRONG)])
def test_without_a_password_a_closed_registry_is_not_even_asked(
    connect: Connect, closed_registry: Distribution, credentials: tuple[Credential | None, ...]
) -> None:
    with pytest.raises(Unauthorized) as caught:
        list(connect(closed_registry.pullspec("closed/app"), *credentials).tags())

    assert caught.value.text == f'Get "{closed_registry.base}/v2/closed/app/tags/list": no basic auth credentials'
    assert (caught.value.status, caught.value.codes) == (None, ())


def test_a_wrong_password_is_refused_by_the_registry(connect: Connect, closed_registry: Distribution) -> None:
    with pytest.raises(Unauthorized) as caught:
        connect(closed_registry.pullspec("closed/app"), WRONG).manifest("v1")

    assert (caught.value.status, caught.value.codes, caught.value.answered_by) == (401, ("UNAUTHORIZED",), "registry")


def test_no_secret_is_shown(connect: Connect, closed_registry: Distribution) -> None:
    secrets = Credential("robot", "wrong-password", "identity-token", "registry-token")

    with pytest.raises(Unauthorized) as caught:
        connect(closed_registry.pullspec("closed/app"), secrets).manifest("v1")

    told = f"{secrets!r} {caught.value!r} {caught.value.text}"
    assert not [secret for secret in secrets.secrets() if secret in told]


def test_a_registry_that_moves_its_tag_is_seen(connect: Connect, open_registry: Distribution) -> None:
    repository = connect(open_registry.pullspec("moving/app"))
    first = open_registry.push("moving/app", "v1", seed="first")
    before = repository.head("v1")

    second = open_registry.push("moving/app", "v1", seed="second")

    assert [before, repository.head("v1"), repository.manifest("v1").digest] == [first, second, second]


def test_a_registry_that_was_down_is_found_again(connect: Connect) -> None:
    with Distribution() as registry:
        digest = registry.push("app", "v1", seed="down")
        repository = connect(registry.pullspec("app"))
        assert repository.head("v1") == digest
        registry.stop()
        with pytest.raises(Unreachable, match="connection refused"):
            repository.head("v1")

        registry.start(registry.port)

        assert repository.head("v1") == digest


def test_docker_hub_answers_under_another_name() -> None:
    assert Repository("docker.io", "library/ruby").endpoint == "registry-1.docker.io"
    assert Repository("index.docker.io", "library/ruby").endpoint == "registry-1.docker.io"
    assert Repository("docker.io:443", "library/ruby").endpoint == "docker.io:443"


# --- a registry that answers oddly


@pytest.mark.parametrize("reference", ["latest", None])
def test_a_registry_that_is_silent_about_digests_is_read(
    connect: Connect, odd_host: str, reference: str | None
) -> None:
    repository = connect(f"{odd_host}/odd/quiet")

    manifest = repository.manifest(reference or repository.manifest("latest").digest)

    assert manifest.digest == media.digest(manifest.body)
    assert repository.head("latest") is None


def test_other_bytes_than_the_digest_says_are_found_out(connect: Connect, odd_host: str) -> None:
    digest = connect(f"{odd_host}/odd/corrupt").manifest("latest").digest

    with pytest.raises(IntegrityError) as caught:
        connect(f"{odd_host}/odd/corrupt").manifest(digest)

    assert caught.value.text.startswith(f"content integrity error: the manifest retrieved with digest {digest}")


def test_pages_are_followed_by_relative_and_absolute_links(connect: Connect, odd_host: str) -> None:
    assert list(connect(f"{odd_host}/odd/paged").tags()) == ["c", "a", "2.0", "v1.10.0", "v1.9.0", "latest", "b"]


def test_a_repository_whose_tags_are_null_has_none(connect: Connect, odd_host: str) -> None:
    assert list(connect(f"{odd_host}/odd/no-tags").tags()) == []


def test_an_endpoint_that_is_not_there_is_named(client: UpstreamClient) -> None:
    with pytest.raises(Unreachable) as caught:
        client.repository(Repository("registry.invalid", "a/b")).manifest("latest")

    assert caught.value.text == 'Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid: no such host'
