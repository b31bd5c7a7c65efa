"""A few hundred of the cases that `python -m tests.fuzz` makes, the same ones each time."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import Campaign
from tests.server import Server

CASES = 500
SEED = 1


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """What came of the cases on a server that served nothing else."""
    with Server() as server:
        campaign = Campaign(server, SEED, tell=lambda finding: None)
        campaign.run(CASES)
    return campaign


def test_every_answer_is_what_the_documents_say(campaign: Campaign) -> None:
    assert campaign.findings == {}
    assert campaign.tracebacks == 0


def test_cases_come_through_to_the_kinds(campaign: Campaign) -> None:
    succeeded = sum(count for code, count in campaign.codes.items() if code < 300)

    assert campaign.cases >= CASES
    assert succeeded > CASES / 20
