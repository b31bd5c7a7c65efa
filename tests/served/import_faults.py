"""The faults that a registry can have while a tag is imported, and what each is told as."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from tests import faults
from tests.conformance.registry_content import DOCKER
from tests.fault_proxy import Act, Fault

INTERNAL, NOT_FOUND, UNAUTHORIZED = "InternalError", "NotFound", "Unauthorized"
PING, MANIFESTS, BLOBS = r"^/v2/$", "/manifests/", "/blobs/"
OTHER = "sha256:" + "0" * 64
LIMITED = "toomanyrequests: .*|.*429.*|.* allows no more requests .*"
"""What is said of a registry that wants to be left alone, by itself or by whoever knows of that."""
TIMEOUT_WORDS = "(?:net/http: timeout awaiting response|context deadline exceeded.*)"
TIMEOUT = "{request}: " + TIMEOUT_WORDS
"""What is said of a registry that is silent: for once, or until there is no time for another try."""
WRONG_MANIFEST = "content integrity error: the manifest retrieved with digest .* does not match the digest .*"
TAG, MEMBER = "/manifests/latest", "/manifests/sha256:"


class Way(Enum):
    """How the registry is reached: open, over TLS by an authority that is trusted, or with a token of a service."""

    OPEN = "open"
    TLS = "tls"
    TOKEN = "token"
    PASSWORD = "password"


class Trick(Enum):
    """What is done to the connection as a whole."""

    REFUSED = "refused"
    EXPIRED = "expired"
    WRONG_HOST = "wrong host"
    STRANGER = "stranger"
    NO_TLS = "no tls"


@dataclass(frozen=True)
class Case:
    """A fault, and what it is told as.

    `text` is a pattern for what follows the name of the image, or for all of the message of an `Unauthorized` in other
    words. A `lasting` fault is one after which a user acts; after the others the tag moves by itself. `move` is where
    the tag is imported from once the fault is there, `HOST` standing for another name of the same registry; empty for
    the same place as before.
    """

    name: str
    fault: Fault | Trick
    reason: str = INTERNAL
    text: str = ""
    lasting: bool = False
    way: Way = Way.OPEN
    kind: str = "thin"
    of_member: bool = False
    move: str = ""

    def message(self, repository: str) -> re.Pattern[str]:
        """Return a pattern for the message of the condition, for a repository with its host."""
        suffix = "@sha256:[0-9a-f]{64}" if self.of_member else ":latest"
        name = re.escape(repository) + suffix
        if self.reason == NOT_FOUND:
            return re.compile(f'dockerimage.image.openshift.io "{name}" not found')
        if self.reason == UNAUTHORIZED:
            return re.compile(self.text.format(name=name) or f'you may not have access to the container image "{name}"')
        return re.compile(
            f"Internal error occurred: {name}: (?:{self.text.format(request=_request(repository))})", re.DOTALL
        )


def _request(repository: str) -> str:
    """Return a pattern for how a request about a repository, or to its registry, is told."""
    host, _, path = repository.partition("/")
    return f'(?:Get|Head) "https?://{re.escape(host)}/v2/(?:{re.escape(path)}/[^"]*)?"'


def _at(where: str, *cases: tuple[str, Act, str, str]) -> list[Case]:
    """Return cases of one place from name, act, reason and text; a 4xx but 429 and what cannot be read lasts."""
    return [Case(name, Fault(act, where), reason, text) for name, act, reason, text in cases]


def _lasting(where: str, *cases: tuple[str, Act, str, str]) -> list[Case]:
    return [Case(name, Fault(act, where), reason, text, lasting=True) for name, act, reason, text in cases]


ANSWERED = [
    *_lasting(
        MANIFESTS,
        ("manifest-401", faults.refusal(401, "UNAUTHORIZED"), UNAUTHORIZED, ""),
        ("manifest-401-plain", faults.answer(401, "who are you?"), UNAUTHORIZED, ""),
        ("manifest-401-basic", faults.answer(401, "", WWW_Authenticate='Basic realm="r"'), UNAUTHORIZED, ""),
        (
            "manifest-403",
            faults.refusal(403, "DENIED", "requested access to the resource is denied"),
            INTERNAL,
            "denied.*",
        ),
        ("manifest-403-html", faults.answer(403, faults.HTML), INTERNAL, "error parsing HTTP 403 response body: .*"),
        ("manifest-404", faults.refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"), NOT_FOUND, ""),
        ("manifest-404-name", faults.refusal(404, "NAME_UNKNOWN"), INTERNAL, "name unknown.*"),
        ("manifest-404-html", faults.answer(404, faults.HTML), INTERNAL, "error parsing HTTP 404 response body: .*"),
        ("manifest-405", faults.refusal(405, "UNSUPPORTED"), INTERNAL, "unsupported.*"),
        ("manifest-501", faults.answer(501), INTERNAL, "received unexpected HTTP status: 501 Not Implemented"),
    ),
    *_at(
        MANIFESTS,
        ("manifest-429", faults.refusal(429, "TOOMANYREQUESTS"), INTERNAL, LIMITED),
        ("manifest-429-plain", faults.answer(429, "slow down"), INTERNAL, LIMITED),
        ("manifest-429-details", faults.answer(429, {"details": "slow down"}), INTERNAL, LIMITED),
        ("manifest-429-retry-after", faults.refusal(429, "TOOMANYREQUESTS", Retry_After="4"), INTERNAL, LIMITED),
        ("manifest-429-retry-after-date", faults.limited_until_later(4), INTERNAL, LIMITED),
        (
            "manifest-429-quota",
            faults.refusal(
                429, "TOOMANYREQUESTS", "You have reached your pull rate limit", RateLimit_Remaining="0;w=4"
            ),
            INTERNAL,
            LIMITED,
        ),
        ("manifest-500", faults.answer(500), INTERNAL, "received unexpected HTTP status: 500 Internal Server Error"),
        ("manifest-502", faults.answer(502), INTERNAL, "received unexpected HTTP status: 502 Bad Gateway"),
        ("manifest-503", faults.answer(503), INTERNAL, "received unexpected HTTP status: 503 Service Unavailable"),
        ("manifest-504", faults.answer(504), INTERNAL, "received unexpected HTTP status: 504 Gateway Timeout"),
        (
            "manifest-503-retry-after",
            faults.answer(503, Retry_After="4"),
            INTERNAL,
            "received unexpected HTTP status: 503 Service Unavailable",
        ),
    ),
]
"""Answers that say that something is wrong."""

BROKEN = _at(
    MANIFESTS,
    ("manifest-eof", faults.hang_up, INTERNAL, "{request}: EOF"),
    ("manifest-reset", faults.reset, INTERNAL, "{request}: (connection reset by peer|EOF)"),
    ("manifest-reset-in-body", faults.reset_in_body, INTERNAL, "{request}: (connection reset by peer|unexpected EOF)"),
    ("manifest-truncated", faults.truncate, INTERNAL, "{request}: unexpected EOF"),
    ("manifest-truncated-chunks", faults.truncate_chunks, INTERNAL, "{request}: unexpected EOF"),
    ("manifest-stall", faults.stall, INTERNAL, TIMEOUT),
    ("manifest-stall-in-body", faults.stall_in_body, INTERNAL, TIMEOUT),
    ("manifest-drip", faults.drip, INTERNAL, TIMEOUT),
)
"""Connections that end, or do not."""

UNREADABLE = [
    *_lasting(
        TAG,
        ("manifest-html", faults.answer(200, faults.HTML), INTERNAL, "error unmarshalling content: .*"),
        ("manifest-empty", faults.answer(200, "", Content_Type=DOCKER), INTERNAL, "error unmarshalling content: .*"),
        ("manifest-no-json", faults.answer(200, "{", Content_Type=DOCKER), INTERNAL, "error unmarshalling content: .*"),
        (
            "manifest-object",
            faults.answer(200, "{}", Content_Type=DOCKER),
            INTERNAL,
            "mediaType in manifest should be .*",
        ),
        (
            "manifest-other-type",
            faults.with_headers(Content_Type="application/vnd.oci.image.manifest.v1+json"),
            INTERNAL,
            "if present, mediaType in manifest should be .*",
        ),
        ("manifest-no-type", faults.with_headers(Content_Type=None), INTERNAL, "missing signature key"),
        ("manifest-bad-type", faults.with_headers(Content_Type="@"), INTERNAL, "mime: .*"),
        ("manifest-altered", faults.with_body(lambda body: body + b"\n"), INTERNAL, WRONG_MANIFEST),
        ("manifest-other-digest", faults.with_headers(Docker_Content_Digest=OTHER), INTERNAL, WRONG_MANIFEST),
        ("manifest-endless", faults.endless, INTERNAL, "{request}: the answer is larger than 4194304 bytes"),
        (
            "manifest-gzip-garbage",
            faults.with_headers(Content_Encoding="gzip"),
            INTERNAL,
            "{request}: the compressed body cannot be read",
        ),
        ("manifest-redirect-loop", faults.redirect("{path}"), INTERNAL, "{request}: stopped after 10 redirects"),
    ),
    *_lasting(
        BLOBS,
        ("config-404", faults.refusal(404, "BLOB_UNKNOWN", "blob unknown to registry"), INTERNAL, "unknown blob"),
        ("config-401", faults.refusal(401, "UNAUTHORIZED"), UNAUTHORIZED, ""),
        ("config-403", faults.refusal(403, "DENIED", "no"), INTERNAL, "denied: no"),
        ("config-wrong-digest", faults.with_body(faults.spoil), INTERNAL, "content integrity error: the blob .*"),
        ("config-html", faults.answer(200, faults.HTML), INTERNAL, "content integrity error: the blob .*"),
        ("config-endless", faults.endless, INTERNAL, "{request}: the answer is larger than 8388608 bytes"),
        ("config-redirect-loop", faults.redirect("{path}"), INTERNAL, "{request}: stopped after 10 redirects"),
        ("config-redirect-nowhere", faults.redirect("ftp://127.0.0.1/"), INTERNAL, ".*which is no HTTP URL"),
    ),
    *_at(
        BLOBS,
        ("config-429", faults.refusal(429, "TOOMANYREQUESTS", "slow down"), INTERNAL, LIMITED),
        ("config-500", faults.answer(500), INTERNAL, "received unexpected HTTP status: 500 Internal Server Error"),
        ("config-truncated", faults.truncate, INTERNAL, "{request}: unexpected EOF"),
        ("config-stall", faults.stall, INTERNAL, TIMEOUT),
    ),
    *(
        Case(name, Fault(act, MEMBER), reason, text, lasting=True, kind="index", of_member=True)
        for name, act, reason, text in (
            ("member-404", faults.refusal(404, "MANIFEST_UNKNOWN"), NOT_FOUND, ""),
            (
                "member-wrong-digest",
                faults.with_body(faults.spoil),
                INTERNAL,
                "content integrity error: the manifest .*",
            ),
        )
    ),
]
"""Answers that are not what was asked for."""

UNREACHABLE = [
    Case("refused", Trick.REFUSED, text="{request}: dial tcp .*: connect: connection refused"),
    Case(
        "no-such-host",
        Fault(faults.hang_up, "never"),
        text="{request}: dial tcp: lookup registry.invalid: (no such host|server misbehaving)",
        lasting=True,
        move="registry.invalid:5000",
    ),
    *(
        Case(name, Fault(act, PING), text=text, lasting=lasting, move="HOST")
        for name, act, text, lasting in (
            ("ping-404", faults.answer(404, faults.HTML), 'endpoint ".*" does not support v2 API .got 404.*', True),
            ("ping-429", faults.answer(429), LIMITED, False),
            ("ping-500", faults.answer(500), 'endpoint ".*" does not support v2 API .got 500.*', False),
            ("ping-eof", faults.hang_up, "{request}: EOF", False),
            ("ping-stall", faults.stall, TIMEOUT, False),
            ("ping-redirect-loop", faults.redirect("{path}"), "{request}: stopped after 10 redirects", True),
        )
    ),
    *(
        Case(f"tls-{name}", trick, text=f"{{request}}: {text}", way=Way.TLS, lasting=True)
        for name, trick, text in (
            ("expired", Trick.EXPIRED, "tls: .*x509: certificate has expired or is not yet valid"),
            ("wrong-host", Trick.WRONG_HOST, "tls: .*x509: certificate is not valid for 127.0.0.1.*"),
            ("unknown-authority", Trick.STRANGER, "tls: .*x509: certificate signed by unknown authority"),
            ("none", Trick.NO_TLS, "http: server gave HTTP response to HTTPS client"),
        )
    ),
    Case(
        "tls-redirect-in-the-clear",
        Fault(faults.redirect("http://127.0.0.1:1{path}"), BLOBS),
        text=".*which is not encrypted",
        way=Way.TLS,
        lasting=True,
    ),
]
"""Registries that cannot be reached, or are not to be trusted."""

TOKENS = [
    Case("token-refused", Trick.REFUSED, text="{request}: .*connection refused", way=Way.TOKEN),
    *(
        Case(f"token-{name}", Fault(act, "/token"), text=f"{{request}}: (?:{text})", way=Way.TOKEN, lasting=lasting)
        for name, act, text, lasting in (
            ("403", faults.answer(403, "no"), "error parsing HTTP 403 response body: .*", True),
            ("404", faults.answer(404, faults.HTML), "error parsing HTTP 404 response body: .*", True),
            ("429", faults.answer(429, {"details": "slow down"}), LIMITED, False),
            ("500", faults.answer(500), "received unexpected HTTP status: 500 Internal Server Error", False),
            ("503", faults.answer(503), "received unexpected HTTP status: 503 Service Unavailable", False),
            ("html", faults.answer(200, faults.HTML), "unable to decode token response: .*", True),
            ("empty", faults.answer(200, {}), "authorization server did not include a token in the response", True),
            ("eof", faults.hang_up, ".*: EOF", False),
            ("stall", faults.stall, ".*: " + TIMEOUT_WORDS, False),
        )
    ),
    *(
        Case(f"token-{name}", Fault(act, "/token"), UNAUTHORIZED, lasting=True, way=Way.TOKEN)
        for name, act in (
            ("expired", faults.elsewhere("/expired")),
            ("forged", faults.elsewhere("/forged")),
            ("for-nothing", faults.elsewhere("/powerless")),
        )
    ),
    Case(
        "password-refused",
        Fault(faults.refusal(401, "UNAUTHORIZED", "Invalid username or password"), "/token"),
        text="{request}: unauthorized: Invalid username or password",
        way=Way.PASSWORD,
        lasting=True,
    ),
    Case(
        "password-refused-by-docker-hub",
        Fault(faults.answer(401, {"details": "incorrect username or password"}), "/token"),
        UNAUTHORIZED,
        'incorrect username or password for image "{name}"',
        way=Way.PASSWORD,
        lasting=True,
    ),
]
"""Token services that do not give what they should."""

FLEETING = [
    Case(f"once-{name}", Fault(act, where, times=1), way=way)
    for name, act, where, way in (
        ("500", faults.answer(500), MANIFESTS, Way.OPEN),
        ("429", faults.refusal(429, "TOOMANYREQUESTS", Retry_After="1"), MANIFESTS, Way.OPEN),
        ("eof", faults.hang_up, MANIFESTS, Way.OPEN),
        ("reset-in-body", faults.reset_in_body, MANIFESTS, Way.OPEN),
        ("truncated", faults.truncate, MANIFESTS, Way.OPEN),
        ("stall", faults.stall, MANIFESTS, Way.OPEN),
        ("config-503", faults.answer(503), BLOBS, Way.OPEN),
        ("config-truncated", faults.truncate, BLOBS, Way.OPEN),
        ("token-500", faults.answer(500), "/token", Way.TOKEN),
        ("nothing", faults.hang_up, "never", Way.OPEN),
    )
]
"""Faults that are over at the next try, and none at all: nobody is told of them."""

CASES = [*ANSWERED, *BROKEN, *UNREADABLE, *UNREACHABLE, *TOKENS]
