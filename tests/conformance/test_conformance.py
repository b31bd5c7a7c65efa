"""Every recorded scenario, replayed against a real server that is configured as the reference was."""

import concurrent.futures
import pathlib

import pytest

from tests.conformance import replay, suite
from tests.conformance.peers import peers
from tests.requirements import needs

NOT_YET = pathlib.Path(__file__).with_name("not_yet.txt").read_text().split()
SCENARIOS = dict(replay.load())

pytestmark = [pytest.mark.slow, needs("docker-registry")]


@pytest.fixture(scope="module")
def reports():
    """The replay of every scenario, running side by side from the first test on."""
    with peers(), suite.server() as server, concurrent.futures.ThreadPoolExecutor(suite.WORKERS) as pool:
        place = (server.url, server.token, server.ca)
        yield {name: pool.submit(replay.compare, *place, name, SCENARIOS[name]) for name in suite.slow_first(SCENARIOS)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_answers_equal_the_recorded_ones(reports, name):
    report = reports[name].result()

    if name in NOT_YET:
        assert report.differing, f"{name} passes now: remove it from not_yet.txt"
        pytest.xfail(f"{report.failed} of {report.failed + report.passed} steps differ")
    assert not report.differing, report.text()


def test_the_list_of_expected_failures_is_sorted_and_names_scenarios():
    assert sorted(set(NOT_YET)) == NOT_YET
    assert set(NOT_YET) <= set(SCENARIOS)
