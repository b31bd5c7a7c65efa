"""The kinds ImageDigestMirrorSet, ImageTagMirrorSet and ImageContentSourcePolicy: where else images may be pulled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from authz.api.configmaps import CONFIGURATION
from imagestreams.clustertypes import (
    ALLOW,
    GROUP,
    NEVER,
    OPERATOR_GROUP,
    OPERATOR_VERSION,
    POLICIES,
    VERSION,
    ImageContentSourcePolicy,
    ImageContentSourcePolicySpec,
    ImageDigestMirrors,
    ImageDigestMirrorSet,
    ImageDigestMirrorSetSpec,
    ImageTagMirrors,
    ImageTagMirrorSet,
    ImageTagMirrorSetSpec,
    RepositoryDigestMirrors,
)
from imagestreams.mirrors import MirrorSet
from registry_meta.kube import errors, table
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import KubeObject
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import AGE, NAME, Resource
from registry_meta.kube.strategy import Strategy

LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
HOST = rf"{LABEL}(?:(?:\.{LABEL})+)?(?::[0-9]+)?"
MIRROR = rf"^({HOST})(?:(?:/[a-z0-9]+(?:(?:(?:[._]|__|[-]*)[a-z0-9]+)+)?)+)?$"
SOURCE = rf"^\*(?:\.{LABEL})+$|{MIRROR}"
"""What mirrors and sources look like, in the words of errors."""

# The same, written so that no text takes long to be refused.
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_MIRROR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_WILDCARD = re.compile(rf"\*(?:\.{_LABEL})+")

Entry = ImageDigestMirrors | ImageTagMirrors | RepositoryDigestMirrors

T = TypeVar("T", ImageDigestMirrorSet, ImageTagMirrorSet, ImageContentSourcePolicy)


class MirrorSetStrategy(Strategy[T]):
    """What sources and mirrors must look like; `field` is the member of the spec that lists them."""

    generation = True
    unconditional_update = False
    field = ""

    def prepare_update(self, new: T, old: T, *, context: Context) -> None:
        """Count a change of what is wished."""
        if new.spec != old.spec:
            new.metadata.generation = old.metadata.generation + 1

    def validate(self, obj: T, *, context: Context) -> list[FieldError]:
        """Hold every source with its mirrors to the rules of the API."""
        if obj.spec is None:
            return [errors.required("spec")]
        return [
            problem
            for index, entry in enumerate(entries(obj))
            for problem in self.entry_problems(entry, f"spec.{self.field}[{index}]")
        ]

    def entry_problems(self, entry: Entry, path: str) -> list[FieldError]:
        """Return what is wrong with one source and its mirrors."""
        problems: list[FieldError] = []
        if not (_WILDCARD.fullmatch(entry.source) or _MIRROR.fullmatch(entry.source)):
            problems.append(_unlike(f"{path}.source", entry.source, SOURCE))
        seen: set[str] = set()
        for index, mirror in enumerate(entry.mirrors or []):
            where = f"{path}.mirrors[{index}]"
            if not _MIRROR.fullmatch(mirror):
                problems.append(_unlike(where, mirror, MIRROR))
            if mirror in seen:
                problems.append(errors.duplicate(where, mirror))
            seen.add(mirror)
        policy = getattr(entry, "mirror_source_policy", "")
        if policy and policy not in POLICIES:
            problems.append(errors.not_supported(f"{path}.mirrorSourcePolicy", policy, [NEVER, ALLOW]))
        return problems


class DigestMirrorSetStrategy(MirrorSetStrategy[ImageDigestMirrorSet]):
    """The rules of mirrors for digests."""

    untracked = ("status",)
    field = "imageDigestMirrors"


class TagMirrorSetStrategy(MirrorSetStrategy[ImageTagMirrorSet]):
    """The rules of mirrors for tags."""

    untracked = ("status",)
    field = "imageTagMirrors"


class SourcePolicyStrategy(MirrorSetStrategy[ImageContentSourcePolicy]):
    """The rules of the older kind, which demands a source and nothing more."""

    field = "repositoryDigestMirrors"

    def entry_problems(self, entry: Entry, path: str) -> list[FieldError]:
        """Return what is wrong with one source."""
        return [] if entry.source else [errors.required(f"{path}.source")]


def _unlike(path: str, value: str, pattern: str) -> FieldError:
    if not value:
        return errors.required(path)
    return errors.invalid_value(path, value, f"{path} in body should match '{pattern}'")


def entries(obj: KubeObject) -> Sequence[Entry]:
    """Return the sources of an object of any of the three kinds, each with its mirrors."""
    spec = getattr(obj, "spec", None)
    if isinstance(spec, ImageDigestMirrorSetSpec):
        return spec.image_digest_mirrors or ()
    if isinstance(spec, ImageTagMirrorSetSpec):
        return spec.image_tag_mirrors or ()
    if isinstance(spec, ImageContentSourcePolicySpec):
        return spec.repository_digest_mirrors or ()
    return ()


def mirror_sets(obj: KubeObject) -> list[MirrorSet]:
    """Return what an object of any of the three kinds says."""
    return [
        MirrorSet(entry.source, tuple(entry.mirrors or ()), getattr(entry, "mirror_source_policy", "") == NEVER)
        for entry in entries(obj)
    ]


def row(obj: KubeObject, now: datetime) -> list[object]:
    """Return the cells of an object."""
    return [obj.metadata.name, table.age(obj.metadata.creation_timestamp, now)]


def _resource(
    kind: str, short_name: str, type_: type[KubeObject], strategy: Strategy[Any], *, plural: str = "", old: bool = False
) -> Resource:
    return Resource(
        group=OPERATOR_GROUP if old else GROUP,
        version=OPERATOR_VERSION if old else VERSION,
        kind=kind,
        plural=plural or f"{kind.lower()}s",
        singular=kind.lower(),
        namespaced=False,
        type=type_,
        storage=ObjectStorage(strategy),
        short_names=(short_name,),
        columns=(NAME, AGE),
        row=row,
        marks=(CONFIGURATION,),
    )


DIGEST_MIRROR_SETS = _resource("ImageDigestMirrorSet", "idms", ImageDigestMirrorSet, DigestMirrorSetStrategy())
TAG_MIRROR_SETS = _resource("ImageTagMirrorSet", "itms", ImageTagMirrorSet, TagMirrorSetStrategy())
SOURCE_POLICIES = _resource(
    "ImageContentSourcePolicy",
    "icsp",
    ImageContentSourcePolicy,
    SourcePolicyStrategy(),
    plural="imagecontentsourcepolicies",
    old=True,
)
