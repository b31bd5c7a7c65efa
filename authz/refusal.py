"""How a refusal reads: the 403 answers of the Kubernetes API."""

from __future__ import annotations

from authz.rules import Attributes, Decision
from registry_meta.kube import errors
from registry_meta.kube.meta import GroupResource
from registry_meta.kube.request import Actor

ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def refusal(actor: Actor, asked: Attributes, decision: Decision) -> errors.StatusError:
    """Return the 403 that says who may not do what, and which roles are missing if that is the reason."""
    why = f'User "{actor.username}" cannot {asked}'.translate(ESCAPES)
    if decision.reason:
        why = f"{why}: {decision.reason}"
    if asked.path:
        return errors.forbidden_path(why)
    resource = GroupResource(asked.group, asked.resource.partition("/")[0])
    return errors.forbidden(resource, asked.name, why)
