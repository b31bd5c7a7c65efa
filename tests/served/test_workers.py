"""What a worker had begun when it was killed: another finishes it, and nothing is done twice or lost."""

from __future__ import annotations

import itertools

import pytest

from tests.processes import wait_until
from tests.served.accidents import Accident
from tests.served.tables import rows

LEASE = 30.0
"""Seconds for which a worker that died holds what it worked on."""

PATIENCE = LEASE + 45.0


@pytest.fixture
def accident(kind: str, accidents: dict[str, Accident]) -> Accident:
    """The accident on each kind of server in turn."""
    return accidents[kind]


def test_an_import_whose_worker_died_is_done(accident: Accident) -> None:
    api = accident.api

    wait_until(lambda: api.history("slow", "latest") != [], seconds=PATIENCE, what="the import is done")
    wait_until(
        lambda: not rows(api.server, "imagestreams_due_import", namespace=api.namespace),
        seconds=10,
        what="nothing is left to import",
    )

    assert api.history("slow", "latest") == [accident.slow]
    assert [(row["previous_digest"], row["digest"]) for row in accident.moves("slow")] == [("", accident.slow)]
    arrivals = accident.hearing.wait(1)
    assert [arrival.move for arrival in arrivals] == [("", accident.slow)]


def test_a_delivery_whose_worker_died_is_made(accident: Accident) -> None:
    arrivals = accident.telling.wait(4, seconds=PATIENCE)

    # The first was under way when the worker died: it comes again, and is the same to the last byte.
    assert arrivals[0].request.body == arrivals[1].request.body
    assert [arrival.move for arrival in arrivals[1:]] == list(itertools.pairwise(accident.digests))
    wait_until(
        lambda: all(row["state"] == "delivered" for row in accident.deliveries("told")),
        seconds=10,
        what="all is accepted",
    )


def test_the_ledger_the_history_and_the_deliveries_agree(accident: Accident) -> None:
    accident.telling.wait(4, seconds=PATIENCE)
    accident.hearing.wait(1, seconds=PATIENCE)

    for stream, first, keeper in (("told", 1, accident.telling), ("slow", 0, accident.hearing)):
        moves = accident.moves(stream)
        assert [row["digest"] for row in reversed(moves)] == accident.api.history(stream, "latest")
        told = {row["version"]: (row["previous_digest"], row["digest"]) for row in moves[first:]}
        made = {row["version"]: (row["previous_digest"], row["digest"]) for row in accident.deliveries(stream)}
        assert made == told
        ids = dict.fromkeys(int(arrival.event["id"].rpartition(".")[2]) for arrival in keeper.arrivals)
        assert list(ids) == list(told)


def test_the_log_has_no_gap(accident: Accident) -> None:
    versions = [row["version"] for row in rows(accident.api.server, "kube_change")]

    assert versions == list(range(versions[0], versions[0] + len(versions)))
