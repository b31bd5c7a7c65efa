"""What a server has from its first start: namespaces, roles, bindings, OAuth clients, and an administrator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from authz import aggregation, clients, policy, tokens
from authz.aggregation import AggregationRule, ClusterRole
from authz.api.clusterrolebindings import CLUSTER_ROLE_BINDINGS, ClusterRoleBinding
from authz.api.clusterroles import CLUSTER_ROLES
from authz.api.namespaces import NAMESPACES, Namespace
from authz.api.oauthclients import OAUTH_CLIENTS, OAuthClient
from authz.api.rolebindings import ROLE_BINDINGS, Binding, RoleBinding
from authz.api.roles import ROLES, Role
from authz.escalation import missing
from authz.furnishing import furnish_all
from authz.rules import GROUP, MASTERS, PolicyRule, RoleRef, Subject
from authz.selectors import LabelSelector
from registry_meta.kube import errors, meta, store
from registry_meta.kube.meta import KubeObject, ObjectMeta
from registry_meta.kube.request import SYSTEM, Context
from registry_meta.kube.resource import Resource

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
"""The annotation that says `false` where an administrator wants a default left as he made it."""

DESCRIPTION = "openshift.io/description"
REASON = "defaults are kept at each start"
POLICY_FILE = Path(__file__).with_name("default-policy.json")

BUILT_IN_NAMESPACES = ("default", "kube-public", "kube-system", "openshift", "openshift-config")
ADMINISTRATOR = "system:admin"


class _Role(msgspec.Struct, kw_only=True):
    """A role of the file of defaults; `selectors` are the labels of the parts of a sum."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    description: str = ""
    selectors: list[dict[str, str]] | None = None
    rules: list[PolicyRule] | None = None

    def metadata(self) -> ObjectMeta:
        annotations = {AUTOUPDATE: "true", **({DESCRIPTION: self.description} if self.description else {})}
        return ObjectMeta(name=self.name, labels=self.labels or None, annotations=annotations)

    def cluster_role(self) -> ClusterRole:
        if self.selectors is None:
            return ClusterRole(metadata=self.metadata(), rules=self.rules)
        chosen = [LabelSelector(match_labels=labels) for labels in self.selectors]
        return ClusterRole(metadata=self.metadata(), aggregation_rule=AggregationRule(cluster_role_selectors=chosen))


class _Binding(msgspec.Struct, kw_only=True):
    """A binding of the file of defaults."""

    name: str
    namespace: str = ""
    role: str
    subjects: list[Subject]

    def metadata(self) -> ObjectMeta:
        return ObjectMeta(name=self.name, annotations={AUTOUPDATE: "true"})

    def role_ref(self, kind: str) -> RoleRef:
        return RoleRef(api_group=GROUP, kind=kind, name=self.role)

    def filled(self) -> list[Subject]:
        return [
            msgspec.structs.replace(subject, api_group="" if subject.kind == "ServiceAccount" else GROUP)
            for subject in self.subjects
        ]


class _Policy(msgspec.Struct, rename="camel"):
    cluster_roles: list[_Role]
    cluster_role_bindings: list[_Binding]
    roles: list[_Role]
    role_bindings: list[_Binding]


Default = tuple[Resource, str, KubeObject]
"""A kind, a namespace and the object that belongs there."""


def begin() -> None:
    """Make what is missing of the defaults; the server calls it at each start, after the migrations."""
    ensure(meta.now())


def ensure(now: datetime) -> None:
    """Make the namespaces, roles, bindings and OAuth clients that every server has.

    Of what is there already only what it lacks of the default is added, and nothing if its annotation `autoupdate`
    is `false`.
    """
    for name in BUILT_IN_NAMESPACES:
        _create(NAMESPACES, "", Namespace(metadata=ObjectMeta(name=name)), now=now)
    for default in defaults():
        _reconcile(*default, now=now)
    for client in clients.built_in(settings.ENVIRONMENT.server_url):
        _reconcile(OAUTH_CLIENTS, "", client, now=now)
    aggregation.settle(CLUSTER_ROLES, CLUSTER_ROLES.storage.strategy, now=now)
    furnish_all(list(BUILT_IN_NAMESPACES), now=now)


