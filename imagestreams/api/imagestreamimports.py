"""The kind ImageStreamImport: an import that is answered at once."""

from __future__ import annotations

from django.conf import settings

from imagestreams import tags, validation
from imagestreams.imports import run
from imagestreams.types import GROUP, VERSION, ImageStreamImport, ImageStreamImportStatus
from registry_meta.kube import errors
from registry_meta.kube import validation as machinery
from registry_meta.kube.request import Context
from registry_meta.kube.resource import Resource
from registry_meta.kube.strategy import ADMISSIONS, Creation


class ImageStreamImportStorage:
    """Does the import; the request itself is not stored."""

    is_long_running = True
    """It waits for registries, and must not hold up those who wait for the database alone."""

    def create(self, obj: ImageStreamImport, *, context: Context) -> ImageStreamImport:
        """Import and return what came of it; raises 422 for a request that makes no sense."""
        if not obj.metadata.name and obj.metadata.generate_name:
            raise errors.internal_error("metadata.name was not generated")
        obj.status = ImageStreamImportStatus()
        tags.default_import(obj, import_mode=settings.ENVIRONMENT.import_mode)
        problems = machinery.object_meta(obj.metadata, namespaced=True, name_rule=validation.stream_name)
        problems += validation.image_stream_import(obj)
        if problems:
            raise errors.invalid(IMPORTS.group_kind, obj.metadata.name, problems)
        for admission in ADMISSIONS:
            admission(Creation(IMPORTS, context.namespace, obj.metadata.name, context.now))
        context.reason = context.reason or "imported on request"
        return run.execute(obj, context=context)


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
