"""Images made from manifests: fetched ones, and those that arrive inside an image; the formats are in `formats`."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import datetime

from imagestreams import formats
from imagestreams.formats import (
    Descriptor,
    Document,
    Manifest,
    ManifestError,
    ManifestList,
    OCIIndex,
    OCIManifest,
    Schema1,
    Schema2,
    choose_platform,
    manifest_digest,
    parse,
)
from imagestreams.reference import PullSpec
from imagestreams.types import DockerConfig, DockerImage, Image, ImageLayer, ImageManifest
from registry_meta.kube.meta import ObjectMeta, parse_time, timestamp

__all__ = [
    "Descriptor",
    "Manifest",
    "ManifestError",
    "ManifestList",
    "OCIIndex",
    "OCIManifest",
    "Schema1",
    "Schema2",
    "choose_platform",
    "default_image",
    "fill_members",
    "fill_metadata",
    "image_from",
    "image_manifests",
    "manifest_digest",
    "normalise_layers",
    "parse",
    "total_size",
    "unsized_layers",
]

LAYER_ORDER = "image.openshift.io/dockerLayersOrder"
BLOB_STORED = "image.openshift.io/manifestBlobStored"
MANAGED = "openshift.io/image.managed"
METADATA_VERSION = "1.0"


def image_from(
    manifest: Manifest,
    *,
    source: PullSpec,
    now: datetime,
    config: bytes | None = None,
    blob_sizes: Mapping[str, int] | None = None,
) -> Image:
    """Return the image that a fetched manifest describes; raises ManifestError.

    `config` is the configuration blob of a schema 2 or OCI manifest, `blob_sizes` holds the sizes of the blobs that
    `unsized_layers` names. Manifest and configuration are kept in the image; who stores it drops them.
    """
    reference = source.at(manifest.digest).exact()
    image = Image(
        metadata=ObjectMeta(name=manifest.digest),
        docker_image_reference=reference,
        docker_image_metadata_version=METADATA_VERSION,
        docker_image_manifest_media_type=manifest.media_type,
    )
    if isinstance(manifest, ManifestList | OCIIndex):
        image.docker_image_metadata = DockerImage(id=manifest.digest, created=timestamp(now))
        image.docker_image_manifests = image_manifests(manifest.members) or None
        return image
    image.metadata.annotations = {LAYER_ORDER: "ascending"}
    image.docker_image_manifest = manifest.body.decode(errors="replace")
    if isinstance(manifest, Schema1):
        _describe_schema1(image, manifest, blob_sizes or {})
        return image
    if manifest.schema_version != 2:
        raise ManifestError(_unrecognised(manifest.schema_version, manifest.digest, reference))
    image.docker_image_layers = [_layer(layer) for layer in manifest.layers]
    image.docker_image_config = (config or b"").decode(errors="replace")
    image.docker_image_metadata = _configured(image, manifest.config.digest, len(config or b""))
    return image


def _describe_schema1(image: Image, manifest: Schema1, blob_sizes: Mapping[str, int]) -> None:
    if not manifest.history:
        raise ManifestError("image has no v1Compatibility history and cannot be used")
    name, reference = manifest.digest, image.docker_image_reference
    image.docker_image_layers = schema1_layers(manifest, name=name, reference=reference)
    _resize(image.docker_image_layers, blob_sizes)
    image.docker_image_metadata = metadata_from(_compatibility(manifest.history[0]))
    image.docker_image_metadata.size = total_size(image.docker_image_layers)


def unsized_layers(manifest: Schema1) -> list[str]:
    """Return the digests whose sizes a schema 1 manifest does not tell: all of them, or none."""
    known = sum(_compatibility(entry).integer("Size") for entry in manifest.history)
    return [] if known else list(dict.fromkeys(reversed(manifest.layers)))


def _resize(layers: list[ImageLayer], sizes: Mapping[str, int]) -> None:
    """Set the sizes that had to be asked for; a repeated layer has its size once."""
    seen: set[str] = set()
    for layer in layers:
        if layer.name in sizes and layer.name not in seen:
            layer.size = sizes[layer.name]
        seen.add(layer.name)


def schema1_layers(manifest: Schema1, *, name: str, reference: str) -> list[ImageLayer]:
    """Return the layers of a schema 1 manifest, oldest first; raises ManifestError when history does not match."""
    layers, history = manifest.layers, manifest.history
    if len(layers) != len(history):
        counts = f"({len(history)} != {len(layers)})"
        raise ManifestError(f"the image {name} ({reference}) has mismatched history and fslayer cardinality {counts}")
    return [
        ImageLayer(name=digest, size=_compatibility(text).integer("Size"), media_type=formats.SCHEMA1_LAYER)
        for digest, text in reversed(list(zip(layers, history, strict=True)))
    ]


def _compatibility(text: str) -> Document:
    """Return a v1Compatibility text as an object; one that is none tells nothing."""
    try:
        return Document.decode(text)
    except ManifestError:
        return Document({})


def _layer(descriptor: Descriptor) -> ImageLayer:
    return ImageLayer(name=descriptor.digest, size=descriptor.size, media_type=descriptor.media_type)


def image_manifests(members: Iterable[Descriptor]) -> list[ImageManifest]:
    """Return the members of a list or index as an image names them, in order."""
    return [
        ImageManifest(
            digest=member.digest,
            media_type=member.media_type,
            manifest_size=member.size,
            architecture=member.architecture,
            os=member.os,
            variant=member.variant,
        )
        for member in members
    ]


def total_size(layers: Iterable[ImageLayer], *, config_digest: str = "", config_size: int = 0) -> int:
    """Return the bytes of an image: its configuration and each distinct layer once."""
    sizes: dict[str, int] = {}
    for layer in layers:
        sizes.setdefault(layer.name, layer.size)
    sizes.pop(config_digest, None)
    return config_size + sum(sizes.values())


def _configured(image: Image, config_digest: str, config_size: int) -> DockerImage:
    """Return the metadata of a schema 2 or OCI image from its configuration; raises ManifestError."""
    if not image.docker_image_config:
        kind = image.docker_image_manifest_media_type
        raise ManifestError(f'dockerImageConfig must not be empty for manifest type "{kind}"')
    try:
        document = Document.decode(image.docker_image_config)
    except ManifestError as error:
        raise ManifestError(f"failed to parse dockerImageConfig: {error}") from error
    metadata = metadata_from(document)
    metadata.id = config_digest
    layers = image.docker_image_layers or []
    metadata.size = total_size(layers, config_digest=config_digest, config_size=config_size)
    return metadata


def metadata_from(document: Document) -> DockerImage:
    """Return image metadata from an image configuration or a v1Compatibility object."""
    config = document.document("config")
    return DockerImage(
        id=document.text("id"),
        parent=document.text("parent"),
        comment=document.text("comment"),
        created=_instant(document.text("created")),
        container=document.text("container"),
        container_config=_config(document.document("container_config") or Document({})),
        docker_version=document.text("docker_version"),
        author=document.text("author"),
        config=_config(config) if config is not None else None,
        architecture=document.text("architecture"),
        size=document.integer("size"),
    )


def _instant(text: str) -> str | None:
    """Return an RFC 3339 instant in whole seconds UTC, or None for none and for the year 1, which means none."""
    try:
        moment = parse_time(text)
    except (ValueError, OverflowError):
        return None
    return timestamp(moment) if moment.year >= 1000 else None


def _config(document: Document) -> DockerConfig:
    return DockerConfig(
        hostname=document.text("Hostname"),
        domainname=document.text("Domainname"),
        user=document.text("User"),
        memory=document.integer("Memory"),
        memory_swap=document.integer("MemorySwap"),
        cpu_shares=document.integer("CpuShares"),
        cpuset=document.text("Cpuset"),
        attach_stdin=document.flag("AttachStdin"),
        attach_stdout=document.flag("AttachStdout"),
        attach_stderr=document.flag("AttachStderr"),
        port_specs=_texts(document.get("PortSpecs")),
        exposed_ports=_names(document.get("ExposedPorts")),
        tty=document.flag("Tty"),
        open_stdin=document.flag("OpenStdin"),
        stdin_once=document.flag("StdinOnce"),
        env=_texts(document.get("Env")),
        cmd=_texts(document.get("Cmd")),
        dns=_texts(document.get("Dns")),
        image=document.text("Image"),
        volumes=_names(document.get("Volumes")),
        volumes_from=document.text("VolumesFrom"),
        working_dir=document.text("WorkingDir"),
        entrypoint=_texts(document.get("Entrypoint")),
        network_disabled=document.flag("NetworkDisabled"),
        security_opts=_texts(document.get("SecurityOpts")),
        on_build=_texts(document.get("OnBuild")),
        labels=_labels(document.get("Labels")),
    )


def _texts(value: object) -> list[str] | None:
    """Return the strings of an array; a lone string is an array of one."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] or None if isinstance(value, list) else None


