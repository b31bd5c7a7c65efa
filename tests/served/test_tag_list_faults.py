"""Each fault of a list of tags: what is imported of a whole repository stays, whatever the list has become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from tests import faults
from tests.fault_proxy import Act, Exchange, Fault, FaultProxy
from tests.processes import wait_until
from tests.requirements import needs
from tests.served import EMBEDDED
from tests.served.api import Api
from tests.served.fault_play import AT_ONCE, HISTORY, PATIENCE, Stage, Watcher, impatient_server
from tests.served.import_faults import INTERNAL, LIMITED, NOT_FOUND, TIMEOUT, UNAUTHORIZED

pytestmark = needs("docker-registry")
Json = dict[str, Any]
TAGS = ("1.2", "1.1", "1.0", "edge")
"""In the order of their importance."""
FIRST_PAGE = 2
LIST = "/tags/list"
STATUS_OF_SOME = "one of the images from this repository failed to import"


@dataclass(frozen=True)
class Case:
    """A fault of a list.

    Either the list fails, with a reason and a pattern for the message, or the tags that are `listed` are imported, of
    which those in `failed` are not found.
    """

    name: str
    act: Act
    reason: str = ""
    text: str = ""
    listed: Sequence[str] = ()
    failed: Sequence[str] = ()
    where: str = LIST


def paged(second: Act) -> Act:
    """Give the tags in two pages, of which the second is what an act makes of it."""

    def act(exchange: Exchange) -> None:
        if "page=2" in exchange.path:
            second(exchange)
        else:
            path = exchange.path.partition("?")[0]
            first = faults.with_tags(lambda tags: sorted(tags)[:FIRST_PAGE], Link=f'<{path}?page=2>; rel="next"')
            first(exchange)

    return act


def page_that_leads_to_itself(exchange: Exchange) -> None:
    """Give the second page again and again."""
    faults.with_tags(lambda tags: sorted(tags)[FIRST_PAGE:], Link=f'<{exchange.path}>; rel="next"')(exchange)


def page_elsewhere(exchange: Exchange) -> None:
    """Say that the next page is at a server that is not there."""
    faults.with_tags(lambda tags: sorted(tags), Link='<http://127.0.0.1:1/v2/x/tags/list>; rel="next"')(exchange)


FAILING = [
    Case(name, act, reason, text)
    for name, act, reason, text in (
        ("list-401", faults.refusal(401, "UNAUTHORIZED"), UNAUTHORIZED, ""),
        ("list-403", faults.refusal(403, "DENIED", "no"), INTERNAL, "denied: no"),
        ("list-404", faults.refusal(404, "NAME_UNKNOWN"), NOT_FOUND, ""),
        ("list-404-html", faults.answer(404, faults.HTML), INTERNAL, "error parsing HTTP 404 response body: .*"),
        ("list-429", faults.refusal(429, "TOOMANYREQUESTS", "slow down"), INTERNAL, LIMITED),
        ("list-500", faults.answer(500), INTERNAL, "received unexpected HTTP status: 500 Internal Server Error"),
        ("list-eof", faults.hang_up, INTERNAL, "{request}: EOF"),
        ("list-truncated", faults.truncate, INTERNAL, "{request}: unexpected EOF"),
        ("list-truncated-chunks", faults.truncate_chunks, INTERNAL, "{request}: unexpected EOF"),
        ("list-stall", faults.stall, INTERNAL, TIMEOUT),
        ("list-stall-in-body", faults.stall_in_body, INTERNAL, TIMEOUT),
        ("list-html", faults.answer(200, faults.HTML), INTERNAL, "{request}: invalid character '<' looking .*"),
        ("list-half", faults.with_body(lambda body: body[: len(body) // 2]), INTERNAL, "{request}: .*"),
        ("list-of-numbers", faults.answer(200, {"tags": [1, 2]}), INTERNAL, "{request}: .*"),
        ("list-no-list", faults.answer(200, {"tags": "latest"}), INTERNAL, "{request}: .*"),
        (
            "list-gzip-garbage",
            faults.with_headers(Content_Encoding="gzip"),
            INTERNAL,
            "{request}: the compressed body cannot be read",
        ),
        ("list-endless", faults.endless, INTERNAL, "{request}: .*"),
        ("list-redirect-loop", faults.redirect("{path}"), INTERNAL, "{request}: stopped after 10 redirects"),
        ("page-404", paged(faults.answer(404, faults.HTML)), INTERNAL, "error parsing HTTP 404 response body: .*"),
        ("page-500", paged(faults.answer(500)), INTERNAL, "received unexpected HTTP status: 500 .*"),
        ("page-truncated", paged(faults.truncate), INTERNAL, "{request}: unexpected EOF"),
        ("page-html", paged(faults.answer(200, faults.HTML)), INTERNAL, "{request}: invalid character '<' looking .*"),
        ("page-loop", paged(page_that_leads_to_itself), INTERNAL, "{request}: the pages of tags lead back to one .*"),
        ("page-elsewhere", page_elsewhere, INTERNAL, 'Get "http://127.0.0.1:1/.*connection refused'),
    )
]
"""The list as a whole cannot be read."""

WRONG = [
    Case("list-empty", faults.with_tags(lambda tags: [])),
    Case("list-null", faults.answer(200, {"name": "x", "tags": None})),
    Case("list-object", faults.answer(200, {})),
    Case("list-shrunk", faults.with_tags(lambda tags: ["1.2", "edge"]), listed=["1.2", "edge"]),
    Case("list-twice", faults.with_tags(lambda tags: tags * 2), listed=TAGS),
    Case("list-in-pages", paged(faults.with_tags(lambda tags: sorted(tags)[FIRST_PAGE:])), listed=TAGS),
    Case("page-empty", paged(faults.with_tags(lambda tags: [])), listed=sorted(TAGS)[:FIRST_PAGE]),
    Case(
        "listed-and-missing",
        faults.refusal(404, "MANIFEST_UNKNOWN"),
        listed=TAGS,
        failed=["1.1"],
        where="/manifests/1.1",
    ),
]
"""The list can be read, and is not the truth."""


@dataclass
class Scene:
    """What came of a fault of a list."""

    case: Case
    way: FaultProxy
    images: dict[str, list[str]] = field(default_factory=dict)
    """What was pushed as each tag."""
    answer: Json = field(default_factory=dict)
    """What was answered of the repository during the fault."""
    during: Json = field(default_factory=dict)
    after: Json = field(default_factory=dict)
    seen: list[Json] = field(default_factory=list)
    history: list[tuple[str, str]] = field(default_factory=list)
    """Tag and image of each move, the oldest first."""

    @property
    def place(self) -> str:
        """The repository in pull specs."""
        return f"{self.way.host}/lists/{self.case.name}"

    def message(self) -> re.Pattern[str]:
        """Return a pattern for the words of a failed list."""
        place = re.escape(self.place)
        request = f'Get "http://{re.escape(self.way.host)}/v2/[^"]*"'
        return {
            NOT_FOUND: re.compile(f'dockerimage.image.openshift.io "{place}" not found'),
            UNAUTHORIZED: re.compile(f'you may not have access to the container image "{place}"'),
            INTERNAL: re.compile(f"Internal error occurred: {self.case.text.format(request=request)}", re.DOTALL),
        }[self.case.reason]

    def moved(self) -> list[str]:
        """Return the tags that an import finds anew during the fault."""
        return [tag for tag in TAGS if tag in self.case.listed and tag not in self.case.failed]


def heads(stream: Json) -> dict[str, str]:
    """Return what each tag points to."""
    tags: Sequence[Json] = stream["status"].get("tags") or []
    return {tag["tag"]: tag["items"][0]["image"] for tag in tags if tag.get("items")}


def failures(stream: Json) -> dict[str, str]:
    """Return the reasons for which tags were not imported."""
    tags: Sequence[Json] = stream["status"].get("tags") or []
    return {tag["tag"]: tag["conditions"][0]["reason"] for tag in tags if tag.get("conditions")}


def bring_in(api: Api, scene: Scene) -> Json:
    """Import the repository now, and return what is said of it."""
    source = {"kind": "DockerImage", "name": scene.place}
    body = {
        "metadata": {"name": scene.case.name},
        "spec": {"import": True, "repository": {"from": source, "importPolicy": {"insecure": True}}},
    }
    answer: Json = api.post(api.place("imagestreamimports"), body)["status"]["repository"]
    return answer


def play(api: Api, stage: Stage, scenes: Sequence[Scene]) -> None:
    """Import every repository, let upstream move on behind the faults, import again, and again when they are gone."""

    def push(scene: Scene, seed: str) -> None:
        for tag in TAGS:
            digest = stage.open.push(
                f"lists/{scene.case.name}", tag, seed=f"{scene.case.name} {tag} {seed}", kind="thin"
            )
            scene.images.setdefault(tag, []).append(digest)

    def each(step: Callable[[Scene], object]) -> None:
        list(pool.map(step, scenes))

    def look(scene: Scene) -> None:
        scene.answer = bring_in(api, scene)
        scene.during = api.get(api.place(f"imagestreams/{scene.case.name}"))

    def end(scene: Scene) -> None:
        scene.way.mend()
        bring_in(api, scene)
        scene.after = api.get(api.place(f"imagestreams/{scene.case.name}"))
        path = f"{HISTORY}/namespaces/{api.namespace}/imagestreams/{scene.case.name}/history"
        scene.history = [(event["tag"], event["image"]) for event in reversed(api.get(path)["items"])]

    for scene in scenes:
        push(scene, "A")
    with Watcher(api) as watcher, ThreadPoolExecutor(AT_ONCE) as pool:
        each(lambda scene: bring_in(api, scene))
        for scene in scenes:
            scene.way.put(Fault(scene.case.act, scene.case.where))
            push(scene, "B")
        each(look)
        each(end)
        for scene in scenes:
            name, version = scene.case.name, scene.after["metadata"]["resourceVersion"]

            def is_seen(name: str = name, version: str = version) -> bool:
                return bool(watcher.newest(name).get("metadata", {}).get("resourceVersion") == version)

            wait_until(is_seen, seconds=PATIENCE, what=f"the watch shows the end of {name}")
            scene.seen = watcher.seen[name]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """What came of every fault."""
    with ExitStack() as stack:
        stage = Stage(tmp_path_factory.mktemp("faults"), stack)
        api = Api(impatient_server(EMBEDDED, stage, stack))
        made = [Scene(case, stack.enter_context(FaultProxy(stage.open.base))) for case in (*FAILING, *WRONG)]
        play(api, stage, made)
        yield {scene.case.name: scene for scene in made}


@pytest.mark.parametrize("name", [case.name for case in FAILING])
def test_a_list_that_fails_is_told_of_and_changes_nothing(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]

    status = scene.answer["status"]

    assert (status["status"], status["reason"]) == ("Failure", scene.case.reason)
    assert scene.message().fullmatch(status["message"]), status["message"]
    assert "images" not in scene.answer
    assert heads(scene.during) == {tag: scene.images[tag][0] for tag in TAGS}
    assert failures(scene.during) == {}


@pytest.mark.parametrize("name", [case.name for case in WRONG])
def test_what_a_list_does_not_name_stays(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    moved = scene.moved()

    assert heads(scene.during) == {tag: scene.images[tag][tag in moved] for tag in TAGS}
    assert failures(scene.during) == dict.fromkeys(scene.case.failed, NOT_FOUND)
    assert [image["tag"] for image in scene.answer.get("images") or []] == [t for t in TAGS if t in scene.case.listed]
    assert scene.answer["status"].get("message", "") == (STATUS_OF_SOME if scene.case.failed else "")


@pytest.mark.parametrize("name", [case.name for case in (*FAILING, *WRONG)])
def test_after_the_fault_every_tag_has_moved_once(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]

    assert heads(scene.after) == {tag: scene.images[tag][1] for tag in TAGS}
    assert failures(scene.after) == {}
    assert sorted(scene.history) == sorted((tag, image) for tag in TAGS for image in scene.images[tag])
    for tag in TAGS:
        assert [image for moved, image in scene.history if moved == tag] == scene.images[tag]


@pytest.mark.parametrize("name", [case.name for case in (*FAILING, *WRONG)])
def test_a_watch_sees_no_tag_go_back_or_away(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    versions = [int(stream["metadata"]["resourceVersion"]) for stream in scene.seen]

    assert versions == sorted(set(versions))
    for tag in TAGS:
        shown = [heads(stream).get(tag, "") for stream in scene.seen]
        assert [one for one, two in pairwise([*shown, None]) if one != two and one] == scene.images[tag]
        assert "" not in shown[shown.index(scene.images[tag][0]) :]
