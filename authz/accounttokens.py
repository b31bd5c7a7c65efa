"""The tokens of service accounts: JSON Web Tokens as Kubernetes gives them out, which others can verify by the JWKS.

    {"iss": URL, "sub": "system:serviceaccount:NAMESPACE:NAME", "aud": [...], "iat": …, "nbf": …, "exp": …, "jti": UID,
     "kubernetes.io": {"namespace": …, "serviceaccount": {"name": …, "uid": …}, "secret": {"name": …, "uid": …}}}

Nothing is kept of a token. It ends with its time, its account, the secret to which it is bound, or its signing key;
whatever ends one of these moves the counter of tokens, up to which what is remembered here counts.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
import msgspec
from django.conf import settings
from django.db import connection

from authz import signatures, signingkeys, tokens
from authz.models import Token
from authz.rules import account_groups, account_username, with_login_group
from authz.tokens import Known
from registry_meta.kube import meta, sealing
from registry_meta.kube.request import Actor

LONGEST = 8 * 1024
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"

SECRET_ISSUER = "kubernetes/serviceaccount"  # noqa: S105  # an issuer
"""Who has issued the tokens without an end that lie in secrets of the type `kubernetes.io/service-account-token`."""

ACCOUNTS, SECRETS = "serviceaccounts", "secrets"
UIDS = (
    "SELECT resource, uid FROM kube_object WHERE (resource = %s AND namespace = %s AND name = %s)"
    " OR (resource = %s AND namespace = %s AND name = %s)"
)
HELD = (
    "SELECT account.uid, secret.document FROM kube_object account JOIN kube_object secret"
    " ON secret.resource = 'secrets' AND secret.namespace = account.namespace AND secret.name = %s"
    " WHERE account.resource = 'serviceaccounts' AND account.namespace = %s AND account.name = %s"
)


class Reference(msgspec.Struct, frozen=True):
    """An object as a token names it."""

    name: str
    uid: str


class Binding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose a token is, and what it must not outlive."""

    namespace: str
    serviceaccount: Reference
    secret: Reference | None = None


class Claims(msgspec.Struct, frozen=True):
    """What a token of an account says."""

    iss: str
    sub: str
    aud: list[str]
    iat: int
    nbf: int
    exp: int
    jti: str
    binding: Binding = msgspec.field(name="kubernetes.io")


class SecretClaims(msgspec.Struct, frozen=True):
    """What the token in a secret says."""

    iss: str
    sub: str
    jti: str
    namespace: str = msgspec.field(name="kubernetes.io/serviceaccount/namespace")
    secret: str = msgspec.field(name="kubernetes.io/serviceaccount/secret.name")
    account: str = msgspec.field(name="kubernetes.io/serviceaccount/service-account.name")
    uid: str = msgspec.field(name="kubernetes.io/serviceaccount/service-account.uid")


@dataclass(frozen=True, slots=True)
class Account:
    """A service account."""

    namespace: str
    name: str
    uid: str

    @property
    def username(self) -> str:
        """The name of the user that the account is."""
        return account_username(self.namespace, self.name)


memory = tokens.Memory()


def issuers() -> tuple[str, ...]:
    """Return the URLs under which this server gives out tokens, and has given out tokens that are still valid."""
    return (settings.ENVIRONMENT.server_url, *(url.rstrip("/") for url in settings.ENVIRONMENT.former_urls))


def issue(
    account: Account, *, audiences: Sequence[str], now: datetime, expires_at: datetime, secret: Reference | None = None
) -> str:
    """Return a new token of an account, which is meant for audiences and ends with a secret where one is given."""
    began = int(now.timestamp())
    claims = Claims(
        iss=issuers()[0], sub=account.username, aud=list(audiences), iat=began, nbf=began,
        exp=int(expires_at.timestamp()), jti=meta.new_uid(),
        binding=Binding(account.namespace, Reference(account.name, account.uid), secret),
    )  # fmt: skip
    token = _signed(claims, now=now, expires_at=expires_at)
    if secret is not None:
        # The deletion of a secret looks here for tokens that end with it, and most secrets have none.
        Token.objects.create(
            hash=tokens.hash_of(token), username=account.username, uid=account.uid, audiences=list(audiences),
            bound_uid=secret.uid, description="signed, kept for its bond", created_at=now, expires_at=expires_at,
        )  # fmt: skip
    return token


