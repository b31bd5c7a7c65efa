"""Brings the repositories in the status of streams up to date when the hosts of the integrated registry change."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from datetime import datetime

from django.db import connection

from imagestreams import tags
from imagestreams.api.imagestreams import IMAGE_STREAMS, INTERNAL
from imagestreams.hosts import registry_hosts
from imagestreams.repositories import RegistryHosts
from imagestreams.types import ImageStream
from registry_meta.kube import store
from registry_meta.kube.errors import StatusError
from registry_meta.kube.request import SYSTEM, Context

logger = logging.getLogger(__name__)

PAGE = 200
REASON = "the hosts of the registry changed"
AFTER = (
    "SELECT namespace, name, document FROM kube_object"
    " WHERE resource = %s AND (namespace, name) > (%s, %s) ORDER BY namespace, name LIMIT %s"
)


def sweep(now: datetime) -> int:
    """Write anew the streams that tell of other hosts than those in force; return how many there were."""
    hosts, count = registry_hosts(), 0
    for namespace, name in _stale(hosts):
        context = Context(SYSTEM, IMAGE_STREAMS, now, namespace=namespace, reason=REASON)
        try:
            # The rules of every write put the hosts in.
            store.update(IMAGE_STREAMS, name, lambda found: found, context=context, strategy=INTERNAL)
        except StatusError as error:
            # It went meanwhile, or is over limits that came later; whoever writes it next writes the hosts.
            logger.info("%s/%s keeps the address that it has: %s", namespace, name, error)
        else:
            count += 1
    return count


def _stale(hosts: RegistryHosts) -> Iterator[tuple[str, str]]:
    for namespace, name, document in _every():
        stream: ImageStream = IMAGE_STREAMS.decoder.decode(document)
        status = copy.copy(stream.status)
        tags.decorate(stream, hosts)
        if stream.status != status:
            yield namespace, name


def _every() -> Iterator[tuple[str, str, str]]:
    namespace = name = ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(AFTER, [IMAGE_STREAMS.key, namespace, name, PAGE])
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < PAGE:
            return
        namespace, name, _ = rows[-1]
