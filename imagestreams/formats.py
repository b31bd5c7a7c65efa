"""What a manifest says, in the five formats that registries serve, and the digest that names it.

Formats: docker image manifest schema 1 (signed) and schema 2, docker manifest list, OCI image manifest, OCI index.
Keys are found in any case, and a value of the wrong type counts as absent: many tools have written manifests.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
LISTS = frozenset({DOCKER_LIST, OCI_INDEX})

DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
SCHEMA1_LAYER = "application/vnd.docker.container.image.rootfs.diff+x-gtar"

_INT64 = range(-(2**63), 2**63)


class ManifestError(ValueError):
    """A manifest or image configuration that cannot be used; the message says why."""


class Document:
    """A JSON object whose keys are found in any case; a value of the wrong type reads as empty."""

    __slots__ = ("_folded", "values")

    def __init__(self, values: dict[str, object]) -> None:
        self.values = values
        self._folded = {key.lower(): value for key, value in values.items()}

    @classmethod
    def decode(cls, text: bytes | str) -> Document:
        """Return the object that a JSON text holds; raises ManifestError."""
        try:
            values = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ManifestError(f"error unmarshalling content: {error}") from error
        if not isinstance(values, dict):
            raise ManifestError("error unmarshalling content: a JSON object is expected")
        return cls(values)

    def get(self, key: str) -> object:
        """Return the value at `key`, whatever its type, or None."""
        return self.values[key] if key in self.values else self._folded.get(key.lower())

    def text(self, key: str) -> str:
        """Return the string at `key`, or an empty one."""
        value = self.get(key)
        return value if isinstance(value, str) else ""

    def integer(self, key: str) -> int:
        """Return the integer at `key`, or 0."""
        value = self.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else 0

    def flag(self, key: str) -> bool:
        """Return whether there is a `true` at `key`."""
        return self.get(key) is True

    def document(self, key: str) -> Document | None:
        """Return the object at `key`, or None."""
        value = self.get(key)
        return Document(value) if isinstance(value, dict) else None

    def documents(self, key: str) -> list[Document]:
        """Return the objects of the array at `key`."""
        value = self.get(key)
        return [Document(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob or manifest by digest; `size` is in bytes, the platform is empty when none was given."""

    digest: str
    size: int
    media_type: str
    architecture: str = ""
    os: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Schema1:
    """A docker manifest of schema 1: layers and their v1Compatibility texts, newest first in both."""

    digest: str
    body: bytes
    layers: tuple[str, ...]
    history: tuple[str, ...]
    media_type: str = SCHEMA1


@dataclass(frozen=True, slots=True)
class _Single:
    digest: str
    body: bytes
    media_type: str
    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Schema2(_Single):
    """A docker manifest of schema 2: one image, its layers oldest first."""


@dataclass(frozen=True, slots=True)
class OCIManifest(_Single):
    """An OCI image manifest: one image or artifact, its layers oldest first."""


@dataclass(frozen=True, slots=True)
class _Index:
    digest: str
    body: bytes
    media_type: str
    members: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class ManifestList(_Index):
    """A docker manifest list: one manifest for each platform."""


@dataclass(frozen=True, slots=True)
class OCIIndex(_Index):
    """An OCI image index: manifests for platforms, and whatever else builders attach."""


Manifest = Schema1 | Schema2 | OCIManifest | ManifestList | OCIIndex


def sha256(body: bytes) -> str:
    """Return the digest of some bytes, `sha256:…`."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def parse(media_type: str, body: bytes) -> Manifest:
    """Return what a registry's answer holds, by its Content-Type; raises ManifestError.

    Anything that is not one of the four newer types is taken for a signed schema 1, as registries of old send it
    under several names.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind == SCHEMA2:
        return _schema2(body)
    if kind == OCI_MANIFEST:
        return _oci_manifest(body)
    if kind == DOCKER_LIST:
        return _manifest_list(body)
    if kind == OCI_INDEX:
        return _oci_index(body)
    payload = canonical_payload(body)
    return schema1(Document.decode(payload), digest=sha256(payload), body=body)


def manifest_digest(media_type: str, body: bytes) -> str:
    """Return the digest that names a manifest; raises ManifestError when the body is no manifest of that type."""
    return parse(media_type, body).digest


