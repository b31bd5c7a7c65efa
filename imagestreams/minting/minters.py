"""Which minter makes the credentials of an identity, and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagestreams.minting import aws, azure
from imagestreams.minting.azure import AcrMinter
from imagestreams.minting.ecr import EcrMinter
from imagestreams.minting.exchange import Clock, Exchange, utc_now
from imagestreams.minting.google import GoogleMinter, MachineMinter, key_file
from imagestreams.minting.identities import AwsKeys, AzureClient, Cloud, GoogleKey, Identity
from imagestreams.minting.mint import Mint, Tell, quiet
from imagestreams.minting.minter import Minter
from imagestreams.upstream.errors import TOKEN, Unauthorized
from imagestreams.upstream.guard import Guard
from imagestreams.upstream.transport import Transport
from imagestreams.upstream.values import Limits

USER_AGENT = "registry-meta"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What this server is and may: the variables of its process, the addresses that replace those of clouds, and
    whether it may ask the metadata service of its machine."""

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    endpoints: Mapping[str, str] = field(default_factory=dict)
    metadata: bool = False


class Minters:
    """Gives the minter of an identity."""

    def __init__(self, surroundings: Surroundings, exchange: Exchange) -> None:
        self._surroundings = surroundings
        self._exchange = exchange

    def __call__(self, identity: Identity) -> Minter:
        """Return the minter; raises Unauthorized when this server is nobody in that cloud."""
        exchange = self._exchange
        if isinstance(identity, AwsKeys):
            return EcrMinter(aws.Given(identity, exchange), exchange)
        if isinstance(identity, GoogleKey):
            return GoogleMinter(lambda: identity, exchange)
        if isinstance(identity, AzureClient):
            return AcrMinter(azure.Given(identity, exchange), exchange)
        return self._ambient(identity.cloud)

    def _ambient(self, cloud: Cloud) -> Minter:
        around, exchange = self._surroundings, self._exchange
        if cloud is Cloud.AWS:
            return EcrMinter(aws.Surroundings(around.environ, exchange, metadata=around.metadata), exchange)
        if cloud is Cloud.AZURE:
            return AcrMinter(azure.Surroundings(around.environ, exchange, metadata=around.metadata), exchange)
        if around.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            return GoogleMinter(lambda: key_file(around.environ), exchange)
        if around.metadata:
            return MachineMinter(exchange)
        raise Unauthorized("this server has no identity at Google", answered_by=TOKEN)


def mint(
    surroundings: Surroundings,
    *,
    limits: Limits,
    guard: Guard,
    ca_bundle: Path | None,
    tell: Tell = quiet,
    now: Clock = utc_now,
) -> Mint:
    """Return the mint of a process; only what those who run the server named may be a private address."""
    outside = Transport(limits=limits, guard=guard, ca_bundle=ca_bundle, user_agent=USER_AGENT)
    inside = Transport(
        limits=limits, guard=Guard(anything=True), ca_bundle=ca_bundle, user_agent=USER_AGENT, direct=True
    )
    exchange = Exchange(outside, inside, endpoints=surroundings.endpoints, now=now)
    return Mint(Minters(surroundings, exchange), tell=tell, trust=exchange.trust)
