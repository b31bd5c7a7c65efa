"""The wire types of the cluster's image configuration (`config.openshift.io/v1`, `operator.openshift.io/v1alpha1`)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from registry_meta.kube.meta import COUNTS_EMPTY, KubeObject, KubeStruct, always

# `always` returns the default's descriptor, typed as object; each use below is assigned to a typed field.
# mypy: disable-error-code="assignment"

GROUP = "config.openshift.io"
VERSION = "v1"
OPERATOR_GROUP = "operator.openshift.io"
OPERATOR_VERSION = "v1alpha1"

CLUSTER = "cluster"
"""The name of the one Image of the configuration that counts."""

NEVER = "NeverContactSource"
ALLOW = "AllowContactingSource"
POLICIES = (NEVER, ALLOW)


class ImageDigestMirrors(KubeStruct):
    """Where else the images of a source may be pulled by digest."""

    source: str = always("")
    mirrors: list[str] | None = None
    mirror_source_policy: str = ""


class ImageTagMirrors(KubeStruct):
    """Where else the images of a source may be pulled by tag."""

    source: str = always("")
    mirrors: list[str] | None = None
    mirror_source_policy: str = ""


class RepositoryDigestMirrors(KubeStruct):
    """Where else the images of a source may be pulled by digest, in the older kind."""

    source: str = always("")
    mirrors: list[str] | None = None


class ImageDigestMirrorSetSpec(KubeStruct):
    """Sources with their mirrors."""

    image_digest_mirrors: list[ImageDigestMirrors] | None = None


class ImageTagMirrorSetSpec(KubeStruct):
    """Sources with their mirrors."""

    image_tag_mirrors: list[ImageTagMirrors] | None = None


class ImageContentSourcePolicySpec(KubeStruct):
    """Sources with their mirrors."""

    repository_digest_mirrors: list[RepositoryDigestMirrors] | None = None


class MirrorSetStatus(KubeStruct):
    """The status of a set of mirrors, which has nothing to say."""


class ImageDigestMirrorSet(KubeObject):
    """Mirrors of registries and repositories, for images that are named by digest."""

    spec: ImageDigestMirrorSetSpec | None = None
    status: MirrorSetStatus | None = None


class ImageTagMirrorSet(KubeObject):
    """Mirrors of registries and repositories, for images that are named by tag."""

    spec: ImageTagMirrorSetSpec | None = None
    status: MirrorSetStatus | None = None


class ImageContentSourcePolicy(KubeObject):
    """Mirrors for images that are named by digest; ImageDigestMirrorSet says the same and more."""

    spec: ImageContentSourcePolicySpec | None = None


class RegistryLocation(KubeStruct):
    """A registry that users may import from."""

    domain_name: str = always("")
    insecure: bool = False


class ConfigMapNameReference(KubeStruct):
    """The name of a ConfigMap in the namespace openshift-config."""

    name: str = always("")


class RegistrySources(KubeStruct):
    """How single registries are treated."""

    insecure_registries: list[str] | None = None
    blocked_registries: list[str] | None = None
    allowed_registries: list[str] | None = None
    container_runtime_search_registries: Annotated[list[str] | None, COUNTS_EMPTY] = None


class ImageSpec(KubeStruct):
    """What the cluster wants of images."""

    allowed_registries_for_import: list[RegistryLocation] | None = None
    external_registry_hostnames: list[str] | None = None
    additional_trusted_ca: ConfigMapNameReference | None = msgspec.field(default=None, name="additionalTrustedCA")
    registry_sources: RegistrySources | None = None
    image_stream_import_mode: str = ""


class ImageStatus(KubeStruct):
    """What the operators of the cluster found of its registry."""

    internal_registry_hostname: str = ""
    external_registry_hostnames: list[str] | None = None
    image_stream_import_mode: str = ""


class Image(KubeObject):
    """The configuration of everything that has to do with images; the one named `cluster` counts."""

    spec: ImageSpec | None = None
    status: ImageStatus | None = None
