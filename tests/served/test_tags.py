"""Tags as everybody sees them at once: many writers beside a watch, and holds beside imports."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kube import list_matches_watch as watched
from tests.processes import wait_until
from tests.registries import Distribution
from tests.served.api import Api
from tests.server import Server
from tests.watching import watching

PATIENCE = 30.0
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
WRITERS = 3
STEPS = 40
HOLDS = "holds.registry-meta.io/"
TAGS = "abc"


@pytest.fixture
def api(served: Server) -> Api:
    return Api(served)


def a_write(api: Api, chance: random.Random) -> tuple[str, str, Any]:
    """Return method, path and body of a write to the tags of a few streams, which may well be refused."""
    name, tag, image = chance.choice(["app", "lib"]), chance.choice(TAGS), f"sha256:{chance.choice('0123') * 64}"
    stream = f"{api.place('imagestreams')}/{name}"
    pushed = {"metadata": {"name": image}, "dockerImageReference": f"quay.io/x/{name}@{image}"}
    items = [
        {"created": "2026-01-02T03:04:05Z", "dockerImageReference": f"quay.io/x/{name}:{number}", "image": image}
        for number in range(chance.randint(0, 3))
    ]
    wish = {"name": tag, "from": {"kind": "ImageStreamTag", "name": chance.choice(TAGS)}, "importPolicy": {}}
    return chance.choice([
        ("POST", api.place("imagestreams"), {"metadata": {"name": name}}),
        ("POST", api.place("imagestreammappings"), {"metadata": {"name": name}, "image": pushed, "tag": tag}),
        ("POST", api.place("imagestreammappings"), {"metadata": {"name": name}, "image": pushed, "tag": tag}),
        ("PATCH", stream, {"spec": {"tags": [wish]}}),
        ("PATCH", f"{stream}/status", {"status": {"tags": [{"tag": tag, "items": items}]}}),
        ("DELETE", f"{api.place('imagestreamtags')}/{name}:{tag}", None),
        ("DELETE", stream, None) if chance.random() < 0.2 else ("PATCH", stream, {"spec": {"tags": [wish]}}),
    ])  # fmt: skip


def write(api: Api, seed: str, answers: list[int]) -> None:
    """Write at random, and note what is answered."""
    chance, session = random.Random(seed), api.server.client()
    for _ in range(STEPS):
        method, path, body = a_write(api, chance)
        headers = STRATEGIC if method == "PATCH" else {}
        answers.append(session.request(method, api.url(path), json=body, headers=headers, timeout=PATIENCE).status_code)


def test_a_watch_beside_random_writes_to_tags_tells_of_the_list(api: Api, kind: str) -> None:
    url, answers = api.url(api.place("imagestreams")), list[int]()
    before = api.get(api.place("imagestreams"))
    state = watched.objects(before["items"])
    writers = [threading.Thread(target=write, args=(api, f"{kind} {number}", answers)) for number in range(WRITERS)]

    with watching(api.session, url, resourceVersion=before["metadata"]["resourceVersion"]) as watch:
        for writer in writers:
            writer.start()
        threading.Thread(target=_end, args=(api, writers)).start()
        for frame in watch:
            watched.apply(frame, state)
            if frame["object"]["metadata"]["name"] == "end":
                break

    assert state == watched.objects(api.get(api.place("imagestreams"))["items"])
    assert len(answers) == WRITERS * STEPS
    assert {200, 201} <= set(answers) <= {200, 201, 404, 409, 422}
    assert answers.count(200) + answers.count(201) > len(answers) / 4


def _end(api: Api, writers: list[threading.Thread]) -> None:
    """Write the last stream, once nobody else writes."""
    for writer in writers:
        writer.join()
    answer = api.server.client().post(
        api.url(api.place("imagestreams")), json={"metadata": {"name": "end"}}, timeout=PATIENCE
    )
    answer.raise_for_status()


# --- holds beside imports


def held(**more: str) -> dict[str, str]:
    return {f"{HOLDS}reason": "checkout breaks", f"{HOLDS}owner": "anna"} | {HOLDS + key: more[key] for key in more}


def test_an_import_of_a_repository_tells_of_tags_that_are_held(api: Api, kind: str, registry: Distribution) -> None:
    repository = f"{kind}/held-repository"
    digests = {tag: registry.push(repository, tag, seed=f"{kind} {tag} one") for tag in ("v1", "v2")}
    source = {"kind": "DockerImage", "name": registry.pullspec(repository)}
    whole = {"from": source, "importPolicy": {"insecure": True}}
    body = {"metadata": {"name": "app"}, "spec": {"import": True, "repository": whole}}
    api.post(api.place("imagestreamimports"), body)
    path = api.place("imagestreams/app")
    wishes = [{"name": "v1", "annotations": held()}]
    done = api.session.patch(api.url(path), json={"spec": {"tags": wishes}}, headers=STRATEGIC, timeout=PATIENCE)
    assert done.ok, done.text
    newer = {tag: registry.push(repository, tag, seed=f"{kind} {tag} two") for tag in ("v1", "v2")}

    told = api.post(api.place("imagestreamimports"), body)["status"]["repository"]

    answers = {entry["tag"]: entry["status"] for entry in told["images"]}
    assert (answers["v2"]["status"], answers["v1"]["status"], answers["v1"]["reason"]) == (
        "Success", "Failure", "Invalid",
    )  # fmt: skip
    assert "spec.repository.tags[v1]: Forbidden: the tag is held by anna until it is lifted" in answers["v1"]["message"]
    assert told["status"]["status"] == "Failure"
    assert (api.history("app", "v1")[0], api.history("app", "v2")[0]) == (digests["v1"], newer["v2"])


def test_a_scheduled_tag_is_imported_again_once_its_hold_is_over(api: Api, kind: str, registry: Distribution) -> None:
    repository = f"{kind}/held-schedule"
    old = registry.push(repository, "latest", seed=f"{kind} one")
    api.stream("app", {"latest": registry.pullspec(repository, tag="latest")}, scheduled=True)
    wait_until(lambda: api.history("app", "latest") == [old], seconds=PATIENCE, what="the first image arrives")
    end = datetime.now(UTC) + timedelta(seconds=6)
    annotations = held(expires=end.isoformat(timespec="seconds").replace("+00:00", "Z"))
    tag = f"{api.place('imagestreamtags')}/app:latest"
    api.patch(tag, {"metadata": {"annotations": annotations}})
    new = registry.push(repository, "latest", seed=f"{kind} two")

    def noted() -> bool:
        [entry] = api.get(api.place("imagestreams/app"))["status"]["tags"]
        return [each["type"] for each in entry.get("conditions") or []] == ["Held"]

    wait_until(noted, seconds=PATIENCE, what="the newer image is noted")
    assert (api.history("app", "latest"), datetime.now(UTC) < end) == ([old], True)

    wait_until(lambda: api.history("app", "latest") == [new, old], seconds=PATIENCE, what="the newer image arrives")

    assert datetime.now(UTC) >= end.replace(microsecond=0)
