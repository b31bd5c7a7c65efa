"""Pull specs, image ids and the names of stream tags: how they are read, written and compared.

The grammar is that of the distribution project, `[host[:port]/][namespace/]name[:tag][@digest]`; how its parts are
told apart is that of OpenShift.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

DOCKER_HUB = "docker.io"
HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
HUB_ENDPOINT = "registry-1.docker.io"
DEFAULT_TAG = "latest"

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_ALGORITHM = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*"
_PULL_SPEC = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    rf"(?:@(?P<digest>{_ALGORITHM}:[0-9a-fA-F]{{32,}}))?",
    re.ASCII,
)
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+", re.ASCII)
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class InvalidReference(ValueError):
    """A text that is no pull spec, digest or tag name; the message says in which way."""


@dataclass(frozen=True, slots=True)
class PullSpec:
    """Where an image can be pulled from; empty parts were not given. `id` is usually a digest."""

    registry: str = ""
    namespace: str = ""
    name: str = ""
    tag: str = ""
    id: str = ""

    @classmethod
    def parse(cls, text: str) -> PullSpec:
        """Return the parts of a pull spec; raises InvalidReference."""
        match = _PULL_SPEC.fullmatch(text)
        if match is None:
            raise InvalidReference(_fault(text))
        name, digest = match["name"], match["digest"] or ""
        if len(name) > 255:
            raise InvalidReference("repository name must not be more than 255 characters")
        if digest:
            check_digest(digest)
        first, slash, rest = name.partition("/")
        if not slash and ("." in name or name.startswith("localhost")):
            return cls(registry=text.partition("@")[0], id=digest)
        registry = ""
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry, name = first, rest
        namespace, slash, base = name.partition("/")
        if not slash:
            namespace, base = "", name
        return cls(registry, namespace, base, match["tag"] or "", digest)

    def repository(self) -> PullSpec:
        """Return the same repository without tag and id."""
        return replace(self, tag="", id="")

    def at(self, image_id: str) -> PullSpec:
        """Return the image `image_id` in the same repository."""
        return replace(self, tag="", id=image_id)

    def tagged(self, tag: str) -> PullSpec:
        """Return the tag `tag` in the same repository."""
        return replace(self, tag=tag, id="")

    def exact(self) -> str:
        """Return the pull spec with the parts that were given and no other; an id hides the tag."""
        path = "/".join(part for part in (self.registry, self.namespace, self.name) if part)
        if self.id:
            return f"{path}@{self.id}" if is_digest(self.id) else f"{path}:{self.id}"
        return f"{path}:{self.tag}" if self.tag else path

    def string(self) -> str:
        """Return the pull spec as people write it, with `library` put in on Docker Hub."""
        if self.registry in HUB_HOSTS and not self.namespace:
            return replace(self, namespace="library").exact()
        return self.exact()

    def with_client_defaults(self) -> PullSpec:
        """Return the pull spec as a docker client reads it: docker.io, library and latest where nothing was said."""
        registry = self.registry or DOCKER_HUB
        namespace = self.namespace or ("library" if registry in HUB_HOSTS else "")
        return replace(self, registry=registry, namespace=namespace, tag=self.tag or DEFAULT_TAG)

    def normalised(self) -> PullSpec:
        """Return the pull spec with client defaults and one spelling of Docker Hub, as messages show it."""
        full = self.with_client_defaults()
        return replace(full, registry=DOCKER_HUB) if full.registry == "index.docker.io" else full

    def minimal(self) -> PullSpec:
        """Return the shortest pull spec that means the same: no `library` and no `latest` on one docker.io."""
        short = replace(self, tag="" if self.tag == DEFAULT_TAG else self.tag)
        if short.registry not in HUB_HOSTS:
            return short
        namespace = "" if short.namespace == "library" else short.namespace
        return replace(short, registry=DOCKER_HUB, namespace=namespace)

    def host_and_path(self) -> tuple[str, str]:
        """Return the `host[:port]` to connect to and the repository path there."""
        full = self.with_client_defaults()
        host = HUB_ENDPOINT if full.registry in HUB_HOSTS else full.registry
        return host, "/".join(part for part in (full.namespace, full.name) if part)


def _fault(text: str) -> str:
    """Return what is wrong with a text that is no pull spec."""
    if not text:
        return "repository name must have at least one component"
    if _PULL_SPEC.fullmatch(text.lower()):
        return "repository name must be lowercase"
    return "invalid reference format"


def check_digest(text: str) -> None:
    """Raise InvalidReference unless `text` is a digest `sha256:…`, `sha384:…` or `sha512:…` of the right length."""
    algorithm, _, encoded = text.partition(":")
    if not _DIGEST.fullmatch(text):
        raise InvalidReference("invalid checksum digest format")
    if algorithm not in _DIGEST_LENGTHS:
        raise InvalidReference("unsupported digest algorithm")
    if len(encoded) != _DIGEST_LENGTHS[algorithm]:
        raise InvalidReference("invalid checksum digest length")
    if not re.fullmatch(r"[0-9a-f]+", encoded):
        raise InvalidReference("invalid checksum digest format")


def is_digest(text: str) -> bool:
    """Return whether `text` is a well-formed digest."""
    try:
        check_digest(text)
    except InvalidReference:
        return False
    return True


def id_matches(image: str, prefix: str) -> bool:
    """Return whether the id `prefix` means `image`; of a digest the algorithm may be left out."""
    if is_digest(image) and image.partition(":")[2].startswith(prefix):
        return True
    return image.startswith(prefix)


def split_stream_tag(name: str) -> tuple[str, str]:
    """Return stream and tag of `<stream>:<tag>`; raises InvalidReference when a part is missing or one too many."""
    stream, _, tag = name.partition(":")
    if not (stream and tag) or ":" in tag or "@" in name:
        raise InvalidReference("must be retrieved with <name>:<tag>")
    return stream, tag


def split_stream_tag_leniently(name: str) -> tuple[str, str]:
    """Return stream and tag of a name at its first colon, `latest` when the tag is empty; raises InvalidReference."""
    stream, colon, tag = name.partition(":")
    if not (stream and colon):
        raise InvalidReference(f'"{name}" must be of the form <stream_name>:<tag>')
    return stream, tag or DEFAULT_TAG


def split_stream_image(name: str) -> tuple[str, str]:
    """Return stream and image id of `<stream>@<id>`; raises InvalidReference when a part is missing or one too many."""
    stream, _, image = name.partition("@")
    if not (stream and image) or "@" in image:
        raise InvalidReference("must be retrieved with <name>@<id>")
    return stream, image


_SHORT_VERSION = re.compile(r"(\d+\.\d+)(?:-(\w+))?", re.ASCII)
_NUMBER = r"(?:0|[1-9]\d*)"
_VERSION = re.compile(
    rf"(?P<core>{_NUMBER}\.{_NUMBER}\.{_NUMBER})"
    rf"(?:-(?P<pre>(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
Precedence = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]
"""What orders semantic versions: the three numbers, whether it is a release, the pre-release identifiers."""


def precedence(version: str) -> Precedence | None:
    """Return what orders a semantic version (semver.org 2.0.0 §11), or None when the text is none."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    core = tuple(int(number) for number in match["core"].split("."))
    if match["pre"] is None:
        return core, 1, ()
    identifiers = match["pre"].split(".")
    return core, 0, tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in identifiers)


