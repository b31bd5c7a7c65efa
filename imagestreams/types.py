"""The wire types of `image.openshift.io/v1`, field for field."""

from __future__ import annotations

from typing import Annotated

import msgspec

from registry_meta.kube.meta import (
    EMBEDDED,
    KubeObject,
    KubeStruct,
    ObjectMeta,
    ObjectReference,
    Time,
    always,
    merged_by,
)

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

Base64 = Annotated[str, msgspec.Meta(extra_json_schema={"format": "byte"})]
"""Bytes, in base64."""

GROUP = "image.openshift.io"
VERSION = "v1"


class DockerConfig(msgspec.Struct, rename="pascal", omit_defaults=True, kw_only=True):
    """How a container of an image runs; the keys are Docker's, in capitals."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpuset: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    port_specs: list[str] | None = None
    exposed_ports: dict[str, dict[str, object]] | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] | None = None
    cmd: list[str] | None = None
    dns: list[str] | None = None
    image: str = ""
    volumes: dict[str, dict[str, object]] | None = None
    volumes_from: str = ""
    working_dir: str = ""
    entrypoint: list[str] | None = None
    network_disabled: bool = False
    security_opts: list[str] | None = None
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None


class DockerImage(msgspec.Struct, rename="pascal", omit_defaults=True, kw_only=True):
    """What is known of an image from its configuration; `kind` and `apiVersion` name the embedded schema."""

    kind: str = msgspec.field(name="kind", default_factory=lambda: "DockerImage")
    api_version: str = msgspec.field(name="apiVersion", default_factory=lambda: "image.openshift.io/1.0")
    id: str = always("")
    parent: str = ""
    comment: str = ""
    created: Time | None = always(None)
    container: str = ""
    container_config: DockerConfig = msgspec.field(default_factory=lambda: DockerConfig())
    docker_version: str = ""
    author: str = ""
    config: DockerConfig | None = None
    architecture: str = ""
    size: int = 0


class ImageLayer(KubeStruct, gc=False):
    """One layer of an image; `size` is in bytes."""

    name: str = always("")
    size: int = always(0)
    media_type: str = always("")


class ImageManifest(KubeStruct):
    """One member of a manifest list or image index; `manifestSize` is in bytes."""

    digest: str = always("")
    media_type: str = always("")
    manifest_size: int = always(0)
    architecture: str = always("")
    os: str = always("")
    variant: str = ""


class SignatureCondition(KubeStruct):
    """One finding about a signature."""

    type: str = always("")
    status: str = always("")
    last_probe_time: Time | None = always(None)
    last_transition_time: Time | None = always(None)
    reason: str = ""
    message: str = ""


class SignatureIssuer(KubeStruct):
    """Who issued a signing certificate or key."""

    organization: str = ""
    common_name: str = ""


class SignatureSubject(KubeStruct):
    """Whom a signing certificate or key belongs to."""

    organization: str = ""
    common_name: str = ""
    public_key_id: str = msgspec.field(name="publicKeyID", default_factory=lambda: "")


class ImageSignature(KubeObject):
    """A signature of an image; `content` is base64."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    type: str = always("")
    content: Base64 | None = always(None)
    conditions: Annotated[list[SignatureCondition] | None, merged_by("type")] = None
    image_identity: str = ""
    signed_claims: dict[str, str] | None = None
    created: Time | None = None
    issued_by: SignatureIssuer | None = None
    issued_to: SignatureSubject | None = None


class Image(KubeObject):
    """An immutable container image, named by the digest of its manifest."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    docker_image_reference: str = ""
    docker_image_metadata: Annotated[DockerImage, EMBEDDED] = msgspec.field(default_factory=lambda: DockerImage())
    docker_image_metadata_version: str = ""
    docker_image_manifest: str = ""
    docker_image_layers: list[ImageLayer] | None = None
    signatures: Annotated[list[ImageSignature] | None, merged_by("name")] = None
    docker_image_signatures: list[Base64] | None = None
    docker_image_manifest_media_type: str = ""
    docker_image_config: str = ""
    docker_image_manifests: list[ImageManifest] | None = None


class ImageLookupPolicy(KubeStruct):
    """Whether short image names in the namespace resolve through this stream."""

    local: bool = always(False)


class TagImportPolicy(KubeStruct):
    """How the tag is imported; `importMode` is Legacy (one platform) or PreserveOriginal (the whole index)."""

    insecure: bool = False
    scheduled: bool = False
    import_mode: str = ""


class TagReferencePolicy(KubeStruct):
    """How consumers refer to the image: `Source` (where it came from) or `Local` (through this registry)."""

    type: str = always("")


class TagReference(KubeStruct):
    """One tag of a stream as it is wished: where its image comes from."""

    name: str = always("")
    annotations: dict[str, str] | None = always(None)
    from_: ObjectReference | None = msgspec.field(default=None, name="from")
    reference: bool = False
    generation: int | None = always(None)
    import_policy: TagImportPolicy = msgspec.field(default_factory=lambda: TagImportPolicy())
    reference_policy: TagReferencePolicy = msgspec.field(default_factory=lambda: TagReferencePolicy())


class ImageStreamSpec(KubeStruct):
    """The tags that a stream is wished to have."""

    lookup_policy: ImageLookupPolicy = msgspec.field(default_factory=lambda: ImageLookupPolicy())
    docker_image_repository: str = ""
    tags: Annotated[list[TagReference] | None, merged_by("name")] = None


class TagEvent(KubeStruct):
    """One moment of a tag's history: which image it pointed to since `created`."""

    created: Time | None = always(None)
    docker_image_reference: str = always("")
    image: str = always("")
    generation: int = always(0)


