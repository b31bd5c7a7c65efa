"""Under which names a stream's images can be pulled from this side's own registry."""

from __future__ import annotations

from dataclasses import dataclass

from imagestreams.generations import LOCAL
from imagestreams.history import tag_of
from imagestreams.reference import InvalidReference, PullSpec
from imagestreams.types import ImageStream, TagEvent


@dataclass(frozen=True, slots=True)
class RegistryHosts:
    """The hosts (`host[:port]`) of the integrated registry, inside the cluster and outside; either may be empty."""

    internal: str = ""
    external: str = ""

    def repository(self, namespace: str, name: str, spec_repository: str = "") -> str:
        """Return the repository of a stream: here, or where its spec says, or empty."""
        return f"{self.internal}/{namespace or 'default'}/{name}" if self.internal else spec_repository

    def public_repository(self, namespace: str, name: str) -> str:
        """Return the repository of a stream as seen from outside, or empty."""
        return f"{self.external}/{namespace or 'default'}/{name}" if self.external else ""


def decorate(stream: ImageStream, hosts: RegistryHosts) -> None:
    """Set, in place, the two repositories in the status of a stream."""
    meta, spec_repository = stream.metadata, stream.spec.docker_image_repository
    stream.status.docker_image_repository = hosts.repository(meta.namespace, meta.name, spec_repository)
    stream.status.public_docker_image_repository = hosts.public_repository(meta.namespace, meta.name)


def resolve_reference(stream: ImageStream, tag: str, event: TagEvent) -> str:
    """Return the pull spec under which consumers get the image of an event, by the reference policy of its tag."""
    wished = tag_of(stream, tag)
    if wished is None or wished.reference_policy.type != LOCAL or not event.image:
        return event.docker_image_reference
    try:
        repository = PullSpec.parse(stream.status.docker_image_repository)
    except InvalidReference:
        return event.docker_image_reference
    return repository.at(event.image).exact()


def rewritten(reference: str, *, source: ImageStream, target: ImageStream, hosts: RegistryHosts) -> str:
    """Return a pull spec of a stream's own repository here as one of another stream's, any other as it is."""
    if not hosts.internal:
        return reference
    try:
        spec = PullSpec.parse(reference)
    except InvalidReference:
        return reference
    own = PullSpec(hosts.internal, source.metadata.namespace, source.metadata.name)
    if spec.repository() != own:
        return reference
    return PullSpec(spec.registry, target.metadata.namespace, target.metadata.name, spec.tag, spec.id).exact()
