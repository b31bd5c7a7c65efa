from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest

from imagestreams import formats
from imagestreams.formats import Descriptor, ManifestError, OCIIndex, OCIManifest, Schema1, Schema2
from tests.imagestreams.builders import digest


def _json(**values: object) -> bytes:
    return json.dumps(values).encode()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(body: Mapping[str, object], *, protected: Mapping[str, object] | None = None) -> tuple[bytes, bytes]:
    """Return a schema 1 manifest with a signature of its form, and the payload that the signature covers."""
    start = json.dumps(body, indent=3)[:-2]
    header = {"formatLength": len(start), "formatTail": _text(b"\n}"), "time": "2026-01-02T03:04:05Z"}
    signature = {"protected": _text(json.dumps(header if protected is None else protected).encode())}
    return f'{start},\n   "signatures": {json.dumps([signature])}\n}}'.encode(), f"{start}\n}}".encode()


CONFIG = {"mediaType": formats.DOCKER_CONFIG, "size": 2, "digest": digest("c")}
LAYER = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 7, "digest": digest("1")}


@pytest.mark.parametrize("header", [formats.SCHEMA2, formats.SCHEMA2 + "; charset=utf-8", formats.SCHEMA2.upper()])
def test_a_docker_manifest_is_read(header: str) -> None:
    body = _json(schemaVersion=2, mediaType=formats.SCHEMA2, config=CONFIG, layers=[LAYER])

    manifest = formats.parse(header, body)

    assert isinstance(manifest, Schema2)
    assert manifest.digest == formats.sha256(body)
    assert manifest.config.digest == digest("c")
    assert manifest.layers == (Descriptor(digest("1"), 7, str(LAYER["mediaType"])),)


def test_an_oci_manifest_need_not_name_its_type() -> None:
    manifest = formats.parse(formats.OCI_MANIFEST, _json(schemaVersion=2, config=CONFIG, layers=[]))

    assert isinstance(manifest, OCIManifest)
    assert manifest.media_type == formats.OCI_MANIFEST


def test_an_index_names_platforms() -> None:
    member = {**LAYER, "platform": {"architecture": "arm", "os": "linux", "variant": "v7", "os.version": "1"}}

    index = formats.parse(formats.OCI_INDEX, _json(schemaVersion=2, manifests=[member, LAYER]))

    assert isinstance(index, OCIIndex)
    platforms = [(each.architecture, each.os, each.variant) for each in index.members]
    assert platforms == [("arm", "linux", "v7"), ("", "", "")]


@pytest.mark.parametrize("header", [formats.SCHEMA1_SIGNED, "application/json", "", "text/html"])
def test_a_signed_manifest_is_named_by_what_is_signed(header: str) -> None:
    body, payload = signed(
        {"schemaVersion": 1, "fsLayers": [{"blobSum": digest("1")}], "history": [{"v1Compatibility": "{}"}]}
    )

    manifest = formats.parse(header, body)

    assert isinstance(manifest, Schema1)
    assert (manifest.digest, manifest.body) == (formats.sha256(payload), body)
    assert (manifest.layers, manifest.history) == ((digest("1"),), ("{}",))


OTHER = "application/x-other"


@pytest.mark.parametrize(
    ("header", "body", "words"),
    [
        (formats.SCHEMA2, _json(mediaType=OTHER), f"mediaType in manifest should be '{formats.SCHEMA2}' not '{OTHER}'"),
        (formats.SCHEMA2, _json(), f"mediaType in manifest should be '{formats.SCHEMA2}' not ''"),
        (
            formats.DOCKER_LIST,
            _json(mediaType=OTHER),
            f"mediaType in manifest list should be '{formats.DOCKER_LIST}' not '{OTHER}'",
        ),
        (formats.OCI_MANIFEST, _json(manifests=[]), "ocimanifest: expected manifest but found index"),
        (
            formats.OCI_MANIFEST,
            _json(mediaType=OTHER),
            f"if present, mediaType in manifest should be '{formats.OCI_MANIFEST}' not '{OTHER}'",
        ),
        (formats.OCI_INDEX, _json(layers=[]), "index: expected index but found manifest"),
        (
            formats.OCI_INDEX,
            _json(mediaType=OTHER),
            f"if present, mediaType in image index should be '{formats.OCI_INDEX}' not '{OTHER}'",
        ),
        (formats.SCHEMA1_SIGNED, _json(schemaVersion=1), "missing signature key"),
        (formats.SCHEMA1_SIGNED, b"<html>", "error unmarshalling content: "),
        (formats.SCHEMA1_SIGNED, b"[]", "error unmarshalling content: "),
        (formats.SCHEMA1_SIGNED, b'{"a":' * 100_000, "error unmarshalling content: "),
        (formats.SCHEMA1_SIGNED, signed({"a": 1}, protected={"formatTail": "e30"})[0], "missing formatted length"),
        (formats.SCHEMA1_SIGNED, signed({"a": 1}, protected={"formatLength": 9999})[0], "invalid formatted length"),
    ],
)
def test_what_is_no_manifest_is_refused(header: str, body: bytes, words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        formats.parse(header, body)

    assert str(caught.value).startswith(words)


ARM64 = Descriptor("1", 1, "", "arm64", "linux")
AMD64 = Descriptor("2", 1, "", "amd64", "linux")
S390X = Descriptor("3", 1, "", "s390x", "linux")


@pytest.mark.parametrize(
    ("members", "wanted", "chosen"),
    [
        ([ARM64, AMD64, S390X], ("s390x", "linux"), S390X),
        ([ARM64, AMD64, S390X], ("ppc64le", "linux"), AMD64),
        ([ARM64, AMD64], ("arm64", "windows"), AMD64),
        ([ARM64, S390X], ("ppc64le", "linux"), ARM64),
    ],
)
def test_a_platform_is_chosen(members: list[Descriptor], wanted: tuple[str, str], chosen: Descriptor) -> None:
    assert formats.choose_platform(members, *wanted) is chosen


def test_of_nothing_nothing_is_chosen() -> None:
    with pytest.raises(ManifestError, match="no manifests in manifest list"):
        formats.choose_platform([], "amd64", "linux")
