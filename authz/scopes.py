"""What the scopes of an access token let its bearer do of what he may (OAuth scopes of OpenShift); pure.

user:full · user:info · user:check-access · user:list-projects · user:list-scoped-projects
role:CLUSTER-ROLE:NAMESPACE[:!]   NAMESPACE may be `*`; `!` includes what leads to more, such as secrets
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from authz.rules import Permissions, PolicyRule
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError

EXTRA = "scopes.authorization.openshift.io"
"""Under which key an actor's scopes are known; who has none there is not limited."""

FULL = "user:full"
INFO = "user:info"
CHECK_ACCESS = "user:check-access"
LIST_PROJECTS = "user:list-projects"
LIST_SCOPED_PROJECTS = "user:list-scoped-projects"
ROLE = "role:"
EVERYWHERE = "*"

PROJECTS = PolicyRule(verbs=["list", "watch"], api_groups=["project.openshift.io", ""], resources=["projects"])
DISCOVERY = Permissions([
    PolicyRule(
        verbs=["get"],
        non_resource_urls=[
            "/", "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version", "/version/*",
            "/.well-known", "/.well-known/*",
        ],
    ),
])  # fmt: skip
"""What every token may read: what there is."""

RULES: Mapping[str, Sequence[PolicyRule]] = {
    INFO: [
        PolicyRule(verbs=["get"], api_groups=["user.openshift.io", ""], resources=["users"], resource_names=["~"]),
        PolicyRule(verbs=["create"], api_groups=["authentication.k8s.io"], resources=["selfsubjectreviews"]),
    ],
    CHECK_ACCESS: [
        PolicyRule(
            verbs=["create"],
            api_groups=["authorization.k8s.io"],
            resources=["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        ),
        PolicyRule(
            verbs=["create"], api_groups=["authorization.openshift.io", ""], resources=["selfsubjectrulesreviews"]
        ),
    ],
    LIST_PROJECTS: [PROJECTS, PolicyRule(verbs=["get"], api_groups=[""], resources=["namespaces"])],
    LIST_SCOPED_PROJECTS: [PROJECTS],
    FULL: [
        PolicyRule(verbs=["*"], api_groups=["*"], resources=["*"]),
        PolicyRule(verbs=["*"], non_resource_urls=["*"]),
    ],
}
"""What the scopes that name no role let pass."""

PERSONAL = {scope: Permissions(rules) for scope, rules in RULES.items()}

ESCALATING = frozenset({
    ("", "secrets"),
    ("", "serviceaccounts/token"),
    *((group, "imagestreams/secrets") for group in ("", "image.openshift.io")),
    *((group, name) for group in ("", "oauth.openshift.io") for name in ("oauthauthorizetokens", "oauthaccesstokens")),
    *(
        (group, name)
        for group in ("", "authorization.openshift.io", "rbac.authorization.k8s.io")
        for name in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    ),
})  # fmt: skip
"""What gives more than it says: pairs of API group and resource."""

ILLEGAL = "{} not allowed"


@dataclass(frozen=True, slots=True)
class RoleScope:
    """A scope that lets pass what a cluster role allows."""

    role: str
    namespace: str
    escalating: bool

    def covers(self, namespace: str) -> bool:
        """Return whether the scope is about a namespace; what lies in none is covered by all namespaces alone."""
        return self.namespace in (EVERYWHERE, namespace)


RolePermissions = Callable[[RoleScope], "Permissions | None"]
"""Returns what the role of a scope allows, less what leads to more unless the scope includes it; None for no role."""


def role_scope(scope: str) -> RoleScope | None:
    """Return the parts of a scope that names a role; None when it is none or not well formed."""
    if not scope.startswith(ROLE):
        return None
    escalating = scope.endswith(":!")
    role, _, namespace = scope.removeprefix(ROLE).removesuffix(":!").rpartition(":")
    return RoleScope(role, namespace, escalating) if role and namespace else None


def permissions(scopes: Sequence[str], namespace: str, *, role: RolePermissions) -> Iterator[Permissions]:
    """Yield what scopes let pass in a namespace, or with an empty one in the whole cluster."""
    yield DISCOVERY
    for scope in scopes:
        if scope in PERSONAL:
            yield PERSONAL[scope]
            continue
        named = role_scope(scope)
        found = role(named) if named is not None and named.covers(namespace) else None
        if found is not None:
            yield found


def harmless(found: Sequence[PolicyRule]) -> Iterator[PolicyRule]:
    """Yield rules without what leads to more; one that is about everything is left out."""
    for rule in found:
        resources, groups = rule.resources or [], rule.api_groups or []
        if "*" in (rule.verbs or ()) or "*" in resources or "*" in groups:
            continue
        kept = [name for name in resources if not _is_escalating(groups, name)]
        if kept or not resources:
            yield msgspec.structs.replace(rule, resources=kept or None)


def _is_escalating(groups: Sequence[str], resource: str) -> bool:
    return resource.startswith("*/") or any((group, resource) in ESCALATING for group in groups)


def denial(scopes: Sequence[str]) -> str:
    """Return the words for a refusal that scopes are the reason of."""
    return f"scopes [{' '.join(scopes)}] prevent this action"


def problems(scopes: Sequence[str] | None, field: str) -> list[FieldError]:
    """Return what is wrong with the scopes of a token."""
    if not scopes:
        return [errors.required(field, "may not be empty")]
    return [
        errors.invalid_value(f"{field}[{index}]", scope, why)
        for index, scope in enumerate(scopes)
        if (why := _problem(scope))
    ]


def _problem(scope: str) -> str:
    illegal = next((letter for letter in scope if not "!" <= letter <= "~" or letter in '"\\'), "")
    if illegal:
        return ILLEGAL.format(ord(illegal))
    if scope.startswith("user:"):
        return "" if scope in RULES else f"unrecognized scope: {scope}"
    if scope.startswith(ROLE):
        return "" if role_scope(scope) else f"bad format for scope {scope}"
    return "no scope handler found"
