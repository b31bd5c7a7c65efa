"""What was fetched once, for whom it is used again, and how many requests an import takes."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from imagestreams.upstream import media
from imagestreams.upstream.client import Limits, RepositoryClient, UpstreamClient
from imagestreams.upstream.contents import Contents, Shelf
from imagestreams.upstream.errors import Denied, NotFound, Unauthorized, UpstreamError
from imagestreams.upstream.values import Credential, Deadline, Manifest, Repository
from tests.registries import ROBOT, Reply, Request, StandIn

LOGIN = Credential(*ROBOT)
CONFIG = b'{"config": {}}'
CONFIG_DIGEST = media.digest(CONFIG)
IMAGE = json.dumps({"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": {"digest": CONFIG_DIGEST}}).encode()
IMAGE_DIGEST = media.digest(IMAGE)
OTHER = json.dumps(
    {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": {"digest": CONFIG_DIGEST}, "layers": []}
).encode()
SHELF: Shelf = ("r.example", False, "a/b")


class Guarded:
    """A registry behind a token service, which lets one user read one repository; `tags` may be moved."""

    def __init__(self) -> None:
        self.tags: dict[str, bytes] = {"v1": IMAGE, "v2": IMAGE}
        self.heads = True
        self.open = True
        self.server = StandIn(self.answer)

    def answer(self, request: Request) -> Reply | None:
        if request.path == "/token":
            user = request.query.get("account", "")
            return Reply(200, json.dumps({"token": f"for-{user}"}))
        if request.headers.get("authorization") != f"Bearer for-{LOGIN.username}":
            challenge = f'Bearer realm="{self.server.base}/token",service="r"'
            return Reply(401, "{}", {"WWW-Authenticate": challenge})
        if not self.open and request.path != "/v2/":
            return Reply(403, json.dumps({"errors": [{"code": "DENIED"}]}))
        _, _, place = request.path.partition("/v2/team/app/")
        kind, _, reference = place.partition("/")
        if kind == "blobs" and reference == CONFIG_DIGEST:
            return Reply(200, CONFIG)
        if kind != "manifests":
            return None
        contents = {**self.tags, **{media.digest(body): body for body in self.tags.values()}}
        body = contents.get(reference)
        if body is None or (request.method == "HEAD" and not self.heads):
            return Reply(404 if body is None else 405, "{}")
        headers: Mapping[str, str] = {"Content-Type": media.OCI_MANIFEST, "Docker-Content-Digest": media.digest(body)}
        return Reply(200, body, headers)

    def asked(self) -> Counter[str]:
        """Return how often each kind of request came since the last look."""
        found = Counter(f"{one.method} {one.path.split('/')[-2]}" for one in self.server.requests)
        self.server.requests.clear()
        return found


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def client() -> UpstreamClient:
    return UpstreamClient(limits=Limits(), allow_private=True)


def repository(made: UpstreamClient, host: str, credential: Credential | None = LOGIN) -> RepositoryClient:
    return made.repository(Repository(host, "team/app"), insecure=True, credentials=[credential])


def bring_in(one: RepositoryClient, tag: str) -> None:
    """Ask for what an import of a tag asks for."""
    manifest = one.manifest(tag)
    one.blob(str(json.loads(manifest.body)["config"]["digest"]), limit=1000)


def test_one_tag_takes_a_ping_a_token_a_manifest_and_a_configuration(guarded: Guarded) -> None:
    with guarded.server:
        bring_in(repository(client(), guarded.server.host), "v1")

    assert guarded.asked() == {"GET v2": 1, "GET ": 1, "GET manifests": 1, "GET blobs": 1}


def test_a_tag_that_did_not_move_takes_one_head(guarded: Guarded) -> None:
    with guarded.server:
        made = client()
        bring_in(repository(made, guarded.server.host), "v1")
        guarded.asked()

        bring_in(repository(made, guarded.server.host), "v1")

        assert guarded.asked() == {"HEAD manifests": 1}


def test_a_tag_that_moved_is_read(guarded: Guarded) -> None:
    with guarded.server:
        made = client()
        bring_in(repository(made, guarded.server.host), "v1")
        guarded.tags["v1"] = OTHER

        assert repository(made, guarded.server.host).manifest("v1").body == OTHER


@pytest.mark.parametrize("gone", [False, True])
def test_a_registry_without_head_is_asked_by_get(guarded: Guarded, gone: bool) -> None:
    with guarded.server:
        made = client()
        bring_in(repository(made, guarded.server.host), "v1")
        guarded.heads = False
        if gone:
            del guarded.tags["v1"]
            with pytest.raises(NotFound):
                repository(made, guarded.server.host).manifest("v1")
        else:
            assert repository(made, guarded.server.host).manifest("v1").body == IMAGE


def test_tags_of_one_image_fetch_its_configuration_once(guarded: Guarded) -> None:
    with guarded.server:
        made = client()
        guarded.tags = {f"v{number}": IMAGE for number in range(12)}
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda tag: bring_in(repository(made, guarded.server.host), tag), guarded.tags))

    assert guarded.asked() == {"GET v2": 1, "GET ": 1, "GET manifests": 12, "GET blobs": 1}


@pytest.mark.parametrize("credential", [None, Credential("somebody", "else")])
def test_what_is_kept_is_not_for_those_whom_the_registry_refuses(
    guarded: Guarded, credential: Credential | None
) -> None:
    with guarded.server:
        made = client()
        bring_in(repository(made, guarded.server.host), "v1")
        stranger = repository(made, guarded.server.host, credential)

        for ask in (
            lambda: stranger.manifest("v1"),
            lambda: stranger.manifest(IMAGE_DIGEST),
            lambda: stranger.blob(CONFIG_DIGEST, limit=1000),
        ):
            with pytest.raises(Unauthorized):
                ask()


def test_what_is_kept_is_not_for_those_who_lost_their_right(guarded: Guarded) -> None:
    with guarded.server:
        made = client()
        bring_in(repository(made, guarded.server.host), "v1")
        guarded.open = False
        again = repository(made, guarded.server.host)

        with pytest.raises(Denied):
            again.manifest(IMAGE_DIGEST)
        with pytest.raises(Denied):
            again.blob(CONFIG_DIGEST, limit=1000)


def test_a_manifest_by_digest_is_used_again_once_a_tag_was_given(guarded: Guarded) -> None:
    with guarded.server:
        made = client()
        repository(made, guarded.server.host).manifest("v1")
        again = repository(made, guarded.server.host)
        guarded.asked()

        found = [again.manifest(reference).body for reference in (IMAGE_DIGEST, "v1", IMAGE_DIGEST)]

        assert found == [IMAGE] * 3
        assert guarded.asked() == {"GET manifests": 1, "HEAD manifests": 1}


def test_another_repository_with_the_same_digest_gets_nothing_of_it(guarded: Guarded) -> None:
    with guarded.server:
        made = client()
        bring_in(repository(made, guarded.server.host), "v1")

        other = made.repository(Repository(guarded.server.host, "team/other"), insecure=True, credentials=[LOGIN])
        with pytest.raises(UpstreamError):
            other.blob(CONFIG_DIGEST, limit=1000)


# --- the room


def test_what_nobody_wants_makes_room() -> None:
    contents = Contents(1000)
    for number in range(20):
        contents.keep(SHELF, f"sha256:{number}", bytes(100))

    assert contents.size == 1000
    assert contents.find(SHELF, "sha256:0", bytes) is None
    assert contents.find(SHELF, "sha256:19", bytes) == bytes(100)


def test_what_is_kept_anew_counts_once_and_what_is_large_is_not_kept() -> None:
    contents = Contents(1000)
    for _ in range(5):
        contents.keep(SHELF, "sha256:1", bytes(100))
    contents.keep(SHELF, "sha256:2", bytes(126))

    assert contents.size == 100
    assert contents.find(SHELF, "sha256:1", Manifest) is None


def test_a_failure_is_not_kept_and_the_next_one_tries() -> None:
    contents, tries, lock = Contents(1000), list[int](), threading.Lock()

    def fetch() -> bytes:
        with lock:
            tries.append(1)
        time.sleep(0.05)
        if len(tries) == 1:
            raise NotFound("not yet")
        return b"content"

    def want(_: int) -> bytes:
        try:
            return contents.once(SHELF, "sha256:1", bytes, fetch, deadline=Deadline(10))
        except NotFound:
            return b"failed"

    with ThreadPoolExecutor(6) as pool:
        found = Counter(pool.map(want, range(6)))

    assert found == {b"content": 5, b"failed": 1}
    assert len(tries) == 2