class TagEventCondition(KubeStruct):
    """What is the matter with a tag: `ImportSuccess`, which is only ever False, and `Held`, which is only ever True."""

    type: str = always("")
    status: str = always("")
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""
    generation: int = always(0)


class NamedTagEventList(KubeStruct):
    """The history of one tag, newest first."""

    tag: str = always("")
    items: list[TagEvent] | None = always(None)
    conditions: list[TagEventCondition] | None = None


class ImageStreamStatus(KubeStruct):
    """Where the stream's images are served, and the history of every tag."""

    docker_image_repository: str = always("")
    public_docker_image_repository: str = ""
    tags: Annotated[list[NamedTagEventList] | None, merged_by("tag")] = None


class ImageStream(KubeObject):
    """A name for a set of related images, each behind a tag with a history."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    spec: ImageStreamSpec = msgspec.field(default_factory=lambda: ImageStreamSpec())
    status: ImageStreamStatus = msgspec.field(default_factory=lambda: ImageStreamStatus())


class ImageStreamMapping(KubeObject):
    """A push: this image is now behind this tag."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    image: Image = msgspec.field(default_factory=lambda: Image())
    tag: str = always("")


class ImageStreamTag(KubeObject):
    """One tag of a stream with the image that it points to now."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    tag: TagReference | None = always(None)
    generation: int = always(0)
    lookup_policy: ImageLookupPolicy = msgspec.field(default_factory=lambda: ImageLookupPolicy())
    conditions: list[TagEventCondition] | None = None
    image: Image = msgspec.field(default_factory=lambda: Image())


class ImageTag(KubeObject):
    """One tag of a stream: its wish, its history and its image."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    spec: TagReference | None = always(None)
    status: NamedTagEventList | None = always(None)
    image: Image | None = always(None)


class ImageStreamImage(KubeObject):
    """An image as reached through a stream."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    image: Image = msgspec.field(default_factory=lambda: Image())


class ImageLayerData(KubeStruct, gc=False):
    """What is known of one blob; `size` is in bytes, null when unknown."""

    size: int | None = always(None)
    media_type: str = always("")


class ImageBlobReferences(KubeStruct):
    """The blobs that one image is made of."""

    image_missing: bool = always(False)
    layers: list[str] | None = always(None)
    config: str | None = always(None)
    manifests: list[str] | None = None


class ImageStreamLayers(KubeObject):
    """Every blob that a stream's images use."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    blobs: dict[str, ImageLayerData] = msgspec.field(default_factory=lambda: {})
    images: dict[str, ImageBlobReferences] = msgspec.field(default_factory=lambda: {})


class LocalObjectReference(KubeStruct):
    """A name in the same namespace; for imports, of a tag."""

    is_one_value = True

    name: str = ""


class RepositoryImportSpec(KubeStruct):
    """The import of a whole repository."""

    from_: ObjectReference = msgspec.field(default_factory=lambda: ObjectReference(), name="from")
    import_policy: TagImportPolicy = msgspec.field(default_factory=lambda: TagImportPolicy())
    reference_policy: TagReferencePolicy = msgspec.field(default_factory=lambda: TagReferencePolicy())
    include_manifest: bool = False


class ImageImportSpec(KubeStruct):
    """The import of one image, into the tag `to`."""

    from_: ObjectReference = msgspec.field(default_factory=lambda: ObjectReference(), name="from")
    to: LocalObjectReference | None = None
    import_policy: TagImportPolicy = msgspec.field(default_factory=lambda: TagImportPolicy())
    reference_policy: TagReferencePolicy = msgspec.field(default_factory=lambda: TagReferencePolicy())
    include_manifest: bool = False


class ImageStreamImportSpec(KubeStruct):
    """What to import; `import` false looks without writing."""

    import_: bool = msgspec.field(name="import", default_factory=lambda: False)
    repository: RepositoryImportSpec | None = None
    images: list[ImageImportSpec] | None = None


class ImageImportStatus(KubeStruct):
    """How the import of one image went; `status` is a `meta/v1.Status` object."""

    status: dict[str, object] = msgspec.field(default_factory=lambda: {})
    image: Image | None = None
    tag: str = ""
    manifests: list[Image] | None = None


class RepositoryImportStatus(KubeStruct):
    """How the import of a repository went; tags over the limit are only named."""

    status: dict[str, object] = msgspec.field(default_factory=lambda: {})
    images: list[ImageImportStatus] | None = None
    additional_tags: list[str] | None = None


class ImageStreamImportStatus(KubeStruct):
    """What an import found and wrote."""

    import_: ImageStream | None = msgspec.field(default=None, name="import")
    repository: RepositoryImportStatus | None = None
    images: list[ImageImportStatus] | None = None


class ImageStreamImport(KubeObject):
    """A request to bring images in; it is answered, not stored."""

    metadata: ObjectMeta = msgspec.field(default_factory=lambda: ObjectMeta())
    spec: ImageStreamImportSpec = msgspec.field(default_factory=lambda: ImageStreamImportSpec())
    status: ImageStreamImportStatus = msgspec.field(default_factory=lambda: ImageStreamImportStatus())
