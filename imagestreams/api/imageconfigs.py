"""The kind Image of the configuration (`config.openshift.io`): what the cluster wants of images and registries."""

from __future__ import annotations

from datetime import datetime

from authz.api.configmaps import CONFIGURATION
from imagestreams.clustertypes import CLUSTER, GROUP, VERSION, Image, ImageSpec, RegistrySources
from imagestreams.generations import LEGACY, PRESERVE_ORIGINAL
from registry_meta.kube import errors, store, table
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import ObjectMeta
from registry_meta.kube.objects import ObjectStorage, StatusStorage
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import AGE, NAME, Resource, Subresource
from registry_meta.kube.strategy import Strategy

ONE_OF_TWO = "Only one of BlockedRegistries or AllowedRegistries may be set"
MODES = ("", LEGACY, PRESERVE_ORIGINAL)


class ImageConfigStrategy(Strategy[Image]):
    """The spec is the administrator's, the status that of the operators of the cluster."""

    generation = True
    unconditional_update = False
    untracked: tuple[str, ...] = ("status",)

    def prepare_create(self, obj: Image, *, context: Context) -> None:
        """Start with nothing found."""
        obj.status = None

    def prepare_update(self, new: Image, old: Image, *, context: Context) -> None:
        """Keep the status and count a change of the spec."""
        new.status = old.status
        if new.spec != old.spec:
            new.metadata.generation = old.metadata.generation + 1

    def validate(self, obj: Image, *, context: Context) -> list[FieldError]:
        """Hold the spec to the rules of the API."""
        if obj.spec is None:
            return [errors.required("spec")]
        return _spec_problems(obj.spec)


class ImageConfigStatusStrategy(ImageConfigStrategy):
    """The status path: of the configuration only what was found changes."""

    untracked = ("metadata", "spec")

    def prepare_update(self, new: Image, old: Image, *, context: Context) -> None:
        """Put back the spec."""
        new.spec = old.spec

    def validate_update(self, new: Image, old: Image, *, context: Context) -> list[FieldError]:
        """Hold the status to the rules of the API."""
        return [] if new.status is None else _mode_problems(new.status.image_stream_import_mode, "status")


def _spec_problems(spec: ImageSpec) -> list[FieldError]:
    problems = _mode_problems(spec.image_stream_import_mode, "spec")
    for index, location in enumerate(spec.allowed_registries_for_import or ()):
        path, name = f"spec.allowedRegistriesForImport[{index}].domainName", location.domain_name
        if not name:
            problems.append(errors.required(path))
        elif name.count(":") > 1:
            why = f'failed to parse allowed registry "{name}": too many colons'
            problems.append(errors.invalid_value(path, name, why))
    if spec.additional_trusted_ca is not None and not spec.additional_trusted_ca.name:
        problems.append(errors.required("spec.additionalTrustedCA.name"))
    return problems + _source_problems(spec.registry_sources or RegistrySources())


def _source_problems(sources: RegistrySources) -> list[FieldError]:
    path = "spec.registrySources"
    problems: list[FieldError] = []
    if sources.blocked_registries and sources.allowed_registries:
        problems.append(errors.invalid_value(path, "object", ONE_OF_TWO))
    search, where = sources.container_runtime_search_registries, f"{path}.containerRuntimeSearchRegistries"
    if search is not None and not search:
        problems.append(errors.invalid_value(where, 0, f"{where} in body should have at least 1 items"))
    seen: set[str] = set()
    for index, registry in enumerate(search or ()):
        if registry in seen:
            problems.append(errors.duplicate(f"{where}[{index}]", registry))
        seen.add(registry)
    return problems


def _mode_problems(mode: str, part: str) -> list[FieldError]:
    return [] if mode in MODES else [errors.not_supported(f"{part}.imageStreamImportMode", mode, MODES)]


def ensure(now: datetime) -> None:
    """Make the configuration, with nothing in it, where there is none."""
    if store.find(IMAGE_CONFIGS, "", CLUSTER) is not None:
        return
    context = Context(SYSTEM, IMAGE_CONFIGS, now, reason="every cluster has one")
    try:
        store.create(
            IMAGE_CONFIGS, Image(metadata=ObjectMeta(name=CLUSTER), spec=ImageSpec()), context=context, strategy=REGULAR
        )
    except errors.StatusError as error:
        # Another process that starts at the same time may have been first.
        if error.code != 409:
            raise


def row(obj: Image, now: datetime) -> list[object]:
    """Return the cells of a configuration."""
    return [obj.metadata.name, table.age(obj.metadata.creation_timestamp, now)]


REGULAR = ImageConfigStrategy()
STATUS = ImageConfigStatusStrategy()

IMAGE_CONFIGS = Resource(
    group=GROUP,
    version=VERSION,
    kind="Image",
    plural="images",
    singular="image",
    namespaced=False,
    type=Image,
    storage=ObjectStorage(REGULAR),
    columns=(NAME, AGE),
    row=row,
    subresources=(Subresource(name="status", storage=StatusStorage(STATUS), type=Image, kind="Image"),),
    marks=(CONFIGURATION,),
)
