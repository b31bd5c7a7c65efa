"""What the API demands of streams, tags, images, signatures, mappings and imports, beyond their metadata.

Each function returns what is wrong, in the order in which clients have always seen it; an empty list is approval.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from imagestreams import follow, holds, intervals
from imagestreams.generations import LEGACY, LOCAL, PRESERVE_ORIGINAL, SOURCE
from imagestreams.reference import InvalidReference, PullSpec
from imagestreams.types import (
    Image,
    ImageManifest,
    ImageSignature,
    ImageStream,
    ImageStreamImport,
    ImageStreamMapping,
    ImageStreamTag,
    ImageTag,
    RepositoryImportSpec,
    SignatureCondition,
    TagImportPolicy,
    TagReference,
)
from registry_meta.kube.errors import FieldError, field_forbidden, invalid_value, required
from registry_meta.kube.meta import ObjectMeta, ObjectReference

STREAM_NAME = "[a-z0-9]+(?:[._-][a-z0-9]+)*"
MEDIA_TYPE = re.compile(r"\s*[a-z0-9][\w!#$&^.+-]{0,126}/[a-z0-9][\w!#$&^.+-]{0,126}\s*", re.ASCII | re.IGNORECASE)
DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}")
LONGEST_NAME = 255
KINDS = "valid values are 'DockerImage', 'ImageStreamImage', 'ImageStreamTag'"
MODES = "invalid import mode, valid modes are '', 'Legacy', 'PreserveOriginal'"


def stream_name(name: str) -> list[str]:
    """Return why a stream may not have a name."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    parts = [f"may not contain '{character}'" for character in "/%" if character in name]
    if parts:
        return parts
    return [] if re.fullmatch(STREAM_NAME, name) else [f'must match "{STREAM_NAME}"']


def image_stream(stream: ImageStream) -> list[FieldError]:
    """Return what is wrong with a stream, wishes and history."""
    problems: list[FieldError] = []
    name = stream.metadata.name
    if len(f"{stream.metadata.namespace}/{name}") > LONGEST_NAME:
        limit = f"'namespace/name' cannot be longer than {LONGEST_NAME} characters"
        problems.append(invalid_value("metadata.name", name, limit))
    problems += _spec_repository(stream.spec.docker_image_repository)
    for tag in stream.spec.tags or []:
        problems += tag_reference(tag, f"spec.tags[{tag.name}]")
    for path, reference in _history_references(stream):
        problems += [required(path)] if not reference else _pull_spec(path, reference)
    return problems


def _spec_repository(text: str) -> list[FieldError]:
    path = "spec.dockerImageRepository"
    if not text:
        return []
    try:
        spec = PullSpec.parse(text)
    except InvalidReference as error:
        return [invalid_value(path, text, str(error))]
    problems = []
    if spec.tag:
        problems.append(invalid_value(path, text, "the repository name may not contain a tag"))
    if spec.id:
        problems.append(invalid_value(path, text, "the repository name may not contain an ID"))
    return problems


def image_stream_status(new: ImageStream, old: ImageStream) -> list[FieldError]:
    """Return what is wrong with the pull specs that are new in the history of a stream."""
    known = {reference for _, reference in _history_references(old)}
    return [
        problem
        for path, reference in _history_references(new)
        if reference not in known
        for problem in _pull_spec(path, reference)
    ]


