"""Passwords of Amazon's registries (Amazon ECR API, GetAuthorizationToken), which count for twelve hours."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from imagestreams.minting.aws import Source, suffix_of
from imagestreams.minting.exchange import Ask, Exchange, fields_of, text_in
from imagestreams.minting.identities import REGION
from imagestreams.minting.minter import Minted
from imagestreams.minting.signature import Scope, sign
from imagestreams.upstream.errors import TOKEN, Malformed, Unauthorized
from imagestreams.upstream.values import Credential, Deadline

HOST = re.compile(r"\d{12}\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws)")
PUBLIC = "public.ecr.aws"
LONGEST_SECONDS = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where passwords for a registry come from."""

    name: str
    region: str
    url: str
    target: str

    @property
    def who(self) -> str:
        """What messages call it."""
        return f"Amazon {self.name.upper()} in {self.region}"


def place_of(host: str, *, region: str) -> Place:
    """Return where the password for a host comes from; `region` is for hosts that name none; raises Unauthorized."""
    if host == PUBLIC:
        url = "https://api.ecr-public.us-east-1.amazonaws.com/"
        return Place("ecr-public", "us-east-1", url, "SpencerFrontendService.GetAuthorizationToken")
    known = HOST.fullmatch(host)
    found = known["region"] if known else region
    if not REGION.fullmatch(found):
        raise Unauthorized(f"the region of the registry {host} is not known", answered_by=TOKEN)
    url = f"https://api.ecr.{found}.{suffix_of(found)}/"
    if known and known["fips"]:
        url = f"https://ecr-fips.{found}.{suffix_of(found)}/"
    return Place("ecr", found, url, "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")


class EcrMinter:
    """Makes passwords for registries of Amazon with the keys of a source."""

    def __init__(self, source: Source, exchange: Exchange) -> None:
        self._source = source
        self._exchange = exchange

    def reach(self, host: str) -> str:
        """Return the address of the service: one password is for all registries of a region."""
        return place_of(host, region=self._source.region).url

    def mint(self, host: str, *, deadline: Deadline) -> Minted:
        """Return a user name and a password."""
        place = place_of(host, region=self._source.region)
        keys = self._source.keys(place.region, deadline=deadline)
        endpoint = self._exchange.endpoint(place.name, place.url)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": place.target}
        signed = sign(
            "POST", endpoint.url, headers, b"{}", keys=keys, scope=Scope(place.region, place.name),
            now=self._exchange.now(),
        )  # fmt: skip
        ask = Ask(
            place.who, endpoint.url, headers={**headers, **signed.headers}, body=b"{}",
            authorization=signed.authorization, hide=keys.secrets(), is_ours=endpoint.is_ours,
        )  # fmt: skip
        fields = fields_of(self._exchange.send(ask, deadline=deadline), who=place.who)
        return self._minted(fields, place.who)

    def _minted(self, fields: Mapping[str, object], who: str) -> Minted:
        data = fields.get("authorizationData")
        # The private registries answer a list, the public one a single object.
        one = data[0] if isinstance(data, list) and data else data
        if not isinstance(one, dict):
            raise Malformed(f"{who}: the answer has no authorizationData", answered_by=TOKEN)
        ends = one.get("expiresAt")
        life = LONGEST_SECONDS
        if isinstance(ends, int | float):
            life = min(life, ends - self._exchange.now().timestamp())
        return Minted(_login(text_in(one, "authorizationToken", who=who), who), life)


def _login(token: str, who: str) -> Credential:
    try:
        user, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        user = colon = password = ""
    if not (user and colon and password):
        raise Malformed(f"{who}: the authorizationToken is no user name and password", answered_by=TOKEN) from None
    return Credential(user, password)
