"""Which credentials are kept, when the next is made, and what becomes of failures."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from imagestreams.minting.identities import AzureClient
from imagestreams.minting.mint import Mint
from imagestreams.minting.minter import Minted
from imagestreams.upstream.errors import Limited, Malformed, Unauthorized, Unreachable, UpstreamError
from imagestreams.upstream.values import Credential, Deadline
from tests.imagestreams.minting.conftest import Clock, patience

WHO = AzureClient("t", "c", "s")
HOUR = 3600.0


@dataclass
class Press:
    """Makes numbered credentials, or fails; with a `gate` it waits until that is opened."""

    life: float = HOUR
    failure: UpstreamError | None = None
    gate: threading.Event | None = None
    begun: threading.Event = field(default_factory=threading.Event)
    times: int = 0

    def reach(self, host: str) -> str:
        return host.partition(".")[2]

    def mint(self, host: str, *, deadline: Deadline) -> Minted:
        self.times += 1
        self.begun.set()
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        return Minted(Credential("user", f"made {self.times}"), self.life)


class Shop:
    """A mint with its press."""

    def __init__(self, clock: Clock, **options: object) -> None:
        self.press = Press(**options)  # type: ignore[arg-type]  # as they came
        self.mint = Mint(lambda identity: self.press, clock=clock)

    def password(self, host: str = "a.example.com") -> str:
        return self.mint.credential(WHO, host, deadline=patience()).password

    def renewed(self, refused: str) -> str | None:
        found = self.mint.renewed(WHO, "a.example.com", Credential("user", refused), deadline=patience())
        return found.password if found else None


def test_a_credential_is_kept_for_its_reach(clock: Clock) -> None:
    shop = Shop(clock)

    assert [shop.password(host) for host in ("a.example.com", "b.example.com", "a.example.org")] == [
        "made 1", "made 1", "made 2"
    ]  # fmt: skip


def test_many_threads_make_one(clock: Clock) -> None:
    shop = Shop(clock, gate=threading.Event())
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(shop.password) for _ in range(8)]
        assert shop.press.begun.wait(5)
        assert shop.press.gate is not None
        shop.press.gate.set()

        assert {one.result() for one in waiting} == {"made 1"}


@pytest.mark.parametrize(
    ("life", "until_due", "until_over"), [(HOUR, 2880, 3540), (12 * HOUR, 34560, 43140), (10, 8, 9)]
)
def test_the_next_is_made_before_the_end(clock: Clock, life: float, until_due: float, until_over: float) -> None:
    shop, begun = Shop(clock, life=life), clock.time
    shop.password()

    clock.time = begun + until_due - 0.1
    assert shop.password() == "made 1"
    clock.time = begun + until_due
    assert shop.password() == "made 2"


def test_others_use_the_present_one_while_one_thread_makes_the_next(clock: Clock) -> None:
    shop = Shop(clock)
    shop.password()
    clock.time += 0.9 * HOUR
    shop.press.gate, shop.press.begun = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(shop.password)
        assert shop.press.begun.wait(5)

        assert shop.password() == "made 1"
        shop.press.gate.set()
        assert making.result() == "made 2"
    assert shop.password() == "made 2"


def test_a_service_that_is_away_does_no_harm_before_the_end(clock: Clock) -> None:
    shop = Shop(clock)
    shop.password()
    shop.press.failure = Unreachable("away")

    clock.time += 0.9 * HOUR
    assert [shop.password(), shop.password(), shop.press.times] == ["made 1", "made 1", 2]
    clock.time += 0.1 * HOUR
    with pytest.raises(Unreachable):
        shop.password()
    shop.press.failure = None
    clock.time += 10
    assert shop.password() == "made 4"


def test_a_failure_is_remembered_for_a_while(clock: Clock) -> None:
    shop = Shop(clock, failure=Unauthorized("nobody"))
    for _ in range(3):
        with pytest.raises(Unauthorized, match="nobody"):
            shop.password()
    assert shop.press.times == 1

    clock.time += 60
    shop.press.failure = None
    assert shop.password() == "made 2"


def test_a_service_that_stays_away_is_asked_more_and_more_seldom(clock: Clock) -> None:
    shop, pauses = Shop(clock, failure=Unreachable("away")), list[float]()
    for number in range(1, 10):
        begun = clock.time
        while shop.press.times < number + 1:
            with pytest.raises(Unreachable):
                shop.password()
            clock.time += 1
        pauses.append(clock.time - begun - 1)
    assert pauses[0] == 5
    assert pauses == sorted(pauses)
    assert pauses[-1] == 299


def test_a_wish_to_be_left_alone_is_granted(clock: Clock) -> None:
    shop = Shop(clock, failure=Limited("slow down", retry_after=90))
    for _ in range(90):
        with pytest.raises(Limited) as caught:
            shop.password()
        assert caught.value.retry_after == 90
        clock.time += 1
    assert shop.press.times == 1


def test_what_cannot_be_read_counts_as_no_credential(clock: Clock) -> None:
    with pytest.raises(Unauthorized, match="no JSON"):
        Shop(clock, failure=Malformed("the answer is no JSON")).password()


def test_what_was_refused_is_made_anew_once(clock: Clock) -> None:
    shop = Shop(clock)
    shop.password()

    assert [shop.renewed("made 1"), shop.renewed("made 1"), shop.password()] == ["made 2", "made 2", "made 2"]
    assert shop.renewed("made 2") is None
    clock.time += 300
    assert shop.renewed("made 2") == "made 3"


def test_what_was_refused_at_one_place_stays_for_others_while_there_is_no_other(clock: Clock) -> None:
    shop = Shop(clock)
    shop.password()
    shop.press.failure = Unreachable("away")

    with pytest.raises(Unreachable):
        shop.renewed("made 1")
    assert shop.password() == "made 1"
    assert shop.renewed("made 1") is None


def test_what_came_of_it_is_told(clock: Clock) -> None:
    told: list[str] = []
    press = Press()
    mint = Mint(lambda identity: press, tell=lambda identity, outcome: told.append(outcome.value), clock=clock)
    for failure in (Unreachable("away"), Unauthorized("nobody"), None):
        press.failure = failure
        with suppress(UpstreamError):
            mint.credential(WHO, "a.example.com", deadline=patience())
        clock.time += 100

    assert told == ["Failed", "Refused", "Made"]


def test_no_one_waits_longer_than_he_may(clock: Clock) -> None:
    shop = Shop(clock, gate=threading.Event())
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(shop.password)
        assert shop.press.begun.wait(5)
        with pytest.raises(Unreachable, match="waiting for a credential"):
            shop.mint.credential(WHO, "a.example.com", deadline=Deadline(0.05))
        assert shop.press.gate is not None
        shop.press.gate.set()
        assert making.result() == "made 1"


def test_a_coin_and_the_log_show_no_secret(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop(clock)
    with caplog.at_level("DEBUG"):
        shop.password()

    coin = shop.mint.offer(AzureClient("t", "c", "very-secret"), "a.example.com")
    assert "very-secret" not in repr(coin)
    assert "a credential was made for a.example.com, for 3600 seconds" in caplog.text
    assert "made 1" not in caplog.text


def test_a_coin_says_where_its_identity_is_kept(clock: Clock) -> None:
    coin = Shop(clock).mint.offer(WHO, "a.example.com", origin="a secret")

    made = coin.credential(deadline=patience())
    renewed = coin.renewed(made, deadline=patience())

    assert renewed is not None
    assert (made.origin, renewed.origin) == ("a secret", "a secret")
    assert made != renewed
