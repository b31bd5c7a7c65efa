"""What the domain asks about permissions."""

from __future__ import annotations

from authz import policy
from authz.rules import Attributes
from imagestreams.types import GROUP, VERSION
from registry_meta.kube import errors
from registry_meta.kube.meta import GroupResource
from registry_meta.kube.request import Actor, Context


def may_pull(actor: Actor, namespace: str, stream: str) -> bool:
    """Return whether an actor may read the images of a stream, which lets it copy or follow their tags."""
    asked = Attributes(
        verb="get", namespace=namespace, group=GROUP, version=VERSION, resource="imagestreams/layers", name=stream
    )
    return policy.decide(actor, asked).allowed


def may_import_from_anywhere(actor: Actor) -> bool:
    """Return whether an actor may import from registries that are not allowed to users: whoever may make images."""
    asked = (
        Attributes(verb="create", namespace="", group=GROUP, version=VERSION, resource=resource, name="")
        # The second is the word of old, which only roles for everything know.
        for resource in ("images", "imagestreammapping")
    )
    return any(policy.decide(actor, each).allowed for each in asked)


def may_create_tags(actor: Actor, namespace: str, *, resource: str) -> bool:
    """Return whether an actor may create tags, as one of their two kinds, which writing to a missing stream demands."""
    asked = Attributes(verb="create", namespace=namespace, group=GROUP, version=VERSION, resource=resource, name="")
    return policy.decide(actor, asked).allowed


def may_see_secrets(actor: Actor, namespace: str) -> bool:
    """Return whether an actor may read the pull secrets of a namespace, in one of the two places where they are."""
    asked = (
        Attributes(verb="list", namespace=namespace, group="", version="v1", resource="secrets"),
        Attributes(verb="get", namespace=namespace, group=GROUP, version=VERSION, resource="imagestreams/secrets"),
    )
    return any(policy.decide(actor, one).allowed for one in asked)


def creation_refused(context: Context, *, resource: str) -> errors.StatusError:
    """Return 403 for an actor who may not create tags."""
    asked = GroupResource(GROUP, resource)
    why = (
        f'User "{context.actor.username}" cannot create resource "{resource}" in API group "{GROUP}"'
        f' in the namespace "{context.namespace}"'
    )
    return errors.forbidden(asked, "", why)
