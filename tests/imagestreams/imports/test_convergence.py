"""Imports of one stream at the same time: what is newer upstream stays, whoever is slower."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection

from imagestreams import tags
from imagestreams.imports import queue, tasks
from imagestreams.models import DueImport, TagEvent
from registry_meta.kube import changes
from registry_meta.kube.meta import now
from tests.authz.conftest import Api
from tests.imagestreams.asking import opened
from tests.imagestreams.builders import images
from tests.imagestreams.imports.shelf import (
    IMPORTS,
    STREAMS,
    Brake,
    Json,
    Shelf,
    app,
    asking,
    bring_in,
    image,
    repository,
    results,
)
from tests.registries import Request

pytestmark = pytest.mark.django_db(transaction=True)

Answer = tuple[int, Json]


@pytest.fixture
def shop(transactional_db: None) -> Api:
    """The API of the administrator of a shop, whose writes others see."""
    return opened()


@contextmanager
def beside(act: Callable[[], Answer]) -> Iterator[list[Answer]]:
    """Do something in a thread while the block runs; its result is there afterwards."""
    outcome: list[Answer] = []

    def run() -> None:
        try:
            outcome.append(act())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield outcome
    finally:
        thread.join(30)
    assert outcome, "the other thread failed"


def slow(shop: Api, shelf: Shelf, body: Json, *, at: str = "latest") -> tuple[Brake, Callable[[], Answer]]:
    """Return a brake in the registry, and the import that it holds back."""
    brake = Brake(at)
    shelf.intercept = brake
    return brake, lambda: shop.post(IMPORTS, body)


def test_what_was_fetched_earlier_and_is_written_later_does_not_replace_what_is_newer(shop: Api, shelf: Shelf) -> None:
    old = shelf.push("team/app", "latest", seed="old")
    spec = image(f"{shelf.host}/team/app:latest", "latest")
    brake, late = slow(shop, shelf, asking(spec))

    with beside(late) as outcome:
        assert brake.reached.wait(10)
        new = shelf.push("team/app", "latest", seed="new")
        bring_in(shop, spec)
        brake.gate.set()

    [(code, answer)] = outcome
    assert code == 201
    assert answer["status"]["images"][0]["image"]["metadata"]["name"] == new
    assert images(app(), "latest") == [new]
    assert not TagEvent.objects.filter(digest=old).exists()


def test_a_tag_that_somebody_else_moved_is_fetched_again_and_the_others_are_not(shop: Api, shelf: Shelf) -> None:
    for tag in ("a", "b"):
        shelf.push("team/app", tag, seed=f"old {tag}")
    both = [image(f"{shelf.host}/team/app:{tag}", tag) for tag in ("a", "b")]
    brake, late = slow(shop, shelf, asking(*both), at="a")

    with beside(late):
        assert brake.reached.wait(10)
        shelf.push("team/app", "a", seed="new a")
        bring_in(shop, both[0])
        brake.gate.set()

    asked = shelf.asked("manifests")
    assert asked.count("GET manifests a") == 3
    assert asked.count("GET manifests b") == 1


def test_a_failure_that_is_older_leaves_the_tag_without_a_condition(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "other", seed="other")
    spec = image(f"{shelf.host}/team/app:latest", "latest")
    brake, late = slow(shop, shelf, asking(spec))

    with beside(late) as outcome:
        assert brake.reached.wait(10)
        new = shelf.push("team/app", "latest", seed="new")
        bring_in(shop, spec)
        brake.gate.set()

    assert results(outcome[0][1]["status"]["images"]) == ["Success"]
    assert tags.conditions_of(app(), "latest") is None
    assert images(app(), "latest") == [new]


def test_a_success_that_is_older_than_a_failure_is_asked_again(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="old")
    spec = image(f"{shelf.host}/team/app:latest", "latest")
    brake, late = slow(shop, shelf, asking(spec))

    with beside(late) as outcome:
        assert brake.reached.wait(10)
        shelf.drop("team/app", "latest")
        assert results(bring_in(shop, spec)["images"]) == ["NotFound"]
        brake.gate.set()

    assert results(outcome[0][1]["status"]["images"]) == ["NotFound"]
    assert images(app(), "latest") == []


def test_an_import_of_a_repository_does_not_move_tags_back(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="old")
    kept = shelf.push("team/app", "1.0", seed="1.0")
    brake, late = slow(shop, shelf, asking(of=repository(f"{shelf.host}/team/app")))

    with beside(late):
        assert brake.reached.wait(10)
        new = shelf.push("team/app", "latest", seed="new")
        bring_in(shop, image(f"{shelf.host}/team/app:latest", "latest"))
        brake.gate.set()

    assert images(app(), "latest") == [new]
    assert images(app(), "1.0") == [kept]


def test_an_import_goes_on_when_somebody_edits_other_things_of_the_stream(shop: Api, shelf: Shelf) -> None:
    found = shelf.push("team/app", "latest", seed="one")
    bring_in(shop, image(f"{shelf.host}/team/app:latest", "other"))
    brake, late = slow(shop, shelf, asking(image(f"{shelf.host}/team/app:latest", "latest")))

    with beside(late) as outcome:
        assert brake.reached.wait(10)
        assert shop.patch(f"{STREAMS}/app", {"metadata": {"labels": {"edited": "yes"}}})[0] == 200
        brake.gate.set()

    assert outcome[0][0] == 201
    assert images(app(), "latest") == [found]
    assert app().metadata.labels == {"edited": "yes"}


def test_an_import_that_names_a_version_is_refused_when_the_stream_changed_meanwhile(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="one")
    bring_in(shop, image(f"{shelf.host}/team/app:latest", "other"))
    body = asking(image(f"{shelf.host}/team/app:latest", "latest"), resourceVersion=app().metadata.resource_version)
    brake, late = slow(shop, shelf, body)

    with beside(late) as outcome:
        assert brake.reached.wait(10)
        assert shop.patch(f"{STREAMS}/app", {"metadata": {"labels": {"edited": "yes"}}})[0] == 200
        brake.gate.set()

    assert (outcome[0][0], outcome[0][1]["reason"]) == (409, "Conflict")
    assert images(app(), "latest") == []


def test_a_stream_that_was_deleted_meanwhile_is_made_anew(shop: Api, shelf: Shelf) -> None:
    found = shelf.push("team/app", "latest", seed="one")
    spec = image(f"{shelf.host}/team/app:latest", "latest")
    bring_in(shop, spec)
    brake, late = slow(shop, shelf, asking(spec))

    with beside(late) as outcome:
        assert brake.reached.wait(10)
        assert shop.delete(f"{STREAMS}/app")[0] == 200
        brake.gate.set()

    assert outcome[0][0] == 201
    assert images(app(), "latest") == [found]


def test_many_imports_at_once_end_at_the_newest_image_and_tell_of_each_move_once(shop: Api, shelf: Shelf) -> None:
    spec = image(f"{shelf.host}/team/app:latest", "latest")
    pushed = [shelf.push("team/app", "latest", seed="0")]
    turn = threading.Lock()

    def linger(request: Request) -> None:
        # What it is answered with was looked up before.
        if "/manifests/" in request.path:
            time.sleep(random.uniform(0, 0.05))

    shelf.intercept = linger

    def act(number: int) -> int:
        try:
            with turn:
                pushed.append(shelf.push("team/app", "latest", seed=f"{number}"))
            return shop.post(IMPORTS, asking(spec))[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(act, range(1, 13)))

    history = images(app(), "latest")
    assert set(codes) == {201}
    assert history[0] == pushed[-1]
    order = [pushed.index(digest) for digest in history]
    assert order == sorted(order, reverse=True)
    assert len(set(history)) == len(history)
    events = TagEvent.objects.filter(tag="latest").order_by("version", "position")
    assert list(events.values_list("digest", flat=True)) == history[::-1]


def test_the_import_in_the_background_and_one_on_request_converge(shop: Api, shelf: Shelf) -> None:
    shelf.push("team/app", "latest", seed="old")
    wish = {"name": "latest", "from": {"kind": "DockerImage", "name": f"{shelf.host}/team/app:latest"}}
    wish["importPolicy"] = {"insecure": True}
    code, _ = shop.post(STREAMS, {"metadata": {"name": "app"}, "spec": {"tags": [wish]}})
    assert code == 201
    [row] = queue.note([(app(), changes.newest())], now=now())
    brake = Brake("latest")
    shelf.intercept = brake

    def work() -> Answer:
        tasks.import_due(row)
        return 0, {}

    with beside(work):
        assert brake.reached.wait(10)
        new = shelf.push("team/app", "latest", seed="new")
        bring_in(shop, image(f"{shelf.host}/team/app:latest", "latest"))
        brake.gate.set()
    DueImport.objects.update(due_at=now())
    tasks.import_due(row)

    assert images(app(), "latest") == [new]
    assert not DueImport.objects.exists()
