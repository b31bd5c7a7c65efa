"""Keys of AWS: those of a Secret, or what this server is there; and roles assumed with them (AWS STS 2011-06-15)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from imagestreams.minting.exchange import FORM, Ask, Exchange, element, fields_of, form, text_in
from imagestreams.minting.identities import AwsKeys
from imagestreams.minting.signature import Keys, Scope, sign
from imagestreams.upstream.answers import Answer
from imagestreams.upstream.errors import TOKEN, Malformed, Unauthorized
from imagestreams.upstream.values import Deadline

VERSION = "2011-06-15"
SESSION = "registry-meta"
WHO = "AWS STS"
METADATA = "the metadata service of AWS"
METADATA_URL = "http://169.254.169.254"
CONTAINER_URL = "http://169.254.170.2"
NEAR = frozenset({"localhost", "127.0.0.1", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
"""The hosts that a container may ask for its credentials without encryption."""

MOST_FILE_BYTES = 64 * 1024


class Source(Protocol):
    """Gives keys of AWS; raises UpstreamError."""

    region: str
    """The region of registries whose name says none; empty when that is not known."""

    def keys(self, region: str, *, deadline: Deadline) -> Keys:
        """Return keys that count now, made with the help of a region."""


def suffix_of(region: str) -> str:
    """Return the domain of the services of a region."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


class Given:
    """The keys of a Secret, or of the role that is assumed with them."""

    def __init__(self, identity: AwsKeys, exchange: Exchange) -> None:
        self._identity = identity
        self._exchange = exchange
        self.region = identity.region

    def keys(self, region: str, *, deadline: Deadline) -> Keys:
        """Return the keys."""
        identity = self._identity
        own = Keys(identity.access_key, identity.secret_key, identity.session_token)
        if not identity.role:
            return own
        return assume(own, identity, region, exchange=self._exchange, deadline=deadline)


