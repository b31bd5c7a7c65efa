from __future__ import annotations

import base64
import json

import pytest

from imagestreams.upstream import media
from imagestreams.upstream.errors import IntegrityError, Malformed

DIGEST = media.digest(b"content")


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload: bytes, *, tails: tuple[bytes, ...] = (b"\n}",), length: int | None = None) -> bytes:
    head = payload.removesuffix(b"\n}")
    signatures = []
    for tail in tails:
        protected = {"formatLength": len(head) if length is None else length, "formatTail": packed(tail)}
        signatures.append({"protected": packed(json.dumps(protected).encode())})
    return head + b', "signatures": ' + json.dumps(signatures).encode() + b"\n}"


PAYLOAD = b'{\n "schemaVersion": 1\n}'


def test_the_digest_of_a_signed_manifest_is_that_of_what_is_signed() -> None:
    assert media.addressed_bytes(media.SCHEMA1, signed(PAYLOAD, tails=(b"\n}", b"\n}"))) == PAYLOAD


@pytest.mark.parametrize(
    "body",
    [
        PAYLOAD,
        b"no JSON",
        b"[1]",
        b'{"signatures": []}',
        signed(PAYLOAD, tails=(b"\n}", b"}")),
        signed(PAYLOAD, length=10_000),
        signed(PAYLOAD, length=-1),
        b'{"signatures": [{"protected": "!"}]}',
        b'{"signatures": [{"protected": 1}]}',
    ],
)
def test_signatures_that_cannot_be_read_do_not_count(body: bytes) -> None:
    assert media.addressed_bytes(media.SCHEMA1, body) == body


@pytest.mark.parametrize("kind", sorted(media.CONTENT_ADDRESSED))
def test_every_byte_of_the_other_formats_counts(kind: str) -> None:
    body = signed(PAYLOAD)

    assert media.addressed_bytes(kind, body) == body


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/json; charset=utf-8", "application/json"),
        ("", ""),
        (f" {media.OCI_INDEX.upper()} ", media.OCI_INDEX),
    ],
)
def test_parameters_are_no_part_of_a_media_type(header: str, kind: str) -> None:
    assert media.media_type(header) == kind


def test_a_malformed_media_type_is_refused() -> None:
    with pytest.raises(Malformed, match="mime"):
        media.media_type("no slash")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_content_is_verified_with_the_algorithm_of_its_digest(algorithm: str) -> None:
    digest = media.digest(b"content", algorithm=algorithm)

    media.verify(digest, b"content", what="blob")
    with pytest.raises(IntegrityError, match=f"the blob retrieved with digest {digest} does not match"):
        media.verify(digest, b"other", what="blob")


@pytest.mark.parametrize("text", ["md5:" + "0" * 32, DIGEST[:-1], DIGEST.upper(), "sha256:../../x", "sha256:", "x"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        media.check_digest(text)
