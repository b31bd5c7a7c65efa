"""What a client accepts, and how an answer is written: JSON or YAML, whole, as a Table or as metadata alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import msgspec
import yaml

from registry_meta.kube import errors

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON, YAML, PROTOBUF)
BROWSERS = ("curl", "Wget", "Mozilla/5.0")

TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
META_VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Clause:
    """One media type of an Accept header with its parameters, quality left out."""

    media_type: str
    parameters: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """Return a parameter, or the empty string."""
        return next((value for key, value in self.parameters if key == name), "")


@dataclass(frozen=True, slots=True)
class Rendition:
    """The form of an answer; `form` is empty for whole objects, `version` that of the meta.k8s.io type.

    `pretty` says that the client asked for indented JSON with the media type; see also `wants_pretty`.
    """

    media_type: str = JSON
    form: str = ""
    version: str = "v1"
    pretty: bool = False


@lru_cache(maxsize=512)
def clauses(accept: str) -> tuple[Clause, ...]:
    """Return the clauses of an Accept header, best quality first and otherwise in their order."""
    found: list[tuple[float, Clause]] = []
    for part in accept.split(","):
        media_type, *rest = (piece.strip() for piece in part.split(";"))
        if not media_type:
            continue
        pairs = [(key.strip(), value.strip().strip('"')) for key, _, value in (piece.partition("=") for piece in rest)]
        quality = next((value for key, value in pairs if key == "q"), "1")
        try:
            weight = float(quality)
        except ValueError:
            weight = 1.0
        found.append((weight, Clause(media_type.lower(), tuple(pair for pair in pairs if pair[0] != "q"))))
    found.sort(key=lambda item: -item[0])
    return tuple(clause for weight, clause in found if weight > 0)


@lru_cache(maxsize=1024)
def negotiate(accept: str, *, tables: bool, is_list: bool, streaming: bool = False) -> Rendition:
    """Return the form to answer in; raises 406 when nothing that the client accepts is served.

    `tables` says whether the resource has columns, `is_list` whether the answer is a list.
    """
    if not accept:
        return Rendition()
    for clause in clauses(accept):
        media_type = _served(clause.media_type, streaming=streaming)
        if media_type is None:
            continue
        wanted, pretty = clause.get("as"), clause.get("pretty") == "1"
        if not wanted:
            return Rendition(media_type, pretty=pretty)
        version = clause.get("v")
        if clause.get("g") != "meta.k8s.io" or version not in META_VERSIONS:
            continue
        partial = PARTIAL_LIST if is_list and not streaming else PARTIAL
        if wanted == partial or (wanted == TABLE and tables):
            return Rendition(media_type, wanted, version, pretty)
    raise errors.not_acceptable(MEDIA_TYPES)


def _served(media_type: str, *, streaming: bool) -> str | None:
    if media_type in ("*/*", "application/*", JSON):
        return JSON
    return YAML if media_type == YAML and not streaming else None


def encode(body: bytes, rendition: Rendition, *, pretty: bool) -> bytes:
    """Return a JSON answer in the media type agreed on."""
    if rendition.media_type == YAML:
        return yaml.safe_dump(msgspec.json.decode(body), sort_keys=False, allow_unicode=True).encode()
    return msgspec.json.format(body, indent=2) + b"\n" if pretty else body


def wants_pretty(user_agent: str, pretty: str | None) -> bool:
    """Return whether a person reads the answer: asked for, or sent by a tool that people use by hand."""
    if pretty is not None:
        return pretty.lower() not in ("0", "false")
    return user_agent.startswith(BROWSERS)
