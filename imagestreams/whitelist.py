"""Which registries users may import from (`allowedRegistriesForImport`), and the words of a refusal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase

from imagestreams.history import tag_of
from imagestreams.reference import DOCKER_HUB, HUB_ENDPOINT, InvalidReference, PullSpec
from imagestreams.types import ImageStream, ImageStreamImport, TagReference
from registry_meta.kube.errors import FieldError, field_forbidden
from registry_meta.kube.meta import ObjectMeta

INSECURE_REPOSITORY = "openshift.io/image.insecureRepository"
HUB_ALIASES = ("index.docker.io", HUB_ENDPOINT)
SHOWN = 5
"""How many registries a refusal lists."""


class Transport(Enum):
    """What decides the port of a registry that names none: 443, 80, or either."""

    SECURE = "443"
    INSECURE = "80"
    ANY = ""


@dataclass(frozen=True, slots=True)
class Location:
    """A registry that is allowed: host and port, both with the wildcards `*` and `?`."""

    host: str
    port: str

    @classmethod
    def of(cls, text: str, *, insecure: bool = False) -> Location:
        """Return what `host[:port]` allows; without a port, that of the transport."""
        host, colon, port = text.partition(":")
        return cls(host, port if colon else (Transport.INSECURE if insecure else Transport.SECURE).value)

    def fits(self, host: str, port: str) -> bool:
        """Return whether a registry is allowed; one that names no port may have any usual one."""
        if not _matches(host, self.host):
            return False
        return _matches(port, self.port) if port else self.port in ("80", "443", "*")


@dataclass(frozen=True, slots=True)
class Whitelist:
    """The registries that are allowed, and repositories that are so in addition; without registries all are."""

    locations: tuple[Location, ...] = ()
    repositories: frozenset[str] = frozenset()

    @classmethod
    def of(cls, locations: Iterable[Location], *, internal: str = "") -> Whitelist:
        """Return the list of some registries, and of the integrated one."""
        given = tuple(locations)
        if not given:
            return cls()
        own = Location.of(internal) if internal and internal.count(":") <= 1 else None
        # Of equal ones the last is kept.
        kept = tuple(reversed(dict.fromkeys(reversed(given))))
        return cls(kept if own is None or own in kept else (own, *kept))

    def knowing(self, pull_specs: Iterable[str]) -> Whitelist:
        """Return the list with the repositories of pull specs allowed; what is none is passed over."""
        if not self.locations:
            return self
        return replace(self, repositories=self.repositories.union(filter(None, map(_repository, pull_specs))))

    def refusal(self, spec: PullSpec, transport: Transport) -> str:
        """Return why a pull spec is not allowed; nothing when it is."""
        if not self.locations or spec.with_client_defaults().repository().exact() in self.repositories:
            return ""
        host, port = _given(spec) if transport is Transport.ANY else host_port(spec, transport)
        names = (DOCKER_HUB, host) if host in HUB_ALIASES else (host,)
        if any(location.fits(name, port) for name in names for location in self.locations):
            return ""
        shown = spec.registry or (f"{host}:{port}" if port else host)
        return f'registry "{shown}" not allowed by whitelist: {self._listed()}'

    def _listed(self) -> str:
        texts = [f'"{location.host}:{location.port}"' for location in self.locations]
        if len(texts) <= SHOWN:
            return ", ".join(texts)
        return f"{', '.join(texts[: SHOWN - 1])}, and {len(texts) - SHOWN + 1} more ..."


def _matches(text: str, glob: str) -> bool:
    return fnmatchcase(text, glob.replace("[", "[[]"))


def _repository(text: str) -> str:
    try:
        return PullSpec.parse(text).with_client_defaults().repository().exact()
    except InvalidReference:
        return ""


def _given(spec: PullSpec) -> tuple[str, str]:
    """Return host and port as they were given; nothing for a port that was not."""
    host, _, port = spec.registry.partition(":")
    return host or DOCKER_HUB, port


def host_port(spec: PullSpec, transport: Transport) -> tuple[str, str]:
    """Return host and port of a registry, with the port of a transport where none was given."""
    host, port = _given(spec)
    if spec.registry in (DOCKER_HUB, "index.docker.io"):
        host = HUB_ENDPOINT
    return host, port or transport.value


# --- what is held to the list


def import_problems(request: ImageStreamImport, whitelist: Whitelist) -> list[FieldError]:
    """Return what a request to import names that is not allowed."""
    asked: list[tuple[str, str, bool]] = []
    repository = request.spec.repository
    if repository is not None:
        asked.append(("spec.repository", repository.from_.name, repository.import_policy.insecure))
    for index, image in enumerate(request.spec.images or ()):
        asked.append((f"spec.images[{index}]", image.from_.name, image.import_policy.insecure))
    problems: list[FieldError] = []
    for path, name, insecure in asked:
        host, port = host_port(_parsed(name), Transport.INSECURE if insecure else Transport.SECURE)
        why = whitelist.refusal(PullSpec(registry=f"{host}:{port}"), Transport.SECURE)
        if why:
            text = f'importing images from registry "{host}:{port}" is forbidden: {why}'
            problems.append(field_forbidden(f"{path}.from.name", text))
    return problems


def _parsed(name: str) -> PullSpec:
    try:
        return PullSpec.parse(name)
    except InvalidReference:
        return PullSpec()


def stream_problems(new: ImageStream, old: ImageStream | None, whitelist: Whitelist) -> list[FieldError]:
    """Return what a stream names that is not allowed; repositories that it has named before are."""
    known = whitelist if old is None else whitelist.knowing((*_wished(old), *_had(old)))
    if not known.locations:
        return []
    problems: list[FieldError] = []
    insecure = is_insecure(new.metadata)
    if new.spec.docker_image_repository:
        path = "spec.dockerImageRepository"
        problems += _refused(path, new.spec.docker_image_repository, insecure, known)
    for tag in new.spec.tags or ():
        problems += tag_problems(tag, f"spec.tags[{tag.name}]", known, insecure=insecure)
    return problems + _history_problems(new, known)


def status_problems(new: ImageStream, old: ImageStream, whitelist: Whitelist) -> list[FieldError]:
    """Return what is new in the history of a stream and not allowed."""
    return _history_problems(new, whitelist, passed=frozenset(_had(old))) if whitelist.locations else []


def tag_problems(tag: TagReference | None, path: str, whitelist: Whitelist, *, insecure: bool) -> list[FieldError]:
    """Return why the wish for a tag is not allowed; `insecure` is that of its stream."""
    if tag is None:
        return []
    trustful = insecure or tag.import_policy.insecure
    return [problem for name in source_of(tag) for problem in _refused(f"{path}.from.name", name, trustful, whitelist)]


def source_of(tag: TagReference | None) -> list[str]:
    """Return the pull spec that a tag comes from, if it comes from one."""
    if tag is None or tag.from_ is None or tag.from_.kind != "DockerImage":
        return []
    return [tag.from_.name]


def is_insecure(meta: ObjectMeta) -> bool:
    """Return whether a stream or tag says that its repository may be reached insecurely."""
    return (meta.annotations or {}).get(INSECURE_REPOSITORY) == "true"


def _history_problems(
    stream: ImageStream, whitelist: Whitelist, *, passed: frozenset[str] = frozenset()
) -> list[FieldError]:
    problems: list[FieldError] = []
    for history in stream.status.tags or ():
        wish = tag_of(stream, history.tag)
        insecure = is_insecure(stream.metadata) or (wish is not None and wish.import_policy.insecure)
        for index, event in enumerate(history.items or ()):
            path = f"status.tags[{history.tag}].items[{index}].dockerImageReference"
            if event.docker_image_reference not in passed:
                problems += _refused(path, event.docker_image_reference, insecure, whitelist)
    return problems


def _refused(path: str, text: str, insecure: bool, whitelist: Whitelist) -> list[FieldError]:
    """Return why a pull spec is not allowed; what is none is for others to refuse."""
    try:
        spec = PullSpec.parse(text)
    except InvalidReference:
        return []
    why = whitelist.refusal(spec, Transport.ANY if insecure else Transport.SECURE)
    return [field_forbidden(path, why)] if why else []


def _wished(stream: ImageStream) -> Iterator[str]:
    if stream.spec.docker_image_repository:
        yield stream.spec.docker_image_repository
    for tag in stream.spec.tags or ():
        yield from source_of(tag)


def _had(stream: ImageStream) -> Iterator[str]:
    for history in stream.status.tags or ():
        for event in history.items or ():
            yield event.docker_image_reference
