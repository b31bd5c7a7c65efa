"""What the tests of the mint share."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from imagestreams.minting.exchange import Exchange, utc_now
from imagestreams.minting.mint import Mint
from imagestreams.minting.minters import Minters, Surroundings
from imagestreams.upstream.guard import Guard
from imagestreams.upstream.transport import Transport
from imagestreams.upstream.values import Deadline, Limits
from tests.clouds.google import new_key
from tests.imagestreams.upstream import conftest as upstream

tls = upstream.tls
Mints = Callable[..., Mint]


class Clock:
    """A clock that is put on by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """A clock that is put on by hand."""
    return Clock()


@pytest.fixture
def mints(clock: Clock) -> Iterator[Mints]:
    """What makes a mint, with the addresses of services that stand for those of clouds."""
    transports: list[Transport] = []

    def made(
        *,
        endpoints: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        metadata: bool = False,
        now: Callable[[], datetime] = utc_now,
        allow_private: bool = True,
    ) -> Mint:
        outside = Transport(limits=Limits(), guard=Guard(anything=allow_private), ca_bundle=None, user_agent="t")
        inside = Transport(limits=Limits(), guard=Guard(anything=True), ca_bundle=None, user_agent="t", direct=True)
        transports.extend([outside, inside])
        around = Surroundings(environ or {}, endpoints or {}, metadata)
        exchange = Exchange(outside, inside, endpoints=around.endpoints, now=now)
        return Mint(Minters(around, exchange), clock=clock)

    yield made
    for transport in transports:
        transport.close()


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    """A key of an account, or of a cluster."""
    return new_key()


def patience(seconds: float = 10) -> Deadline:
    """Return a deadline that lies a little ahead."""
    return Deadline(seconds)


def packed(data: Mapping[str, str]) -> dict[str, str]:
    """Return the data of a Secret, in base64."""
    return {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