class Surroundings:
    """What this server is to AWS, by the variables that all programs of AWS read, in the order that they have there.

    keys ─ token of a cluster (`AWS_WEB_IDENTITY_TOKEN_FILE`) ─ service of the container ─ service of the machine; the
    last two only where `metadata` allows them.
    """

    def __init__(self, environ: Mapping[str, str], exchange: Exchange, *, metadata: bool) -> None:
        self._environ = environ
        self._exchange = exchange
        self._metadata = metadata
        self.region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""

    def keys(self, region: str, *, deadline: Deadline) -> Keys:
        """Return the keys of the first way that there is."""
        environ = self._environ
        access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if access and secret:
            return Keys(access, secret, environ.get("AWS_SESSION_TOKEN", ""))
        if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environ.get("AWS_ROLE_ARN"):
            return self._of_cluster(region, deadline)
        if not self._metadata:
            raise Unauthorized("this server has no identity at AWS", answered_by=TOKEN)
        address = self._container()
        return self._of_container(address, deadline) if address else self._of_machine(deadline)

    def _of_cluster(self, region: str, deadline: Deadline) -> Keys:
        token = content(self._environ["AWS_WEB_IDENTITY_TOKEN_FILE"], what="AWS_WEB_IDENTITY_TOKEN_FILE")
        fields = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": VERSION,
            "RoleArn": self._environ["AWS_ROLE_ARN"],
            "RoleSessionName": self._environ.get("AWS_ROLE_SESSION_NAME") or SESSION,
            "WebIdentityToken": token,
        }
        endpoint = self._exchange.endpoint("sts", f"https://sts.{region}.{suffix_of(region)}/")
        ask = Ask(WHO, endpoint.url, headers=FORM, body=form(fields), hide=(token,), is_ours=endpoint.is_ours)
        return _session(self._exchange.send(ask, deadline=deadline))

    def _container(self) -> str:
        """Return the address of the service of the container, empty for none; raises Unauthorized."""
        relative = self._environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        if relative:
            return f"{CONTAINER_URL}/{relative.lstrip('/')}"
        address = self._environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        if address and not address.startswith("https://") and urlsplit(address).hostname not in NEAR:
            raise Unauthorized("AWS_CONTAINER_CREDENTIALS_FULL_URI is not encrypted", answered_by=TOKEN)
        return address

    def _of_container(self, address: str, deadline: Deadline) -> Keys:
        token = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        path = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if path:
            token = content(path, what="AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        ask = Ask(METADATA, address, "GET", authorization=token, hide=(token,), is_ours=True)
        return _keys_in(self._exchange.send(ask, deadline=deadline))

    def _of_machine(self, deadline: Deadline) -> Keys:
        """Return the keys of the role of the machine (instance metadata service, version 2)."""
        base = self._exchange.endpoint("aws-metadata", METADATA_URL).url.rstrip("/")
        life = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        ask = Ask(METADATA, f"{base}/latest/api/token", "PUT", headers=life, body=b"", is_ours=True)
        token = _word(self._exchange.send(ask, deadline=deadline))
        headers = {"X-aws-ec2-metadata-token": token}
        roles = f"{base}/latest/meta-data/iam/security-credentials/"
        ask = Ask(METADATA, roles, "GET", headers=headers, hide=(token,), is_ours=True)
        role = _word(self._exchange.send(ask, deadline=deadline))
        ask = Ask(METADATA, roles + role, "GET", headers=headers, hide=(token,), is_ours=True)
        return _keys_in(self._exchange.send(ask, deadline=deadline))


def assume(keys: Keys, identity: AwsKeys, region: str, *, exchange: Exchange, deadline: Deadline) -> Keys:
    """Return the keys of a session of the role that an identity names."""
    endpoint = exchange.endpoint("sts", f"https://sts.{region}.{suffix_of(region)}/")
    fields = {
        "Action": "AssumeRole",
        "Version": VERSION,
        "RoleArn": identity.role,
        "RoleSessionName": SESSION,
        "ExternalId": identity.external_id,
    }
    body = form(fields)
    signed = sign(
        "POST", endpoint.url, FORM, body, keys=keys, scope=Scope(region, "sts"), now=exchange.now()
    )  # fmt: skip
    ask = Ask(
        WHO, endpoint.url, headers={**FORM, **signed.headers}, body=body, authorization=signed.authorization,
        hide=(*keys.secrets(), *filter(None, [identity.external_id])), is_ours=endpoint.is_ours,
    )  # fmt: skip
    return _session(exchange.send(ask, deadline=deadline))


def content(path: str, *, what: str) -> str:
    """Return the text of a file that a variable names; raises Unauthorized, without what is in it."""
    try:
        with Path(path).open(encoding="ascii") as file:
            text = file.read(MOST_FILE_BYTES + 1).strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no plain text"
        raise Unauthorized(f"the file of {what} cannot be read: {why}", answered_by=TOKEN) from None
    if not text or len(text) > MOST_FILE_BYTES:
        raise Unauthorized(f"the file of {what} is empty or too large", answered_by=TOKEN)
    return text


def _session(answer: Answer) -> Keys:
    """Return the keys of a session as STS answers it."""
    text = answer.body.decode(errors="replace")
    found = [element(text, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    if not all(found):
        raise Malformed(f"{WHO}: the answer holds no credentials", answered_by=TOKEN)
    return Keys(*found)


def _keys_in(answer: Answer) -> Keys:
    fields = fields_of(answer, who=METADATA)
    return Keys(*(text_in(fields, name, who=METADATA) for name in ("AccessKeyId", "SecretAccessKey", "Token")))


def _word(answer: Answer) -> str:
    """Return the one word that is the whole answer; raises Malformed."""
    text = answer.body.decode(errors="replace").strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise Malformed(f"{METADATA}: the answer is not one word", answered_by=TOKEN)
    return text
