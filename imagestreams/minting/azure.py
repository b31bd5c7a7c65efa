"""Refresh tokens of Azure Container Registry, which count for three hours (Azure Container Registry, AAD-OAuth).

application ── POST tenant/oauth2/v2.0/token ──► access token
                                                    │
registry ◄── POST /oauth2/exchange ─────────────────┘ ──► refresh token
                                                    │
registry ◄── POST /oauth2/token (as for any other registry with an identity token)
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

from imagestreams.minting.aws import content
from imagestreams.minting.exchange import FORM, Ask, Exchange, fields_of, form, text_in
from imagestreams.minting.identities import TENANT, AzureClient
from imagestreams.minting.minter import Minted
from imagestreams.upstream.errors import TOKEN, Unauthorized
from imagestreams.upstream.values import Credential, Deadline

USER = "00000000-0000-0000-0000-000000000000"
RESOURCE = "https://containerregistry.azure.net"
AUTHORITY = "https://login.microsoftonline.com"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
WHO = "Microsoft Entra"
METADATA = "the metadata service of Azure"
METADATA_URL = "http://169.254.169.254"
LIFE_SECONDS = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class Access:
    """An access token of an application, and the tenant that it belongs to, empty when that is not known."""

    token: str = field(repr=False)
    tenant: str


class Application(Protocol):
    """Gives access tokens for registries; raises UpstreamError."""

    def access(self, *, deadline: Deadline) -> Access:
        """Return an access token that counts now."""


class Given:
    """The application of a Secret."""

    def __init__(self, identity: AzureClient, exchange: Exchange, *, authority: str = AUTHORITY) -> None:
        self._identity = identity
        self._exchange = exchange
        self._authority = authority

    def access(self, *, deadline: Deadline) -> Access:
        """Return an access token for the secret of the application."""
        identity = self._identity
        proof = {"client_id": identity.client_id, "client_secret": identity.client_secret}
        return _access(identity.tenant, proof, self._exchange, self._authority, deadline)


class Surroundings:
    """What this server is to Azure, by the variables that all programs of Azure read.

    secret ─ token of a cluster (`AZURE_FEDERATED_TOKEN_FILE`) ─ service of the machine, the last only where `metadata`
    allows it.
    """

    def __init__(self, environ: Mapping[str, str], exchange: Exchange, *, metadata: bool) -> None:
        self._environ = environ
        self._exchange = exchange
        self._metadata = metadata

    def access(self, *, deadline: Deadline) -> Access:
        """Return an access token by the first way that there is."""
        environ = self._environ
        tenant, client = environ.get("AZURE_TENANT_ID", ""), environ.get("AZURE_CLIENT_ID", "")
        secret, path = environ.get("AZURE_CLIENT_SECRET"), environ.get("AZURE_FEDERATED_TOKEN_FILE")
        authority = (environ.get("AZURE_AUTHORITY_HOST") or AUTHORITY).rstrip("/")
        if client and TENANT.fullmatch(tenant) and (secret or path):
            proof = {"client_id": client, "client_secret": secret or ""}
            if not secret and path:
                token = content(path, what="AZURE_FEDERATED_TOKEN_FILE")
                proof = {"client_id": client, "client_assertion_type": ASSERTION, "client_assertion": token}
            return _access(tenant, proof, self._exchange, authority, deadline)
        if not self._metadata:
            raise Unauthorized("this server has no identity at Azure", answered_by=TOKEN)
        return self._of_machine(client, tenant, deadline)

    def _of_machine(self, client: str, tenant: str, deadline: Deadline) -> Access:
        base = self._exchange.endpoint("azure-metadata", METADATA_URL).url.rstrip("/")
        query = {"api-version": "2018-02-01", "resource": RESOURCE, **({"client_id": client} if client else {})}
        url = f"{base}/metadata/identity/oauth2/token?{urlencode(query)}"
        ask = Ask(METADATA, url, "GET", headers={"Metadata": "true"}, is_ours=True)
        fields = fields_of(self._exchange.send(ask, deadline=deadline), who=METADATA)
        return Access(text_in(fields, "access_token", who=METADATA), tenant)


def _access(
    tenant: str, proof: Mapping[str, str], exchange: Exchange, authority: str, deadline: Deadline
) -> Access:  # fmt: skip
    endpoint = exchange.endpoint("entra", authority)
    url = f"{endpoint.url.rstrip('/')}/{tenant}/oauth2/v2.0/token"
    body = form({"grant_type": "client_credentials", "scope": f"{RESOURCE}/.default", **proof})
    hide = tuple(proof[name] for name in ("client_secret", "client_assertion") if proof.get(name))
    ask = Ask(WHO, url, headers=FORM, body=body, hide=hide, is_ours=endpoint.is_ours)
    fields = fields_of(exchange.send(ask, deadline=deadline), who=WHO)
    return Access(text_in(fields, "access_token", who=WHO), tenant)


class AcrMinter:
    """Makes refresh tokens of registries for an application."""

    def __init__(self, application: Application, exchange: Exchange) -> None:
        self._application = application
        self._exchange = exchange

    def reach(self, host: str) -> str:
        """Return the host: a refresh token is for one registry."""
        return host

    def mint(self, host: str, *, deadline: Deadline) -> Minted:
        """Return the refresh token as the identity token of the user that stands for tokens."""
        access = self._application.access(deadline=deadline)
        fields = {"grant_type": "access_token", "service": host, "tenant": access.tenant, "access_token": access.token}
        url = f"https://{host}/oauth2/exchange"
        ask = Ask(host, url, headers=FORM, body=form(fields), hide=(access.token,))
        token = text_in(fields_of(self._exchange.send(ask, deadline=deadline), who=host), "refresh_token", who=host)
        return Minted(Credential(USER, identity_token=token), self._life(token))

    def _life(self, token: str) -> float:
        """Return for how many seconds a refresh token counts, as it says itself; nothing of it needs to be proved."""
        part = [*token.split("."), ""][1]
        try:
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            return min(LIFE_SECONDS, float(claims["exp"]) - self._exchange.now().timestamp())
        except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
            return LIFE_SECONDS
