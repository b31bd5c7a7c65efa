"""Media types and digests of manifests (OCI image specification, docker image manifests V2 schema 1 and 2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re

from imagestreams.upstream.errors import IntegrityError, Malformed

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

CONTENT_ADDRESSED = frozenset({SCHEMA2, MANIFEST_LIST, OCI_MANIFEST, OCI_INDEX})
"""The types whose digest is that of all their bytes; everything else is taken for schema 1."""

ACCEPT = ", ".join((SCHEMA2, MANIFEST_LIST, OCI_MANIFEST, OCI_INDEX, SCHEMA1, "application/json"))

_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


def media_type(header: str) -> str:
    """Return the media type of a `Content-Type` header without its parameters; raises Malformed."""
    bare = header.partition(";")[0].strip().lower()
    if bare and not _MEDIA_TYPE.fullmatch(bare):
        raise Malformed("mime: the Content-Type of the manifest is malformed")
    return bare


def is_digest(reference: str) -> bool:
    """Return whether a reference names content by its digest; a tag has no colon."""
    return ":" in reference


def digest(data: bytes, *, algorithm: str = "sha256") -> str:
    """Return the digest of bytes, as `sha256:…`."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def check_digest(text: str) -> None:
    """Raise Malformed unless a text is a digest that can be verified here."""
    algorithm, _, encoded = text.partition(":")
    if algorithm not in _LENGTHS:
        raise Malformed("unsupported digest algorithm")
    if not _HEXADECIMAL.fullmatch(encoded):
        raise Malformed("invalid checksum digest format")
    if len(encoded) != _LENGTHS[algorithm]:
        raise Malformed("invalid checksum digest length")


def verify(expected: str, data: bytes, *, what: str) -> None:
    """Raise IntegrityError unless bytes have a digest; `what` names them, as `manifest` or `blob`."""
    found = digest(data, algorithm=expected.partition(":")[0])
    if found != expected:
        raise IntegrityError(
            f"content integrity error: the {what} retrieved with digest {expected} does not match the digest "
            f"calculated from the content {found}"
        )


def is_of_type(kind: str, body: bytes) -> bool:
    """Return whether a manifest says itself that it is of the type that it came with."""
    try:
        return kind in CONTENT_ADDRESSED and json.loads(body)["mediaType"] == kind
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def addressed_bytes(kind: str, body: bytes) -> bytes:
    """Return the bytes of a manifest that its digest is made of: of a signed schema 1, what is signed."""
    if kind in CONTENT_ADDRESSED:
        return body
    return signed_payload(body) or body


def signed_payload(body: bytes) -> bytes | None:
    """Return what the signatures of a schema 1 manifest cover, or None when it has none that can be read.

    Each signature says how much of the text is signed and what follows it there; all have to say the same. Whether
    they were made by anyone in particular is not checked.
    """
    try:
        signatures = json.loads(body)["signatures"]
        protected = [json.loads(_unpacked(signature["protected"])) for signature in signatures]
        spans = {(int(header["formatLength"]), _unpacked(header["formatTail"])) for header in protected}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if len(spans) != 1:
        return None
    ((length, tail),) = spans
    return body[:length] + tail if 0 <= length <= len(body) else None


def _unpacked(text: str) -> bytes:
    """Return the bytes of unpadded URL-safe base64; raises ValueError."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64") from error
