"""One line for each request that may change something: who asked for what, and what came of it.

The lines are Events of `audit.k8s.io/v1` at level Metadata, which tools read; bodies and queries are never in them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from django.http import HttpRequest

from registry_meta.kube.request import Actor, Context, RequestInfo

logger = logging.getLogger("audit")

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
TOTAL = "apiserver.latency.k8s.io/total"
DRY_RUN = "registry-meta/dry-run"
LONGEST_AGENT = 256
NONE: Mapping[str, str] = {}


def is_told(info: RequestInfo) -> bool:
    """Return whether a request may change something."""
    return info.is_resource and info.verb in WRITES


def tell(
    request: HttpRequest, info: RequestInfo, *, actor: Actor | None, context: Context | None, code: int, seconds: float,
    audit_id: str, annotations: Mapping[str, str] = NONE,
) -> None:  # fmt: skip
    """Write the line of a request; `actor` is None when it was not known who asks, `annotations` say more of it."""
    ended = datetime.now(UTC)
    line: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": request.path,
        "verb": info.verb,
        **_who(actor),
        "sourceIPs": [request.META.get("REMOTE_ADDR", "")],
        "userAgent": request.META.get("HTTP_USER_AGENT", "")[:LONGEST_AGENT],
        **({"objectRef": about} if (about := _what(info, context)) else {}),
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": _micro(ended - timedelta(seconds=seconds)),
        "stageTimestamp": _micro(ended),
        "annotations": {
            TOTAL: f"{seconds * 1000:.3f}ms",
            **annotations,
            **({DRY_RUN: "true"} if context is not None and context.dry_run else {}),
        },
    }
    logger.info("%s", msgspec.json.encode(line).decode())


def _who(actor: Actor | None) -> dict[str, object]:
    """Return who asked, and as whom he was served where that is somebody else."""
    if actor is None:
        return {"user": {}}
    if actor.via is not None:
        return {"user": _known(actor.via), "impersonatedUser": _known(actor)}
    return {"user": _known(actor)}


def _known(actor: Actor) -> dict[str, object]:
    asked: dict[str, object] = {"username": actor.username, "groups": list(actor.groups)}
    if actor.uid:
        asked["uid"] = actor.uid
    if actor.extra:
        asked["extra"] = {key: list(values) for key, values in actor.extra.items()}
    return asked


def _what(info: RequestInfo, context: Context | None) -> dict[str, str]:
    about = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name or (context.made if context is not None else ""),
        "apiGroup": info.group,
        "apiVersion": info.version,
        "subresource": info.subresource,
    }
    return {key: value for key, value in about.items() if value}


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
