"""What is counted of imports and of deliveries, by how they went."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge

IMPORTS = Counter(
    "registry_meta_imports_total", "Imports that the server did by itself, by how they ended: Done, PutOff, BrokenOff.",
    ("outcome",), registry=None,
)  # fmt: skip
IMAGES = Counter(
    "registry_meta_imported_images_total", "Images that imports asked for: Success, or the reason of the failure.",
    ("outcome",), registry=None,
)  # fmt: skip
CHECKS = Counter(
    "registry_meta_schedule_checks_total",
    "Looks at tags by the clock: Unchanged, Same, Moved, PutOff, or the kind of failure.",
    ("outcome",), registry=None,
)  # fmt: skip
CREDENTIALS = Counter(
    "registry_meta_upstream_credentials_total",
    "Credentials that were shown to registries, once for each repository of an import: Accepted, Refused, NotFound"
    " (the registry shows no such repository), NotAsked (it gave no answer).",
    ("outcome",), registry=None,
)  # fmt: skip
DELIVERIES = Counter(
    "registry_meta_deliveries_total", "Attempts to tell a consumer of a moved tag, by how they went.",
    ("outcome",), registry=None,
)  # fmt: skip
QUOTA_REMAINING = Gauge(
    "registry_meta_upstream_quota_remaining", "Pulls that an upstream registry said are left, where it says that.",
    ("host",), registry=None, multiprocess_mode="mostrecent",
)  # fmt: skip
LIMITED_UNTIL = Gauge(
    "registry_meta_upstream_limited_until_timestamp_seconds",
    "Until when an upstream registry wants no requests, or no pulls, of some payer, where it ever said that.",
    ("host",), registry=None, multiprocess_mode="max",
)  # fmt: skip
CLOUD_CREDENTIALS = Counter(
    "registry_meta_cloud_credentials_total", "Credentials that were to be made at a cloud: Made, Refused, Failed.",
    ("cloud", "outcome"), registry=None,
)  # fmt: skip


def count_image(status: Mapping[str, object]) -> None:
    """Count an image that an import asked for, by the Status that it was given."""
    succeeded = status.get("status") == "Success"
    IMAGES.labels("Success" if succeeded else str(status.get("reason") or "Unknown")).inc()