def issue_for_secret(account: Account, secret: str, *, now: datetime) -> str:
    """Return the token without an end that a secret of an account is to hold."""
    claims = SecretClaims(
        SECRET_ISSUER, account.username, meta.new_uid(), account.namespace, secret, account.name, account.uid
    )
    return _signed(claims, now=now, expires_at=None)


def _signed(claims: msgspec.Struct, *, now: datetime, expires_at: datetime | None) -> str:
    signer = signingkeys.signer(now=now)
    signingkeys.cover(signer, expires_at)
    content: dict[str, Any] = msgspec.to_builtins(claims)
    return jwt.encode(content, signer.private_key, algorithm=signer.algorithm, headers={"kid": signer.kid})


def uid_of(namespace: str, name: str) -> str:
    """Return the uid of a service account; empty when there is none of that name."""
    with connection.cursor() as cursor:
        cursor.execute(UIDS, [ACCOUNTS, namespace, name, SECRETS, namespace, ""])
        return str(dict(cursor.fetchall()).get(ACCOUNTS, ""))


def recognise(token: str, *, counter: int) -> Known | None:
    """Return what a token of an account says, expired or not; None when it is none of ours or has lost its ground.

    `counter` is the present value of the counter of tokens.
    """
    if len(token) > LONGEST or not signatures.looks_signed(token):
        return None
    wanted = tokens.hash_of(token)
    remembered = memory.at(counter)
    known = remembered.get(wanted)
    if known is None:
        known = _verified(token, counter=counter)
        if known is not None:
            remembered[wanted] = known
    return known


def _verified(token: str, *, counter: int) -> Known | None:
    pretended = signatures.pretence(token)
    if pretended is None or pretended.issuer not in (*issuers(), SECRET_ISSUER):
        return None
    algorithm, key = signingkeys.memory.at(counter).get(pretended.key_id, ("", None))
    if key is None or algorithm != pretended.algorithm:
        return None
    claims = signatures.verified(token, key, algorithm=algorithm)
    if claims is None or not signatures.has_begun(claims, now=meta.now()):
        return None
    try:
        if pretended.issuer == SECRET_ISSUER:
            return _in_secret(token, msgspec.convert(claims, SecretClaims))
        return _bound(msgspec.convert(claims, Claims))
    except msgspec.ValidationError:
        return None


def _bound(claims: Claims) -> Known | None:
    """Return what a token says whose account and secret are still those that it names."""
    binding = claims.binding
    account = Account(binding.namespace, binding.serviceaccount.name, binding.serviceaccount.uid)
    expires_at = signatures.moment(claims.exp)
    if claims.sub != account.username or expires_at is None:
        return None
    secret = binding.secret or Reference("", "")
    with connection.cursor() as cursor:
        cursor.execute(UIDS, [ACCOUNTS, account.namespace, account.name, SECRETS, account.namespace, secret.name])
        uids = dict(cursor.fetchall())
    if uids.get(ACCOUNTS) != account.uid or (binding.secret is not None and uids.get(SECRETS) != secret.uid):
        return None
    return Known(_actor(account, claims.jti), expires_at, meant_for(claims.aud))


def _in_secret(token: str, claims: SecretClaims) -> Known | None:
    """Return what the token in a secret says, as long as the secret holds it."""
    account = Account(claims.namespace, claims.account, claims.uid)
    with connection.cursor() as cursor:
        cursor.execute(HELD, [claims.secret, account.namespace, account.name])
        row = cursor.fetchone()
    if row is None or row[0] != account.uid or claims.sub != account.username:
        return None
    text = sealing.unseal(row[1], key=SECRETS, namespace=account.namespace, name=claims.secret)
    if not hmac.compare_digest(_kept_token(text).encode(), token.encode()):
        return None
    return Known(_actor(account, claims.jti), None, (*issuers(), tokens.AUDIENCE))


def _kept_token(document: str) -> str:
    data = msgspec.json.decode(document).get("data") or {}
    try:
        return base64.b64decode(data.get("token", "")).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def meant_for(audiences: Sequence[str]) -> tuple[str, ...]:
    """Return the audiences of a token, with the name of this server's own when one of its URLs is among them."""
    ours = set(issuers())
    return (*audiences, tokens.AUDIENCE) if ours & set(audiences) else tuple(audiences)


def _actor(account: Account, token_id: str) -> Actor:
    username = account.username
    extra = {CREDENTIAL_ID: (f"JTI={token_id}",)}
    return Actor(username, with_login_group(username, account_groups(username)), account.uid, extra)