def _ranked(tag: str) -> tuple[int, Precedence] | None:
    """Return the class (1: minor, 2: full version) and precedence of a tag that is a version, else None."""
    bare = tag.removeprefix("v")
    short = _SHORT_VERSION.fullmatch(bare)
    if short is not None:
        minor = precedence(f"{short[1]}.0" + (f"-{short[2]}" if short[2] else ""))
        return None if minor is None else (1, minor)
    full = precedence(bare)
    return None if full is None else (2, full)


def foremost(tags: Iterable[str], most: int) -> list[str]:
    """Return the first of the tags as `prioritised` orders them, of which no more are held at a time than matter."""
    room = max(4 * most, 1000)
    held: set[str] = set()
    for tag in tags:
        held.add(tag)
        if len(held) >= room:
            held = set(prioritised(held)[:most])
    return prioritised(held)[:most]


def prioritised(tags: Iterable[str]) -> list[str]:
    """Return each tag once, the most useful first.

    `latest`, then minor versions (`5.6`) and full versions (`5.2.3`), each newest first, then the rest by name.
    """
    names = sorted({tag or DEFAULT_TAG for tag in tags})
    versions: dict[int, list[tuple[Precedence, str]]] = {1: [], 2: []}
    first = [name for name in names if name == DEFAULT_TAG]
    rest = []
    for name in names:
        ranked = _ranked(name)
        if ranked is not None:
            versions[ranked[0]].append((ranked[1], name))
        elif name != DEFAULT_TAG:
            rest.append(name)
    for rank in (1, 2):
        # Two stable sorts: names rising (so `5.5` comes before `v5.5`), then versions falling.
        falling = sorted(versions[rank], key=lambda entry: entry[0], reverse=True)
        first += [name for _, name in falling]
    return first + rest