def _names(value: object) -> dict[str, dict[str, object]] | None:
    """Return the keys of an object that is used as a set."""
    return {str(key): {} for key in value} or None if isinstance(value, dict) else None


def _labels(value: object) -> dict[str, str] | None:
    """Return an object of strings; numbers and booleans become their JSON text."""
    if not isinstance(value, dict):
        return None
    labels = {str(key): _label(item) for key, item in value.items() if isinstance(item, str | int | float)}
    return labels or None


def _label(value: str | int | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def default_image(image: Image) -> None:
    """Bring the metadata of an image that was sent, in place, into the one form in which they are stored."""
    image.docker_image_metadata_version = image.docker_image_metadata_version or METADATA_VERSION
    plain, metadata = DockerImage(), image.docker_image_metadata
    metadata.kind, metadata.api_version = plain.kind, plain.api_version
    metadata.created = _instant(metadata.created or "")


def fill_metadata(image: Image, *, now: datetime) -> Image:
    """Return an image that arrived with its manifest with layers, media type and metadata worked out.

    That is a copy, or the image itself when it has no manifest or tells all that already. Raises ManifestError when
    the manifest cannot be understood.
    """
    metadata, kind = image.docker_image_metadata, image.docker_image_manifest_media_type
    if not image.docker_image_manifest:
        return image
    filled = copy.deepcopy(image)
    normalise_layers(filled)
    if filled.docker_image_layers and metadata.size > 0 and kind:
        return filled
    document = Document.decode(filled.docker_image_manifest)
    version = document.integer("schemaVersion")
    if _is_list(filled, document):
        filled.docker_image_metadata = DockerImage(id=image.metadata.name, created=metadata.created or timestamp(now))
    elif version == 1:
        _fill_schema1(filled, document)
    elif version == 2:
        _fill_schema2(filled, document)
    else:
        raise ManifestError(_unrecognised(version, filled.metadata.name, filled.docker_image_reference))
    return filled


def fill_members(image: Image) -> None:
    """Set, in place, the members of an image whose manifest is a list or index; raises ManifestError."""
    if image.docker_image_manifest:
        document = Document.decode(image.docker_image_manifest)
        if _is_list(image, document):
            image.docker_image_manifests = image_manifests(formats.members(document)) or None


def _is_list(image: Image, document: Document) -> bool:
    return (document.text("mediaType") or image.docker_image_manifest_media_type) in formats.LISTS


def normalise_layers(image: Image) -> None:
    """Put, in place, the layers of an image in rising order, oldest first, and say so in its annotation."""
    if not image.docker_image_layers:
        return
    annotations = image.metadata.annotations or {}
    if annotations.get(LAYER_ORDER) == "descending":
        image.docker_image_layers.reverse()
    image.metadata.annotations = {**annotations, LAYER_ORDER: "ascending"}


def _fill_schema1(image: Image, document: Document) -> None:
    manifest = formats.schema1(document, digest=image.metadata.name, body=b"")
    name, reference = image.metadata.name, image.docker_image_reference
    if not image.docker_image_layers:
        image.docker_image_layers = schema1_layers(manifest, name=name, reference=reference)
        normalise_layers(image)
    image.docker_image_manifest_media_type = formats.SCHEMA1
    if not manifest.history:
        raise ManifestError(f"the image {name} ({reference}) has a schema 1 manifest, but it doesn't have history")
    image.docker_image_metadata = metadata_from(Document.decode(manifest.history[0]))
    image.docker_image_metadata.size = total_size(image.docker_image_layers or [])


def _fill_schema2(image: Image, document: Document) -> None:
    config, layers = formats.contents(document)
    if not image.docker_image_layers:
        image.docker_image_layers = [_layer(layer) for layer in layers]
        normalise_layers(image)
    given = image.docker_image_manifest_media_type
    image.docker_image_manifest_media_type = document.text("mediaType") or given or formats.SCHEMA2
    size = len(image.docker_image_config.encode())
    image.docker_image_metadata = _configured(image, config.digest, size)


def _unrecognised(version: int, name: str, reference: str) -> str:
    return f'unrecognized container image manifest schema {version} for "{name}" ({reference})'
