"""Each fault of a registry: the tag stays, is told why, and moves on once when the fault is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import pairwise

import pytest

from tests.requirements import needs
from tests.served import EMBEDDED, SCALED
from tests.served.fault_play import Scene, Stage, essence, failures, head, impatient_server, matches, play
from tests.served.import_faults import CASES, FLEETING, INTERNAL, NOT_FOUND, UNAUTHORIZED, Case

pytestmark = needs("docker-registry")
CODES = {INTERNAL: 500, NOT_FOUND: 404, UNAUTHORIZED: 401}
SAMPLE = {
    *("manifest-404", "manifest-429-retry-after", "manifest-503", "manifest-stall-in-body", "manifest-altered"),
    *("config-wrong-digest", "member-404", "refused", "ping-500", "tls-expired", "token-500", "password-refused"),
    *("once-500", "once-token-500"),
}
"""The faults that are played on PostgreSQL and Redis, too."""


def each(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Return a mark that asks for each scene of some cases, on each kind of server."""
    names = [(EMBEDDED, case.name) for case in cases] + [(SCALED, case.name) for case in cases if case.name in SAMPLE]
    return pytest.mark.parametrize("scene", names, ids="-".join, indirect=True)


MOST_TOLD = 3
"""How often a fault may be told in other words: of the first image, of the second, and as connections may break off."""

each_fault, each_fleeting_fault = each(CASES), each(FLEETING)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], dict[str, Scene]]]:
    """What plays the faults on a kind of server, once, and tells what came of each."""
    with ExitStack() as stack:
        stage = Stage(tmp_path_factory.mktemp("faults"), stack)

        @cache
        def outcome(kind: str) -> dict[str, Scene] | AssertionError:
            chosen = [
                [case for case in cases if kind == EMBEDDED or case.name in SAMPLE] for cases in (CASES, FLEETING)
            ]
            with ExitStack() as for_now:
                server = impatient_server(kind, stage, for_now)
                try:
                    return {scene.case.name: scene for scene in play(server, stage, *chosen)}
                except AssertionError as error:
                    # It takes minutes to find out, and once is enough.
                    return error

        def of(kind: str) -> dict[str, Scene]:
            found = outcome(kind)
            if isinstance(found, AssertionError):
                raise found
            return found

        yield of


@pytest.fixture
def scene(request: pytest.FixtureRequest, played: Callable[[str], dict[str, Scene]]) -> Scene:
    """What came of a fault."""
    kind, name = request.param
    return played(kind)[name]


@each_fault
def test_a_tag_stays_and_says_why(scene: Scene) -> None:
    (condition,) = failures(scene.during)

    assert head(scene.during) == scene.pushed[0]
    assert (condition["status"], condition["reason"]) == ("False", scene.case.reason)
    assert matches(scene.case.message(scene.place), condition["message"]), condition["message"]


@each_fault
def test_the_answer_to_an_import_says_why(scene: Scene) -> None:
    status = scene.answer["status"]

    assert (status["status"], status["reason"]) == ("Failure", scene.case.reason)
    assert status["code"] == CODES[scene.case.reason]
    assert matches(scene.case.message(scene.place), status["message"]), status["message"]
    assert "image" not in scene.answer


@each_fault
def test_after_the_fault_the_tag_moves_and_says_nothing(scene: Scene) -> None:
    assert head(scene.after) == scene.pushed[1]
    assert failures(scene.after) == []


@each_fault
def test_the_ledger_tells_of_two_moves(scene: Scene) -> None:
    assert scene.history == scene.pushed


@each_fault
def test_a_watch_sees_no_step_twice_and_none_back(scene: Scene) -> None:
    versions = [int(stream["metadata"]["resourceVersion"]) for stream in scene.seen]
    heads = [head(stream) for stream in scene.seen]

    assert versions == sorted(set(versions))
    assert [one for one, two in pairwise([*heads, ""]) if one != two] == scene.pushed
    assert all(essence(one) != essence(two) for one, two in pairwise(scene.seen))


@each_fault
def test_a_fault_that_goes_on_is_not_told_again_and_again(scene: Scene) -> None:
    told = [failure["message"] for stream in scene.seen for failure in failures(stream) if not scene.is_late(failure)]
    changes = [one for one, two in pairwise([*told, ""]) if one != two]

    assert 1 <= len(changes) <= MOST_TOLD


@each_fleeting_fault
def test_nobody_is_told_of_a_fault_that_is_over_at_the_next_try(scene: Scene) -> None:
    assert head(scene.after) == scene.pushed[1]
    assert scene.history == scene.pushed
    assert not any(failures(stream) for stream in scene.seen)
    assert scene.met == (0 if scene.case.name == "once-nothing" else 1)
