"""Runs scenarios side by side against one server, configured as the reference was."""

import concurrent.futures

from tests.conformance import replay
from tests.server import Server

WORKERS = 6

REFERENCE = {
    "INTERNAL_REGISTRY_HOSTNAME": "image-registry.openshift-image-registry.svc:5000",
    "IMPORT_MODE": "Legacy",
    "MAX_IMAGES_BULK_IMPORTED_PER_REPOSITORY": "50",
    "SCHEDULED_IMPORT_INTERVAL": "30",
    "ALLOW_PRIVATE_NETWORKS": "true",
    "DEFAULT_PLATFORM": "linux/amd64",
    "LOG_LEVEL": "warning",
}
"""The settings of the recorded server, as environment variables without their prefix."""

SLOW_FIRST = ("import-scheduled", "machinery-garbage-collection", "machinery-namespace-terminating")


def server(**options):
    """A server like the one whose answers were recorded, not started."""
    return Server(environment=REFERENCE, **options)


def replay_all(scenarios, *, url, token, ca, done, workers=WORKERS):
    """Replay scenarios, each in its own namespace, and hand the report of each to `done` as it ends."""
    ordered = sorted(scenarios, key=lambda item: item[0] not in SLOW_FIRST)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(replay.compare, url, token, ca, name, scenario) for name, scenario in ordered]
        for future in concurrent.futures.as_completed(futures):
            done(future.result())
