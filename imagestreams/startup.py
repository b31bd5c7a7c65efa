"""What the domain adds to the server: its kinds, its hints, and what it does at each start."""

from __future__ import annotations

from authz.api import secrets as authz_secrets
from imagestreams import tasks
from imagestreams.api import imageconfigs, secrets
from imagestreams.api.imageconfigs import IMAGE_CONFIGS
from imagestreams.api.images import IMAGES
from imagestreams.api.imagesignatures import IMAGE_SIGNATURES
from imagestreams.api.imagestreamimages import IMAGE_STREAM_IMAGES
from imagestreams.api.imagestreamimports import IMPORTS
from imagestreams.api.imagestreammappings import MAPPINGS
from imagestreams.api.imagestreams import IMAGE_STREAMS
from imagestreams.api.imagestreamtags import IMAGE_STREAM_TAGS
from imagestreams.api.imagetags import IMAGE_TAGS
from imagestreams.api.imagetrigger import IMAGE_TRIGGERS
from imagestreams.api.imageusers import USERS
from imagestreams.api.mirrorsets import DIGEST_MIRROR_SETS, SOURCE_POLICIES, TAG_MIRROR_SETS
from imagestreams.api.rollback import ROLLBACK
from imagestreams.api.taghistory import HISTORY
from imagestreams.clusterdescriptions import DESCRIPTIONS as CLUSTER_DESCRIPTIONS
from imagestreams.clustertypes import GROUP as CONFIG_GROUP
from imagestreams.clustertypes import OPERATOR_GROUP
from imagestreams.descriptions import DESCRIPTIONS
from imagestreams.imports import tasks as imports
from imagestreams.ledgertypes import GROUP, VERSION
from imagestreams.triggers import tasks as triggers
from registry_meta.kube import consumers, meta, openapi_text
from registry_meta.kube.catalog import catalog
from registry_meta.kube.hints import bell

KINDS = (
    IMAGES,
    IMAGE_SIGNATURES,
    IMAGE_STREAM_IMAGES,
    IMPORTS,
    MAPPINGS,
    IMAGE_STREAMS,
    IMAGE_STREAM_TAGS,
    IMAGE_TAGS,
    IMAGE_TRIGGERS,
    IMAGE_CONFIGS,
    DIGEST_MIRROR_SETS,
    TAG_MIRROR_SETS,
    SOURCE_POLICIES,
)


def register() -> None:
    """Fill the catalog and wake the workers when streams change."""
    catalog.register(*KINDS)
    # `images` alone means those of image.openshift.io.
    catalog.put_last(CONFIG_GROUP, OPERATOR_GROUP)
    catalog.attach(IMAGE_STREAMS, HISTORY, ROLLBACK, group=GROUP, version=VERSION)
    catalog.attach(IMAGES, USERS, group=GROUP, version=VERSION)
    openapi_text.describe(DESCRIPTIONS)
    openapi_text.describe(CLUSTER_DESCRIPTIONS)
    authz_secrets.CHECKS.update(secrets.CHECKS)
    bell.on(IMAGE_STREAMS.key, imports.drain)
    bell.on(IMAGE_STREAMS.key, triggers.drain)
    bell.on(IMAGE_TRIGGERS.key, triggers.sweep)
    bell.on(IMAGE_CONFIGS.key, tasks.sweep_addresses)


def begin() -> None:
    """Make the image configuration, and let the readers of the change log start at the present, on the first start."""
    imageconfigs.ensure(meta.now())
    consumers.register(imports.CONSUMER)
    consumers.register(triggers.CONSUMER)