def canonical_payload(body: bytes) -> bytes:
    """Return the part of a signed schema 1 manifest that its signatures cover; raises ManifestError.

    Each signature carries in its protected header how long that part is and how it ends. That they agree is checked,
    the signatures themselves are not.
    """
    signatures = Document.decode(body).documents("signatures")
    if not signatures:
        raise ManifestError("missing signature key")
    payloads = {_covered(body, signature.text("protected")) for signature in signatures}
    if len(payloads) > 1:
        raise ManifestError("conflicting signatures: they cover different payloads")
    return payloads.pop()


def _covered(body: bytes, protected: str) -> bytes:
    header = Document.decode(_base64url(protected))
    if "formatLength" not in header.values:
        raise ManifestError("missing formatted length")
    length = header.integer("formatLength")
    if not 0 < length <= len(body):
        raise ManifestError("invalid formatted length")
    if not header.text("formatTail"):
        raise ManifestError("missing formatted tail")
    return body[:length] + _base64url(header.text("formatTail"))


def _base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ManifestError("error base64 decoding protected header") from error


def schema1(document: Document, *, digest: str, body: bytes) -> Schema1:
    """Return the schema 1 manifest that a decoded payload is."""
    return Schema1(
        digest=digest,
        body=body,
        layers=tuple(layer.text("blobSum") for layer in document.documents("fsLayers")),
        history=tuple(entry.text("v1Compatibility") for entry in document.documents("history")),
    )


def _schema2(body: bytes) -> Schema2:
    document = Document.decode(body)
    stated = document.text("mediaType")
    if stated != SCHEMA2:
        raise ManifestError(f"mediaType in manifest should be '{SCHEMA2}' not '{stated}'")
    return Schema2(sha256(body), body, stated, document.integer("schemaVersion"), *contents(document))


def _oci_manifest(body: bytes) -> OCIManifest:
    document = Document.decode(body)
    stated = document.text("mediaType")
    if document.get("manifests") is not None:
        raise ManifestError("ocimanifest: expected manifest but found index")
    if stated and stated != OCI_MANIFEST:
        raise ManifestError(f"if present, mediaType in manifest should be '{OCI_MANIFEST}' not '{stated}'")
    version = document.integer("schemaVersion")
    return OCIManifest(sha256(body), body, stated or OCI_MANIFEST, version, *contents(document))


def _manifest_list(body: bytes) -> ManifestList:
    document = Document.decode(body)
    stated = document.text("mediaType")
    if stated != DOCKER_LIST:
        raise ManifestError(f"mediaType in manifest list should be '{DOCKER_LIST}' not '{stated}'")
    return ManifestList(sha256(body), body, stated, members(document))


def _oci_index(body: bytes) -> OCIIndex:
    document = Document.decode(body)
    stated = document.text("mediaType")
    if document.get("config") is not None or document.get("layers") is not None:
        raise ManifestError("index: expected index but found manifest")
    if stated and stated != OCI_INDEX:
        raise ManifestError(f"if present, mediaType in image index should be '{OCI_INDEX}' not '{stated}'")
    return OCIIndex(sha256(body), body, stated or OCI_INDEX, members(document))


def contents(document: Document) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """Return the configuration and the layers that a schema 2 or OCI manifest names."""
    config = document.document("config") or Document({})
    return _descriptor(config), tuple(_descriptor(layer) for layer in document.documents("layers"))


def members(document: Document) -> tuple[Descriptor, ...]:
    """Return the manifests that a decoded list or index names, in its order."""
    return tuple(_descriptor(member) for member in document.documents("manifests"))


def _descriptor(document: Document) -> Descriptor:
    platform = document.document("platform") or Document({})
    return Descriptor(
        digest=document.text("digest"),
        size=document.integer("size"),
        media_type=document.text("mediaType"),
        architecture=platform.text("architecture"),
        os=platform.text("os"),
        variant=platform.text("variant"),
    )


def choose_platform(members: Sequence[Descriptor], architecture: str, os: str) -> Descriptor:
    """Return the member for a platform, else that for amd64/linux, else the first; raises ManifestError if none."""
    for wanted in ((architecture, os), ("amd64", "linux")):
        for member in members:
            if (member.architecture, member.os) == wanted:
                return member
    if not members:
        raise ManifestError("no manifests in manifest list")
    return members[0]