def _history_references(stream: ImageStream) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each pull spec in the history of a stream."""
    for history in stream.status.tags or []:
        for index, event in enumerate(history.items or []):
            path = f"status.tags[{history.tag}].items[{index}].dockerImageReference"
            yield path, event.docker_image_reference


def _pull_spec(path: str, text: str) -> list[FieldError]:
    try:
        PullSpec.parse(text)
    except InvalidReference as error:
        return [invalid_value(path, text, str(error))]
    return []


def tag_reference(tag: TagReference, path: str) -> list[FieldError]:
    """Return what is wrong with the wish for a tag that lies at `path`."""
    problems: list[FieldError] = []
    if tag.from_ is not None:
        problems += _tag_source(tag.from_, tag.import_policy, path)
    policy = tag.reference_policy.type
    if policy not in (SOURCE, LOCAL):
        problems.append(invalid_value(f"{path}.referencePolicy.type", policy, 'valid values are "Source", "Local"'))
    problems += _import_mode(tag.import_policy, path) + holds.problems(tag.annotations, path)
    return problems + intervals.problems(tag.annotations, path) + follow.problems(tag, path)


def _tag_source(source: ObjectReference, policy: TagImportPolicy, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if not source.name:
        problems.append(required(f"{path}.from.name"))
    if source.kind == "DockerImage":
        return problems + (_pull_spec(f"{path}.from.name", source.name) if source.name else [])
    if source.kind in ("ImageStreamTag", "ImageStreamImage"):
        if policy.scheduled:
            detail = "only tags pointing to Docker repositories may be scheduled for background import"
            problems.append(invalid_value(f"{path}.importPolicy.scheduled", True, detail))
        return problems
    return [*problems, required(f"{path}.from.kind", KINDS)]


def _import_mode(policy: TagImportPolicy, path: str) -> list[FieldError]:
    mode = policy.import_mode
    if mode in ("", LEGACY, PRESERVE_ORIGINAL):
        return []
    return [invalid_value(f"{path}.importPolicy.importMode", mode, MODES)]


def image_stream_tag(tag: ImageStreamTag) -> list[FieldError]:
    """Return what is wrong with a stream tag that is to be created."""
    if tag.tag is None:
        return []
    problems = tag_reference(tag.tag, "tag")
    own, outer = tag.tag.annotations, tag.metadata.annotations
    if own is not None and (own or None) != (outer or None):
        detail = "tag annotations must not be provided or must be equal to the object meta annotations"
        problems.append(invalid_value("tag.annotations", "<map>", detail))
    return problems


def image_stream_tag_update(new: ImageStreamTag, old: ImageStreamTag) -> list[FieldError]:
    """Return what is wrong with a change of a stream tag: of its metadata only annotations may change."""
    problems = image_stream_tag(new)
    if _fixed(new.metadata, old.metadata, annotations=False) != _fixed(old.metadata, old.metadata, annotations=False):
        detail = "may not update fields other than metadata.annotations"
        problems.append(invalid_value("metadata", "", detail))
    return problems


def image_tag(tag: ImageTag) -> list[FieldError]:
    """Return what is wrong with an image tag that is to be created."""
    if tag.spec is None:
        return [required("spec", "spec is a required field during creation")]
    return _tag_spec(tag.spec, tag.metadata.name)


def image_tag_update(new: ImageTag, old: ImageTag) -> list[FieldError]:
    """Return what is wrong with a change of an image tag: only its spec may change."""
    problems = _tag_spec(new.spec, new.metadata.name) if new.spec is not None else []
    detail = "may not update fields other than spec"
    if _fixed(new.metadata, old.metadata, annotations=True) != _fixed(old.metadata, old.metadata, annotations=True):
        problems.append(invalid_value("metadata", "", detail))
    if new.status != old.status:
        problems.append(invalid_value("status", "", detail))
    return problems


def _tag_spec(spec: TagReference, name: str) -> list[FieldError]:
    _, colon, tag = name.partition(":")
    problems = (
        [] if colon and tag == spec.name else [invalid_value("spec.name", spec.name, "must match image tag name")]
    )
    return problems + tag_reference(spec, "spec")


def _fixed(new: ObjectMeta, old: ObjectMeta, *, annotations: bool) -> ObjectMeta:
    """Return the metadata that a writer may not change; what the server fills in counts as given when left out."""
    return msgspec.structs.replace(
        new,
        uid=new.uid or old.uid,
        creation_timestamp=new.creation_timestamp or old.creation_timestamp,
        generation=new.generation or old.generation,
        resource_version="",
        managed_fields=None,
        labels=new.labels or None,
        annotations=(new.annotations or None) if annotations else None,
        owner_references=new.owner_references or None,
        finalizers=new.finalizers or None,
    )


def image(obj: Image, prefix: str = "") -> list[FieldError]:
    """Return what is wrong with an image; `prefix` is the path of an embedded one with a dot, `image.`."""
    path = f"{prefix}dockerImageReference"
    reference = obj.docker_image_reference
    problems = _pull_spec(path, reference) if reference else [required(path)]
    for index, signature in enumerate(obj.signatures or []):
        problems += image_signature(signature, f"{prefix}signatures[{index}].")
    for index, member in enumerate(obj.docker_image_manifests or []):
        problems += _member(member, f"{prefix}dockerImageManifests[{index}]")
    if obj.docker_image_layers and obj.docker_image_manifests:
        detail = "dockerImageLayers should not be set when dockerImageManifests is set"
        layers = [msgspec.to_builtins(layer) for layer in obj.docker_image_layers]
        problems.append(invalid_value(f"{prefix}dockerImageLayers", layers, detail))
    return problems


def _member(member: ImageManifest, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if not DIGEST.search(member.digest):
        detail = "digest does not conform with OCI image specification"
        problems.append(invalid_value(f"{path}.digest", member.digest, detail))
    if not MEDIA_TYPE.fullmatch(member.media_type):
        detail = "media type does not conform to RFC6838"
        problems.append(invalid_value(f"{path}.mediaType", member.media_type, detail))
    if not member.architecture:
        problems.append(required(f"{path}.architecture"))
    if not member.os:
        problems.append(required(f"{path}.os"))
    if member.manifest_size < 0:
        problems.append(invalid_value(f"{path}.size", member.manifest_size, "manifest size cannot be negative"))
    return problems


def image_signature(signature: ImageSignature, prefix: str = "") -> list[FieldError]:
    """Return what is wrong with a signature; `prefix` is the path of an embedded one with a dot."""
    meta = signature.metadata
    problems: list[FieldError] = []
    if meta.labels:
        problems.append(field_forbidden(f"{prefix}metadata.labels", "signature labels cannot be set"))
    if meta.annotations:
        problems.append(field_forbidden(f"{prefix}metadata.annotations", "signature annotations cannot be set"))
    image_name, _, name = meta.name.partition("@")
    if not (image_name and name) or "@" in name:
        detail = "name must be of format <imageName>@<signatureName>"
        problems.append(invalid_value(f"{prefix}metadata.name", meta.name, detail))
    if not signature.type:
        problems.append(required(f"{prefix}type"))
    if not signature.content:
        problems.append(required(f"{prefix}content"))
    return problems + _signature_conditions(signature, prefix)


def _signature_conditions(signature: ImageSignature, prefix: str) -> list[FieldError]:
    """Return what is wrong with the findings: trust is found for an image, and says who signed only if it is known."""
    trusted = _newest(signature.conditions, "Trusted")
    for_image = _newest(signature.conditions, "ForImage")
    conditions = msgspec.to_builtins(signature.conditions)
    problems: list[FieldError] = []
    if trusted is not None and for_image is None:
        problems.append(invalid_value(f"{prefix}conditions", conditions, 'missing "ForImage" condition type'))
    if for_image is not None and trusted is None:
        problems.append(invalid_value(f"{prefix}conditions", conditions, 'missing "Trusted" condition type'))
    if trusted is not None and trusted.status != "Unknown":
        return problems
    findings: dict[str, object] = {
        "imageIdentity": signature.image_identity,
        "signedClaims": signature.signed_claims,
        "issuedBy": signature.issued_by,
        "issuedTo": signature.issued_to,
    }
    detail = "must be unset for unknown signature state"
    return problems + [invalid_value(f"{prefix}{key}", value, detail) for key, value in findings.items() if value]


def _newest(conditions: list[SignatureCondition] | None, kind: str) -> SignatureCondition | None:
    found = [condition for condition in conditions or [] if condition.type == kind]
    return max(found, key=lambda condition: condition.last_probe_time or "", default=None)


def image_stream_mapping(mapping: ImageStreamMapping) -> list[FieldError]:
    """Return what is wrong with a push."""
    problems = [] if mapping.tag else [required("tag")]
    return problems + image(mapping.image, "image.")


def image_stream_import(request: ImageStreamImport) -> list[FieldError]:
    """Return what is wrong with a request to import."""
    problems: list[FieldError] = []
    images, repository = request.spec.images or [], request.spec.repository
    for index, entry in enumerate(images):
        path = f"spec.images[{index}]"
        source = entry.from_
        named = [required(f"{path}.from.name")] if not source.name else _pull_spec(f"{path}.from.name", source.name)
        if source.kind != "DockerImage":
            named = [invalid_value(f"{path}.from.kind", source.kind, "only DockerImage is supported")]
        elif source.name == "*":
            continue
        if entry.to is not None and not entry.to.name:
            detail = "the name of the target tag must be specified"
            problems.append(invalid_value(f"{path}.to.name", entry.to.name, detail))
        problems += named + _import_mode(entry.import_policy, path)
    if repository is not None:
        problems += _repository_import(repository)
    elif not images:
        detail = "you must specify at least one image or a repository import"
        problems.append(invalid_value("spec.images", None, detail))
    return problems


def _repository_import(repository: RepositoryImportSpec) -> list[FieldError]:
    path, source = "spec.repository", repository.from_
    if source.kind != "DockerImage":
        problems = [invalid_value(f"{path}.from.kind", source.kind, "only DockerImage is supported")]
    elif not source.name:
        problems = [required(f"{path}.from.name", "container image references require a name")]
    else:
        problems = _repository_name(f"{path}.from.name", source.name)
    return problems + _import_mode(repository.import_policy, path)


def _repository_name(path: str, name: str) -> list[FieldError]:
    try:
        spec = PullSpec.parse(name)
    except InvalidReference as error:
        return [invalid_value(path, name, str(error))]
    if spec.tag or spec.id:
        return [invalid_value(path, name, "you must specify an image repository, not a tag or ID")]
    return []
