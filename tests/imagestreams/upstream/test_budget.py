"""The budget of a registry, alike in the memory of a process and in Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from imagestreams.imports.budgets import RedisLedger, SharedLedger
from imagestreams.upstream.budget import (
    LONGEST_WORDS,
    WORDS_SECONDS,
    Asker,
    Budget,
    Ledger,
    LocalLedger,
    News,
    Pace,
    Standing,
    Verdict,
)
from imagestreams.upstream.errors import Limited
from imagestreams.upstream.values import Deadline
from tests.redis_server import Redis
from tests.requirements import found

ANY = Pace()
SLOW = Pace(per_second=10, saved_seconds=0.4)
SOMEBODY = Asker("r.example")
PULL = Asker("r.example", counted=True)
CLOCK = Asker("r.example", counted=True, background=True)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Redis]:
    if not found("redis-server"):
        pytest.skip("redis-server is not installed")
    with Redis() as server:
        yield server


@pytest.fixture(params=["local", "redis"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "local":
        return LocalLedger()
    server: Redis = request.getfixturevalue("redis_server")
    made = RedisLedger(server.url)
    made._redis.flushall()
    return made


def test_whoever_is_told_to_stop_stops_for_all(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=60))

    ruling = ledger.ask(CLOCK, ANY)

    assert ruling.verdict is Verdict.STOPPED
    assert 59 < ruling.seconds <= 60
    assert ledger.ask(Asker("other.example"), ANY).verdict is Verdict.GO


def test_a_stop_is_that_of_who_pays(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=60))

    assert ledger.ask(Asker("r.example", payer="customer"), ANY).verdict is Verdict.GO


def test_a_stop_ends(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=0.2))
    time.sleep(0.25)

    assert ledger.ask(SOMEBODY, ANY).verdict is Verdict.GO


def test_a_shorter_stop_does_not_end_a_longer_one(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=60))
    ledger.tell(SOMEBODY, News(stop=5))

    assert ledger.ask(SOMEBODY, ANY).seconds > 50


def test_no_stop_lasts_for_ever(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=10.0**9))

    assert ledger.ask(SOMEBODY, ANY).seconds <= 6 * 3600


def test_stops_without_a_time_grow_longer_and_count_once_each(ledger: Ledger) -> None:
    for _ in range(16):
        ledger.tell(SOMEBODY, News(stop=0))

    first = ledger.ask(SOMEBODY, ANY).seconds
    time.sleep(first + 0.05)
    ledger.tell(SOMEBODY, News(stop=0))
    second = ledger.ask(SOMEBODY, ANY).seconds

    assert 1.5 < first <= 2
    assert 5.5 < second <= 6


def test_when_no_pulls_are_left_other_requests_go_on(ledger: Ledger) -> None:
    ledger.tell(PULL, News(stop=60, pulls_only=True, limit=100, remaining=0, reset=21600))

    assert ledger.ask(PULL, ANY).verdict is Verdict.STOPPED
    assert ledger.ask(SOMEBODY, ANY).verdict is Verdict.GO


def test_the_last_part_of_a_quota_is_for_people(ledger: Ledger) -> None:
    ledger.tell(PULL, News(limit=100, remaining=12, reset=21600))

    clock = [ledger.ask(CLOCK, ANY).verdict for _ in range(3)]

    assert clock == [Verdict.GO, Verdict.GO, Verdict.RESERVED]
    assert ledger.ask(PULL, ANY).verdict is Verdict.GO
    assert ledger.ask(Asker("r.example", background=True), ANY).verdict is Verdict.GO


def test_a_quota_that_is_full_again_is_used_again(ledger: Ledger) -> None:
    ledger.tell(PULL, News(limit=100, remaining=0, reset=21600))
    assert ledger.ask(CLOCK, ANY).verdict is Verdict.RESERVED

    ledger.tell(PULL, News(limit=100, remaining=100, reset=21600))

    assert ledger.ask(CLOCK, ANY).verdict is Verdict.GO


def test_requests_are_spread_after_those_that_were_saved(ledger: Ledger) -> None:
    waits = [ledger.ask(SOMEBODY, SLOW).seconds for _ in range(8)]

    assert [wait == 0 for wait in waits[:4]] == [True] * 4
    assert 0.2 < waits[-1] < 0.45
    assert waits == sorted(waits)


def test_the_schedule_takes_no_place_far_ahead(ledger: Ledger) -> None:
    rulings = [ledger.ask(CLOCK, SLOW) for _ in range(40)]
    person = ledger.ask(SOMEBODY, SLOW)

    assert rulings[-1].verdict is Verdict.LATER
    assert sum(ruling.verdict is Verdict.GO for ruling in rulings) < 16
    assert person.verdict is Verdict.GO
    assert person.seconds < 1.2


def test_the_delay_of_a_host_is_that_of_the_first_who_may_ask(ledger: Ledger) -> None:
    assert ledger.delay("r.example", background=True) == 0
    ledger.tell(SOMEBODY, News(stop=60))
    ledger.tell(Asker("r.example", payer="customer"), News(stop=20))

    assert 19 < ledger.delay("r.example", background=True) <= 20


def test_what_is_known_is_told(ledger: Ledger) -> None:
    standing = ledger.tell(PULL, News(stop=30, limit=100, remaining=7, reset=60))

    assert (standing.limit, standing.remaining) == (100, 7)
    assert 29 < standing.stopped_until <= 30
    assert 59 < standing.believed_until <= 60


def told(ledger: Ledger) -> str:
    return ledger.ask(SOMEBODY, ANY).words


def test_while_a_stop_lasts_it_is_told_in_the_first_words(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=60))
    before = told(ledger)
    for words in ("come back later", "", "request 2: come back later"):
        ledger.tell(SOMEBODY, News(stop=60, words=words))

    assert (before, told(ledger)) == ("", "come back later")


def test_the_next_stop_has_words_of_its_own_or_those_of_the_last(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=0.1, words="one"))
    time.sleep(0.15)
    ledger.tell(SOMEBODY, News(stop=0.1))
    silent = told(ledger)
    time.sleep(0.15)
    ledger.tell(SOMEBODY, News(stop=60, words="two"))

    assert (silent, told(ledger)) == ("one", "two")


def test_words_are_those_of_who_pays_and_not_endless(ledger: Ledger) -> None:
    ledger.tell(SOMEBODY, News(stop=60, words="x" * 10_000))
    ledger.tell(Asker("r.example", payer="customer"), News(stop=60, words="\ud800: no more for you"))

    assert told(ledger) == "x" * LONGEST_WORDS
    assert ledger.ask(Asker("r.example", payer="customer"), ANY).words.endswith(": no more for you")


def test_old_words_are_forgotten() -> None:
    clock = [1000.0]
    ledger = LocalLedger(lambda: clock[0])
    ledger.tell(SOMEBODY, News(stop=60, words="long ago"))
    clock[0] += 60 + WORDS_SECONDS + 1
    ledger.tell(SOMEBODY, News(stop=60))

    assert told(ledger) == ""


# --- processes that share Redis


def test_processes_share_what_one_was_told(redis_server: Redis) -> None:
    one, other = SharedLedger(RedisLedger(redis_server.url)), SharedLedger(RedisLedger(redis_server.url))

    one.tell(Asker("shared.example"), News(stop=60))

    assert other.ask(Asker("shared.example"), ANY).verdict is Verdict.STOPPED


def test_without_redis_a_process_goes_by_what_it_knows(caplog: pytest.LogCaptureFixture) -> None:
    if not found("redis-server"):
        pytest.skip("redis-server is not installed")
    with Redis() as server:
        ledger = SharedLedger(RedisLedger(server.url))
        ledger.tell(SOMEBODY, News(stop=60))
        server.stop()

        rulings = [ledger.ask(SOMEBODY, ANY), ledger.ask(Asker("other.example"), ANY)]

    assert [ruling.verdict for ruling in rulings] == [Verdict.STOPPED, Verdict.GO]
    assert [record.getMessage() for record in caplog.records if "Redis is away" in record.getMessage()]
    assert len(caplog.records) == 1


# --- letting requests through


def test_a_long_stop_is_told_at_once_and_a_short_one_waited_for() -> None:
    budget = Budget(LocalLedger(), pace=ANY)
    budget.heard(SOMEBODY, News(stop=60))
    budget.heard(Asker("soon.example"), News(stop=0.2))
    started = time.monotonic()

    with pytest.raises(Limited, match="allows no more requests for now") as caught:
        budget.admit(SOMEBODY, deadline=Deadline(60))
    told = time.monotonic()
    budget.admit(Asker("soon.example"), deadline=Deadline(60))

    assert (caught.value.retry_after, caught.value.status) == (60, None)
    assert told - started < 0.1
    assert time.monotonic() - told >= 0.1


def test_nobody_waits_past_his_deadline() -> None:
    budget = Budget(LocalLedger(), pace=Pace(per_second=0.1, saved_seconds=0))
    budget.admit(SOMEBODY, deadline=Deadline(60))

    with pytest.raises(Limited):
        budget.admit(SOMEBODY, deadline=Deadline(0.2))


def test_threads_keep_to_the_pace_together() -> None:
    budget = Budget(LocalLedger(), pace=Pace(per_second=50, saved_seconds=0.1))
    started = time.monotonic()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: budget.admit(SOMEBODY, deadline=Deadline(10)), range(30)))

    assert 0.4 < time.monotonic() - started < 2


def test_those_who_waited_for_the_end_of_a_stop_do_not_come_together() -> None:
    budget, came, lock = Budget(LocalLedger(), pace=ANY), list[float](), threading.Lock()
    budget.heard(SOMEBODY, News(stop=0.2))

    def come(_: int) -> None:
        budget.admit(SOMEBODY, deadline=Deadline(10))
        with lock:
            came.append(time.monotonic())

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(come, range(12)))

    assert max(came) - min(came) > 0.2


def test_whoever_watches_is_told_the_news() -> None:
    seen: list[tuple[str, Standing]] = []
    watch: Callable[[str, Standing], None] = lambda host, standing: seen.append((host, standing))  # noqa: E731
    budget = Budget(LocalLedger(), pace=ANY, observe=watch)

    budget.heard(PULL, News(limit=100, remaining=3, reset=60))
    budget.heard(PULL, None)

    assert [(host, standing.remaining) for host, standing in seen] == [("r.example", 3)]


def test_an_import_is_put_off_for_as_long_as_nobody_may_pull() -> None:
    budget = Budget(LocalLedger(), pace=ANY)
    budget.heard(PULL, News(stop=60))

    assert 60 <= budget.delay("r.example") + 0.01 < 70
    assert budget.delay("other.example") == 0
