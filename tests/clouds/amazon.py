"""Amazon's services: ECR, STS and the metadata of a machine. Signatures are computed anew by Amazon's own library."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import jwt
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.registries import Reply, Request, StandIn

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([a-z0-9-]+)/([a-z-]+)/aws4_request,"
    r" SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
PATIENCE = timedelta(minutes=5)
TARGETS = {
    "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken": "ecr",
    "SpencerFrontendService.GetAuthorizationToken": "ecr-public",
}
ROLE = "arn:aws:iam::123456789012:role/puller"
METADATA_ROLE = "machine-role"


@dataclass(slots=True)
class Account:
    """A key that Amazon knows: its secret, and for the key of a session its token and its end."""

    secret: str
    token: str = ""
    ends: datetime | None = None


class Refused(Exception):
    """An error of Amazon: a status, a code and words."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(code)
        self.status, self.code, self.words = status, code, words


@dataclass(slots=True)
class Amazon:
    """What Amazon knows and gives; `user` and the newest of `passwords` is who may pull."""

    accounts: dict[str, Account] = field(default_factory=dict)
    user: str = "AWS"
    life: timedelta = timedelta(hours=12)
    external_id: str = ""
    cluster_key: rsa.RSAPublicKey | None = None
    passwords: list[str] = field(default_factory=list)
    next_password: Callable[[int], str] = "password-{}".format
    trouble: Reply | None = None
    regions: list[str] = field(default_factory=list)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    is_secure: bool = False

    def served(self, tls: tuple[Path, Path] | None = None) -> StandIn:
        """Return the server of all services."""
        self.is_secure = tls is not None
        return StandIn(self.answer, tls=tls)

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        if self.trouble is not None:
            return self.trouble
        if request.path.startswith("/latest/") or request.path == "/container":
            return self._metadata(request)
        is_json = "x-amz-target" in request.headers
        try:
            return self._ecr(request) if is_json else self._sts(request)
        except Refused as error:
            return _in_json(error) if is_json else _in_xml(error)

    # --- who asks

    def _signer(self, request: Request, service: str) -> str:
        """Return the region that a request was signed for, which is proved by computing the signature anew."""
        found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if not found:
            raise Refused(400, "MissingAuthenticationToken", "Missing Authentication Token")
        access, day, region, named, names, signature = found.groups()
        account = self.accounts.get(access)
        if account is None or request.headers.get("x-amz-security-token", "") != account.token:
            raise Refused(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
        moment = request.headers["x-amz-date"]
        made = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(made - self.now()) > PATIENCE:
            words = f"Signature expired: {moment} is now earlier than {self.now() - PATIENCE:%Y%m%dT%H%M%SZ} (15 min.)"
            raise Refused(400, "InvalidSignatureException", words)
        assert {"host", "x-amz-date"} <= set(names.split(";"))
        assert "x-amz-security-token" in names.split(";") or not account.token
        headers = {name: request.headers[name] for name in names.split(";")}
        scheme = "https" if self.is_secure else "http"
        signed = AWSRequest(request.method, f"{scheme}://{headers['host']}{request.path}", headers, request.body)
        signed.context["timestamp"] = moment
        auth = SigV4Auth(Credentials(access, account.secret), service, region)
        expected = auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
        if signature != expected or named != service or day != moment[:8]:
            words = (
                "The request signature we calculated does not match the signature you provided.\n\n"
                f"The Canonical String for this request should have been\n{auth.canonical_request(signed)}"
            )
            raise Refused(400, "InvalidSignatureException", words)
        if account.ends and account.ends <= self.now():
            raise Refused(400, "ExpiredTokenException", "The security token included in the request is expired")
        return region

    # --- services

    def _ecr(self, request: Request) -> Reply:
        service = TARGETS[request.headers["x-amz-target"]]
        assert (request.method, request.path) == ("POST", "/")
        assert request.headers["content-type"] == "application/x-amz-json-1.1"
        assert json.loads(request.body) == {}
        self.regions.append(f"{service} {self._signer(request, service)}")
        self.passwords.append(self.next_password(len(self.passwords) + 1))
        token = base64.b64encode(f"{self.user}:{self.passwords[-1]}".encode()).decode()
        data = {"authorizationToken": token, "expiresAt": (self.now() + self.life).timestamp()}
        return Reply(200, json.dumps({"authorizationData": data if service == "ecr-public" else [data]}))

    def _sts(self, request: Request) -> Reply:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        assert fields["Version"] == "2011-06-15"
        if fields["Action"] == "AssumeRole":
            self.regions.append(f"sts {self._signer(request, 'sts')}")
            if fields["RoleArn"] != ROLE or fields.get("ExternalId", "") != self.external_id:
                raise Refused(403, "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on {ROLE}")
        else:
            self._check_web_identity(fields)
        assert re.fullmatch(r"[\w+=,.@-]{2,64}", fields["RoleSessionName"])
        access, account = self._session()
        action = fields["Action"]
        credentials = (
            f"<AccessKeyId>{access}</AccessKeyId><SecretAccessKey>{account.secret}</SecretAccessKey>"
            f"<SessionToken>{account.token}</SessionToken><Expiration>{account.ends:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        )
        body = f"<{action}Response><{action}Result><Credentials>{credentials}</Credentials></{action}Result>"
        return Reply(200, f"{body}</{action}Response>", {"Content-Type": "text/xml"})

    def _check_web_identity(self, fields: dict[str, str]) -> None:
        assert fields["Action"] == "AssumeRoleWithWebIdentity"
        assert self.cluster_key is not None
        try:
            jwt.decode(fields["WebIdentityToken"], self.cluster_key, algorithms=["RS256"], audience="sts.amazonaws.com")
        except jwt.PyJWTError as error:
            words = f"Couldn't verify {fields['WebIdentityToken']}"
            raise Refused(400, "InvalidIdentityToken", words) from error
        if fields["RoleArn"] != ROLE:
            raise Refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")

    def _session(self) -> tuple[str, Account]:
        number = len(self.accounts)
        account = Account(f"session-secret-{number}", f"session-token/{number}+==", self.now() + timedelta(hours=1))
        self.accounts[f"ASIASESSION{number}"] = account
        return f"ASIASESSION{number}", account

    def _metadata(self, request: Request) -> Reply:
        if request.path == "/container":
            if request.headers.get("authorization") != "container-token":
                return Reply(401, "")
        elif request.path == "/latest/api/token":
            is_right = request.method == "PUT" and "x-aws-ec2-metadata-token-ttl-seconds" in request.headers
            return Reply(200, "metadata-token") if is_right else Reply(405)
        elif request.headers.get("x-aws-ec2-metadata-token") != "metadata-token":
            return Reply(401, "")
        elif request.path == "/latest/meta-data/iam/security-credentials/":
            return Reply(200, METADATA_ROLE)
        elif request.path != f"/latest/meta-data/iam/security-credentials/{METADATA_ROLE}":
            return Reply(404)
        access, account = self._session()
        keys = {"AccessKeyId": access, "SecretAccessKey": account.secret, "Token": account.token, "Code": "Success"}
        return Reply(200, json.dumps(keys))


def _in_json(error: Refused) -> Reply:
    return Reply(error.status, json.dumps({"__type": error.code, "message": error.words}))


def _in_xml(error: Refused) -> Reply:
    text = f"<Error><Type>Sender</Type><Code>{error.code}</Code><Message>{error.words}</Message></Error>"
    return Reply(error.status, f"<ErrorResponse>{text}</ErrorResponse>", {"Content-Type": "text/xml"})
