"""The smallest valid object of each stored kind, so that the contract can be tried on it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

RBAC = "rbac.authorization.k8s.io"
Document = dict[str, Any]


def plain_name(word: str) -> str:
    """Return a name as most kinds have it."""
    return f"contract-{word}"


def digest_name(word: str) -> str:
    """Return a name as images have it."""
    return "sha256:" + hashlib.sha256(word.encode()).hexdigest()


@dataclass(frozen=True)
class Example:
    """What an object of a kind holds beside its metadata, what it is called, and what a test must know of it."""

    content: Callable[[str], Document] = lambda namespace: {}
    name: Callable[[str], str] = plain_name
    of_name: Callable[[str], Document] = lambda name: {}
    """What an object holds that must fit its name."""
    generates_names: bool = True
    finishes_elsewhere: bool = False
    """Deletion begins with the request and is finished by a worker."""
    observed: bool = False
    """A worker writes the status of a new object, a moment later."""
    everyone_reads: bool = False
    """Whoever is authenticated may read the objects."""
    everyone_deletes: bool = False
    """Whoever is authenticated and knows the name of an object may delete it."""


def event(namespace: str) -> Document:
    """Return an event about a pod."""
    involved = {"kind": "Pod", "apiVersion": "v1", "namespace": namespace, "name": "p"}
    return {"involvedObject": involved, "reason": "Tested", "message": "a test", "type": "Normal"}


def rules(namespace: str) -> Document:
    """Return what a role allows."""
    return {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}


def binding(namespace: str) -> Document:
    """Return what a binding says."""
    subject = {"kind": "User", "name": "somebody", "apiGroup": RBAC}
    return {"subjects": [subject], "roleRef": {"kind": "ClusterRole", "name": "view", "apiGroup": RBAC}}


def image(namespace: str) -> Document:
    """Return what an image holds."""
    return {"dockerImageReference": "registry.example.com/team/app@sha256:" + "0" * 64}


def trigger(namespace: str) -> Document:
    """Return a trigger that posts to a consumer."""
    tag = {"kind": "ImageStreamTag", "name": "app:latest"}
    return {"spec": {"from": tag, "webhook": {"url": "https://consumer.example.com/"}, "paused": True}}


def limit_range(namespace: str) -> Document:
    """Return a limit that nothing reaches."""
    return {"spec": {"limits": [{"type": "openshift.io/Image", "max": {"storage": "1Ti"}}]}}


def quota(namespace: str) -> Document:
    """Return a quota of what is not counted here, so that its status stays as it is."""
    return {"spec": {"hard": {"pods": "4", "requests.storage": "10Gi"}}}


def token_name(word: str) -> str:
    """Return a name as access tokens have it, the hash of something."""
    return "sha256~" + base64.urlsafe_b64encode(hashlib.sha256(word.encode()).digest()).decode().rstrip("=")


def identity_name(word: str) -> str:
    """Return a name as identities have it."""
    return f"contract:{word}"


def access_token(namespace: str) -> Document:
    """Return what an access token says; there is no such user, so nobody gets in with it."""
    return {
        "clientName": "openshift-challenging-client",
        "expiresIn": 86400,
        "redirectURI": "https://127.0.0.1/oauth/token/implicit",
        "scopes": ["user:full"],
        "userName": "somebody",
        "userUID": "00000000-0000-4000-8000-000000000000",
    }


def mirrors(field: str) -> Document:
    """Return mirrors of a registry that nothing is imported from."""
    return {"spec": {field: [{"source": "contract.invalid", "mirrors": ["mirror.invalid/contract"]}]}}


EXAMPLES: dict[str, Example] = {
    "namespaces": Example(finishes_elsewhere=True),
    "secrets": Example(lambda namespace: {"type": "Opaque", "data": {"key": "dmFsdWU="}}),
    "configmaps": Example(lambda namespace: {"data": {"key": "value"}}),
    "serviceaccounts": Example(),
    "events": Example(event),
    "limitranges": Example(limit_range),
    "resourcequotas": Example(quota),
    f"roles.{RBAC}": Example(rules),
    f"rolebindings.{RBAC}": Example(binding),
    f"clusterroles.{RBAC}": Example(rules, everyone_reads=True),
    f"clusterrolebindings.{RBAC}": Example(binding),
    "users.user.openshift.io": Example(lambda namespace: {"fullName": "Some Body"}),
    "identities.user.openshift.io": Example(
        lambda namespace: {"providerName": "contract"},
        identity_name,
        lambda name: {"providerUserName": name.partition(":")[2]},
        generates_names=False,
    ),
    "groups.user.openshift.io": Example(lambda namespace: {"users": ["somebody"]}),
    "oauthclients.oauth.openshift.io": Example(lambda namespace: {"grantMethod": "auto"}),
    "oauthaccesstokens.oauth.openshift.io": Example(
        access_token, token_name, generates_names=False, everyone_deletes=True
    ),
    "images.image.openshift.io": Example(image, digest_name, generates_names=False),
    "imagestreams.image.openshift.io": Example(lambda namespace: {"spec": {"lookupPolicy": {"local": False}}}),
    "images.config.openshift.io": Example(lambda namespace: {"spec": {"externalRegistryHostnames": ["r.example.com"]}}),
    "imagedigestmirrorsets.config.openshift.io": Example(lambda namespace: mirrors("imageDigestMirrors")),
    "imagetagmirrorsets.config.openshift.io": Example(lambda namespace: mirrors("imageTagMirrors")),
    "imagecontentsourcepolicies.operator.openshift.io": Example(lambda namespace: mirrors("repositoryDigestMirrors")),
    "imagetriggers.triggers.registry-meta.io": Example(trigger, observed=True),
}
"""By the key of the kind, its plural in its group."""
