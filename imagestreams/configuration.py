"""What the cluster's image configuration says, kept current by one look at its counter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection

from authz.api.configmaps import CLUSTER_NAMESPACE, CONFIG_MAPS, CONFIGURATION, ConfigMap
from imagestreams.api.imageconfigs import IMAGE_CONFIGS
from imagestreams.api.mirrorsets import DIGEST_MIRROR_SETS, SOURCE_POLICIES, TAG_MIRROR_SETS, mirror_sets
from imagestreams.clustertypes import CLUSTER, Image, ImageSpec, ImageStatus, RegistrySources
from imagestreams.mirrors import MirrorSet, Registries
from imagestreams.repositories import RegistryHosts
from imagestreams.whitelist import Location, Whitelist
from registry_meta.kube import changes, marks, store
from registry_meta.kube.meta import KubeObject
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource

marks.follow(CONFIGURATION)

NOT_A_HOST = ("updateservice-registry",)
"""Keys of the ConfigMap of authorities that are for others."""

EVERY = "SELECT document FROM kube_object WHERE resource = %s AND namespace = '' ORDER BY name"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is in force at a version of the configuration; where it says nothing the settings do."""

    version: int
    registries: Registries = field(default_factory=Registries)
    locations: tuple[Location, ...] = ()
    authorities: Mapping[str, str] = field(default_factory=dict)
    """The authorities (PEM) to trust in addition, by the `host[:port]` that they are for."""
    internal_host: str = ""
    external_host: str = ""
    mode: str = ""

    @property
    def hosts(self) -> RegistryHosts:
        """The hosts of the integrated registry; either may be empty."""
        environment = settings.ENVIRONMENT
        return RegistryHosts(
            self.internal_host or environment.internal_registry_hostname,
            self.external_host or environment.external_registry_hostname,
        )

    @property
    def import_mode(self) -> str:
        """The import mode of tags that name none."""
        return self.mode or str(settings.ENVIRONMENT.import_mode.value)

    @property
    def whitelist(self) -> Whitelist:
        """The registries that users may import from."""
        return Whitelist.of(self.locations, internal=self.hosts.internal)


class Memory:
    """The configuration that this process knows, shared by its threads."""

    def __init__(self) -> None:
        self._known: Configuration | None = None

    def current(self, seen: int | None = None) -> Configuration:
        """Return what is in force now, or at a version of the configuration that was `seen`, or later."""
        known = self._known
        if known is not None and known.version == seen:
            return known
        # What was seen may be older than what is known by now, and must not replace it.
        version = changes.newest(CONFIGURATION)
        if known is not None and known.version == version:
            return known
        found = _read(version)
        # What a transaction sees may yet be rolled back.
        if not connection.in_atomic_block:
            self._known = found
        return found

    def forget(self) -> None:
        """Read everything anew at the next question."""
        self._known = None


memory = Memory()


def current() -> Configuration:
    """Return the configuration in force."""
    return memory.current()


def of(context: Context) -> Configuration:
    """Return the configuration of a request, in force when it came, or of a worker's write, when it first asked."""
    found = context.known.get(CONFIGURATION)
    if isinstance(found, Configuration):
        return found
    context.known[CONFIGURATION] = found = memory.current(context.marks.get(CONFIGURATION))
    return found


def _read(version: int) -> Configuration:
    """Read everything; what is written meanwhile is of a later version, so it is read again at the next question."""
    stored = store.find(IMAGE_CONFIGS, "", CLUSTER)
    image: Image = stored.object() if stored is not None else Image()
    spec, status = image.spec or ImageSpec(), image.status or ImageStatus()
    sources = spec.registry_sources or RegistrySources()
    external = (*(spec.external_registry_hostnames or ()), *(status.external_registry_hostnames or ()))
    return Configuration(
        version,
        registries=Registries(
            digests=[*_sets(DIGEST_MIRROR_SETS), *_sets(SOURCE_POLICIES)],
            tags=_sets(TAG_MIRROR_SETS),
            blocked=sources.blocked_registries or (),
            insecure=sources.insecure_registries or (),
        ),
        locations=tuple(
            Location.of(location.domain_name, insecure=location.insecure)
            for location in spec.allowed_registries_for_import or ()
        ),
        authorities=_authorities(spec.additional_trusted_ca.name if spec.additional_trusted_ca is not None else ""),
        internal_host=status.internal_registry_hostname,
        external_host=next(filter(None, external), ""),
        mode=spec.image_stream_import_mode or status.image_stream_import_mode,
    )


def _sets(resource: Resource) -> list[MirrorSet]:
    return [found for obj in _objects(resource) for found in mirror_sets(obj)]


def _objects(resource: Resource) -> Iterable[KubeObject]:
    with connection.cursor() as cursor:
        cursor.execute(EVERY, [resource.key])
        documents = [document for (document,) in cursor.fetchall()]
    return [resource.decoder.decode(document) for document in documents]


def _authorities(name: str) -> dict[str, str]:
    """Return the authorities of a ConfigMap by registry; a key is `host`, or `host..port` as keys have no colon."""
    stored = store.find(CONFIG_MAPS, CLUSTER_NAMESPACE, name) if name else None
    if stored is None:
        return {}
    found: ConfigMap = stored.object()
    return {key.replace("..", ":"): text for key, text in (found.data or {}).items() if key not in NOT_A_HOST}
