"""Runs scenarios side by side against one server, configured as the reference was."""

import concurrent.futures

from tests.conformance import replay
from tests.server import Server

WORKERS = 8

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

SLOW = ("import-scheduled", "machinery-garbage-collection", "machinery-namespace-terminating", "authz-projects")


def slow_first(names):
    """Names of scenarios in the order in which they are done soonest: those that wait for long begin."""
    return sorted(names, key=lambda name: name not in SLOW and not name.startswith("trigger-"))


def server(**options):
    """A server like the one whose answers were recorded, not started."""
    return Server(environment=REFERENCE, **options)


def replay_all(scenarios, *, url, token, ca, done, workers=WORKERS):
    """Replay scenarios, each in its own namespace, and hand the report of each to `done` as it ends."""
    found = dict(scenarios)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(replay.compare, url, token, ca, name, found[name]) for name in slow_first(found)]
        for future in concurrent.futures.as_completed(futures):
            done(future.result())
