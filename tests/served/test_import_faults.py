"""Each fault of a registry: the tag stays, is told why, and moves on once when the fault is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.requirements import needs
from tests.served.fault_play import ENVIRONMENT, Scene, Stage, essence, failures, head, matches, play
from tests.served.import_faults import CASES, FLEETING, INTERNAL, NOT_FOUND, UNAUTHORIZED
from tests.server import Server

pytestmark = needs("docker-registry")
CODES = {INTERNAL: 500, NOT_FOUND: 404, UNAUTHORIZED: 401}
each_fault = pytest.mark.parametrize("name", [case.name for case in CASES])
each_fleeting_fault = pytest.mark.parametrize("name", [case.name for case in FLEETING])


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """What came of every fault."""
    with ExitStack() as stack:
        stage = Stage(tmp_path_factory.mktemp("faults"), stack)
        environment = {**ENVIRONMENT, "UPSTREAM_CA_BUNDLE": str(stage.authority.file)}
        server = stack.enter_context(Server(environment=environment))
        yield {scene.case.name: scene for scene in play(server, stage, CASES, FLEETING)}


@each_fault
def test_a_tag_stays_and_says_why(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]

    (condition,) = failures(scene.during)

    assert head(scene.during) == scene.pushed[0]
    assert (condition["status"], condition["reason"]) == ("False", scene.case.reason)
    assert matches(scene.case.message(scene.place), condition["message"]), condition["message"]


@each_fault
def test_the_answer_to_an_import_says_why(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]

    status = scene.answer["status"]

    assert (status["status"], status["reason"]) == ("Failure", scene.case.reason)
    assert status["code"] == CODES[scene.case.reason]
    assert matches(scene.case.message(scene.place), status["message"]), status["message"]
    assert "image" not in scene.answer


@each_fault
def test_after_the_fault_the_tag_moves_and_says_nothing(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]

    assert head(scene.after) == scene.pushed[1]
    assert failures(scene.after) == []


@each_fault
def test_the_ledger_tells_of_two_moves(scenes: dict[str, Scene], name: str) -> None:
    assert scenes[name].history == scenes[name].pushed


@each_fault
def test_a_watch_sees_no_step_twice_and_none_back(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    versions = [int(stream["metadata"]["resourceVersion"]) for stream in scene.seen]
    heads = [head(stream) for stream in scene.seen]

    assert versions == sorted(set(versions))
    assert [one for one, two in pairwise([*heads, ""]) if one != two] == scene.pushed
    assert all(essence(one) != essence(two) for one, two in pairwise(scene.seen))


@each_fleeting_fault
def test_nobody_is_told_of_a_fault_that_is_over_at_the_next_try(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]

    assert head(scene.after) == scene.pushed[1]
    assert scene.history == scene.pushed
    assert not any(failures(stream) for stream in scene.seen)
    assert scene.met == (0 if name == "once-nothing" else 1)