def administrator(kept: str) -> str:
    """Return a valid token of the administrator: the one that was kept, or a new one that ends the older ones."""
    now = meta.now()
    if kept:
        known = tokens.recognise(kept, counter=policy.freshness().tokens)
        if known is not None and known.serves((tokens.AUDIENCE,), now=now):
            return kept
    return tokens.issue(ADMINISTRATOR, now=now, groups=(MASTERS,), description="the administrator of the first start")


def defaults() -> Iterator[Default]:
    """Yield the roles and bindings that every server has, roles first."""
    found = msgspec.json.decode(POLICY_FILE.read_bytes(), type=_Policy)
    for role in found.cluster_roles:
        yield CLUSTER_ROLES, "", role.cluster_role()
    for role in found.roles:
        yield ROLES, role.namespace, Role(metadata=role.metadata(), rules=role.rules)
    for binding in found.cluster_role_bindings:
        reference, subjects = binding.role_ref("ClusterRole"), binding.filled()
        obj = ClusterRoleBinding(metadata=binding.metadata(), role_ref=reference, subjects=subjects)
        yield CLUSTER_ROLE_BINDINGS, "", obj
    for binding in found.role_bindings:
        reference, subjects = binding.role_ref("Role"), binding.filled()
        yield (
            ROLE_BINDINGS,
            binding.namespace,
            RoleBinding(metadata=binding.metadata(), role_ref=reference, subjects=subjects),
        )


def _reconcile(resource: Resource, namespace: str, wanted: KubeObject, *, now: datetime) -> None:
    stored = store.find(resource, namespace, wanted.metadata.name)
    if stored is None:
        _create(resource, namespace, wanted, now=now)
        return
    if (stored.object().metadata.annotations or {}).get(AUTOUPDATE) == "false":
        return
    context = Context(SYSTEM, resource, now, namespace=namespace, reason=REASON)
    strategy = resource.storage.strategy
    store.update(resource, wanted.metadata.name, _completion(wanted), context=context, strategy=strategy)


def _create(resource: Resource, namespace: str, obj: KubeObject, *, now: datetime) -> None:
    if store.find(resource, namespace, obj.metadata.name) is not None:
        return
    context = Context(SYSTEM, resource, now, namespace=namespace, reason=REASON)
    try:
        store.create(resource, obj, context=context, strategy=resource.storage.strategy)
    except errors.StatusError as error:
        # Another process that starts at the same time may have been first.
        if error.code != 409:
            raise


def _completion(wanted: KubeObject) -> Callable[[Any], Any]:
    """Return the edit that adds to an object what it lacks of a default."""

    def edit(found: Any) -> Any:
        found.metadata.labels = _with(found.metadata.labels, wanted.metadata.labels)
        found.metadata.annotations = _with(found.metadata.annotations, wanted.metadata.annotations)
        if isinstance(wanted, Binding):
            present = found.subjects or []
            found.subjects = present + [subject for subject in wanted.subjects or () if subject not in present]
        elif isinstance(wanted, OAuthClient):
            present = found.redirect_uris or []
            found.redirect_uris = present + [uri for uri in wanted.redirect_uris or () if uri not in present]
        elif isinstance(wanted, ClusterRole) and wanted.aggregation_rule is not None:
            found.aggregation_rule = found.aggregation_rule or wanted.aggregation_rule
        elif isinstance(wanted, Role | ClusterRole):
            present = found.rules or []
            found.rules = present + [rule for rule in wanted.rules or () if missing(present, [rule])]
        return found

    return edit


def _with(found: dict[str, str] | None, wanted: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return labels or annotations with those that are missing; what is there keeps its value."""
    return {**(wanted or {}), **(found or {})} or None
