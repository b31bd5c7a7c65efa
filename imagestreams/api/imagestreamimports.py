"""The kind ImageStreamImport: an import that is answered at once."""

from __future__ import annotations

from imagestreams import access, configuration, holds, tags, validation, whitelist
from imagestreams.api.imagestreams import find_stream
from imagestreams.imports import run
from imagestreams.types import GROUP, VERSION, ImageStreamImport, ImageStreamImportStatus
from imagestreams.upstream.values import Deadline
from registry_meta.kube import errors
from registry_meta.kube import validation as machinery
from registry_meta.kube.deadline import allotted
from registry_meta.kube.errors import FieldError
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.strategy import ADMISSIONS, Creation

ALLOTTED = 34.0
"""How many seconds an import may take that says nothing of it."""
LONGEST = 3600.0
"""The most seconds that a request can ask for."""


class ImageStreamImportStorage:
    """Does the import; the request itself is not stored."""

    is_long_running = True
    """It waits for registries, and must not hold up those who wait for the database alone."""

    def create(self, obj: ImageStreamImport, *, context: Context) -> ImageStreamImport:
        """Import and return what came of it; raises 422 for a request that makes no sense.

        The time that the query gives as `timeout`, a duration, starts here.
        """
        asked = context.query.get("timeout")
        deadline = Deadline(allotted(asked, most=LONGEST) if asked else ALLOTTED)
        if not obj.metadata.name and obj.metadata.generate_name:
            raise errors.internal_error("metadata.name was not generated")
        obj.status = ImageStreamImportStatus()
        tags.default_import(obj, import_mode=configuration.current().import_mode)
        problems = machinery.object_meta(obj.metadata, namespaced=True, name_rule=validation.stream_name)
        problems += validation.image_stream_import(obj)
        if problems:
            raise errors.invalid(IMPORTS.group_kind, obj.metadata.name, problems)
        for admission in ADMISSIONS:
            admission(Creation(IMPORTS, context.namespace, obj.metadata.name, context.now))
        refused = _not_allowed(obj, context=context)
        if refused:
            raise errors.invalid(IMPORTS.group_kind, obj.metadata.name, refused)
        held = _held(obj, context=context)
        if held:
            raise errors.invalid(IMPORTS.group_kind, obj.metadata.name, held)
        context.reason = context.reason or "imported on request"
        return run.execute(obj, context=context, deadline=deadline)


def _not_allowed(obj: ImageStreamImport, *, context: Context) -> list[FieldError]:
    """Return what the actor may not import from; whoever may make images may import from everywhere."""
    problems = whitelist.import_problems(obj, configuration.current().whitelist)
    return problems if problems and not access.may_import_from_anywhere(context.actor) else []


def _held(obj: ImageStreamImport, *, context: Context) -> list[FieldError]:
    """Return an error for each tag that is named to be moved and is held."""
    stream = find_stream(context.namespace, obj.metadata.name) if obj.spec.import_ else None
    if stream is None:
        return []
    problems: list[FieldError] = []
    for index, image in enumerate(obj.spec.images or []):
        hold = holds.on(stream, image.to.name, now=context.now) if image.to is not None else None
        if hold is not None:
            problems.append(holds.refusal(f"spec.images[{index}].to.name", hold))
    return problems


IMPORTS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ImageStreamImport",
    plural="imagestreamimports",
    singular="imagestreamimport",
    namespaced=True,
    type=ImageStreamImport,
    storage=ImageStreamImportStorage(),
    columns=None,
)
