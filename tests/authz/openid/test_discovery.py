"""What is fetched of a provider and when: seldom, briefly, in small, and from nobody else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.db import connection
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authz.openid.discovery import FRESH, PAUSE, USABLE, Provider, keys_of
from authz.openid.fetching import Fetcher, FetchFailed
from tests.authz.openid.conftest import Stand, json
from tests.registries import Reply, Request, StandIn

DOCUMENT = "/.well-known/openid-configuration"
KEY = rsa.generate_private_key(65537, 2048).public_key()
JWK = RSAAlgorithm.to_jwk(KEY, as_dict=True)


class Site:
    """A provider that shows the keys of some names, and a clock that a test moves."""

    def __init__(self, stand: Stand, certified: Path) -> None:
        self.names = ["one"]
        self.now = 1000.0
        self.change: Callable[[Request], Reply | None] = lambda request: None
        self.server: StandIn = stand(self._answer)
        self.fetcher = Fetcher((certified / "ca.crt").read_text(), seconds=1.0, limit=20_000)
        self.provider = Provider(self.server.base, self.fetcher, clock=lambda: self.now)

    def knows(self, name: str, algorithm: str = "RS256") -> bool:
        return bool(self.provider.keys(name, algorithm))

    def asked(self) -> int:
        return len(self.server.asked("/keys"))

    def _answer(self, request: Request) -> Reply | None:
        changed = self.change(request)
        if changed is not None:
            return changed
        if request.path == DOCUMENT:
            return json({"issuer": self.server.base, "jwks_uri": f"{self.server.base}/keys"})
        return json({"keys": [{**JWK, "kid": name} for name in self.names]})


@pytest.fixture
def site(stand: Stand, certified: Path) -> Site:
    return Site(stand, certified)


def test_keys_are_fetched_once_while_they_are_fresh(site: Site) -> None:
    assert [site.knows("one") for _ in range(3)] == [True] * 3
    site.now += FRESH

    assert (site.knows("one"), site.asked()) == (True, 1)


def test_a_key_that_is_dropped_ends_when_the_keys_are_stale(site: Site) -> None:
    site.knows("one")
    site.names = ["two"]
    site.now += FRESH + 1

    assert (site.knows("one"), site.knows("two")) == (False, True)


def test_an_unknown_key_is_asked_for_but_not_by_everybody(site: Site) -> None:
    site.knows("one")
    site.names = ["one", "two"]
    site.now += PAUSE

    assert site.knows("two")
    assert [site.knows(f"stranger {number}") for number in range(50)] == [False] * 50
    assert site.asked() == 2


def test_threads_that_ask_at_once_make_one_question(site: Site) -> None:
    def slowly(request: Request) -> Reply | None:
        time.sleep(0.2)
        return None

    site.change = slowly
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(site.knows("one"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (found, site.asked()) == ([True] * 8, 1)


def test_those_who_know_a_key_do_not_wait_for_the_one_who_asks(site: Site) -> None:
    site.knows("one")
    entered, leave = threading.Event(), threading.Event()

    def held(request: Request) -> Reply | None:
        entered.set()
        leave.wait(5)
        return None

    site.change = held
    site.now += FRESH + 1
    asking = threading.Thread(target=site.knows, args=("one",))
    asking.start()
    entered.wait(5)
    began = time.monotonic()

    known = site.knows("one")

    took = time.monotonic() - began
    leave.set()
    asking.join()
    assert known
    assert took < 0.5


def test_known_keys_serve_for_a_while_when_the_provider_is_away(site: Site) -> None:
    site.knows("one")
    site.change = lambda request: Reply(503)
    site.now += FRESH + 1
    serves = site.knows("one")
    site.now += USABLE

    assert (serves, site.knows("one")) == (True, False)


@pytest.mark.parametrize(
    "answer",
    [
        json({"issuer": "https://other.example.com", "jwks_uri": "https://other.example.com/keys"}),
        json({"jwks_uri": "https://other.example.com/keys"}),
        json({"keys": []}),
        json([]),
        Reply(200, b"<html>"),
        Reply(200, b"\xff\xfe"),
        Reply(404),
        Reply(302, b"", {"Location": "/elsewhere"}),
        Reply(200, b"{" + b" " * 30_000 + b"}"),
    ],
    ids=["another issuer", "no issuer", "no keys", "a list", "a page", "no text", "404", "a redirect", "too large"],
)
def test_a_document_that_is_none_gives_no_keys(site: Site, answer: Reply) -> None:
    site.change = lambda request: answer if request.path == DOCUMENT else None

    assert not site.knows("one")
    assert site.server.asked("/elsewhere") == []


def test_keys_are_not_fetched_in_clear_text(site: Site) -> None:
    where = site.server.base.replace("https", "http")
    document = {"issuer": site.server.base, "jwks_uri": f"{where}/keys"}
    site.change = lambda request: json(document) if request.path == DOCUMENT else None

    assert (site.knows("one"), site.asked()) == (False, 0)


def test_a_provider_that_does_not_answer_is_not_waited_for(site: Site) -> None:
    leave = threading.Event()

    def held(request: Request) -> Reply | None:
        leave.wait(20)
        return None

    site.change = held
    began = time.monotonic()

    known = site.knows("one")

    took = time.monotonic() - began
    leave.set()
    assert not known
    assert took < 5


@pytest.mark.django_db(transaction=True)
def test_nobody_holds_a_connection_to_the_database_while_he_waits(site: Site) -> None:
    connection.ensure_connection()

    site.knows("one")

    assert connection.connection is None


def test_a_certificate_of_another_authority_is_not_trusted(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider(site.server.base, Fetcher())

    with caplog.at_level(logging.WARNING):
        assert provider.keys("one", "RS256") == []

    assert "its certificate is not trusted" in caplog.text


def test_the_document_may_be_elsewhere(site: Site) -> None:
    document = {"issuer": "https://id.example.com", "jwks_uri": f"{site.server.base}/keys"}
    site.change = lambda request: json(document) if request.path == "/there" else None
    provider = Provider("https://id.example.com", site.fetcher, document=f"{site.server.base}/there")

    assert provider.keys("one", "RS256")


def test_a_question_is_not_sent_in_clear_text(site: Site) -> None:
    with pytest.raises(FetchFailed, match="no https URL"):
        site.fetcher.get(site.server.base.replace("https", "http"))


EC_JWK = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
WEAK = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)


@pytest.mark.parametrize(
    ("entry", "algorithm", "serves"),
    [
        (JWK, "RS256", True), (JWK, "PS512", True), (EC_JWK, "ES256", True), ({**JWK, "alg": "RS256"}, "RS256", True),
        ({**JWK, "key_ops": ["verify"]}, "RS256", True),
        (JWK, "ES256", False), (JWK, "HS256", False), (EC_JWK, "RS256", False), (EC_JWK, "ES384", False),
        ({**JWK, "alg": "RS512"}, "RS256", False), ({**JWK, "use": "enc"}, "RS256", False),
        ({**JWK, "key_ops": ["encrypt"]}, "RS256", False), (WEAK, "RS256", False), ({**JWK, "n": "x"}, "RS256", False),
        ({"kty": "oct", "k": "c2VjcmV0"}, "HS256", False), ({"kty": "OKP"}, "RS256", False), ("text", "RS256", False),
        ({**JWK, "kid": 7}, "RS256", False), ({**JWK, "alg": "HS256"}, "HS256", False),
    ],
)  # fmt: skip
def test_a_key_serves_the_algorithms_of_its_kind_alone(entry: Any, algorithm: str, serves: bool) -> None:
    found = keys_of({"keys": [entry]})

    assert any(key.verifies("", algorithm) for key in found) == serves
