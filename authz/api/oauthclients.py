"""The kind OAuthClient: a program that people may log in by, and what it may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from authz import scopes as limits
from registry_meta.kube import errors
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import MERGED, KubeObject, KubeStruct
from registry_meta.kube.objects import ObjectStorage
from registry_meta.kube.request import Context
from registry_meta.kube.resource import NAME, Column, Resource
from registry_meta.kube.strategy import Strategy

GROUP = "oauth.openshift.io"
VERSION = "v1"

AUTO = "auto"
PROMPT = "prompt"
METHODS = (AUTO, PROMPT)
"""Whether a client gets its token at once, or after the user has agreed."""

SHORTEST_TIMEOUT = 300


class ClusterRoleScopeRestriction(KubeStruct):
    """Scopes of roles: which, where, and whether with what leads to more; `*` stands for all."""

    role_names: list[str] | None = None
    namespaces: list[str] | None = None
    allow_escalation: bool = False


class ScopeRestriction(KubeStruct):
    """Scopes that a client may ask for: these, or those of these roles."""

    literals: list[str] | None = None
    cluster_role: ClusterRoleScopeRestriction | None = None


class OAuthClient(KubeObject):
    """A program that people log in by."""

    secret: str = ""
    additional_secrets: list[str] | None = None
    respond_with_challenges: bool = False
    redirect_uris: Annotated[list[str] | None, MERGED] = msgspec.field(default=None, name="redirectURIs")
    grant_method: str = ""
    scope_restrictions: list[ScopeRestriction] | None = None
    access_token_max_age_seconds: int | None = None
    access_token_inactivity_timeout_seconds: int | None = None


class OAuthClientStrategy(Strategy[OAuthClient]):
    """A client says where browsers go back to and how it gets its tokens."""

    unconditional_update = False

    def validate(self, obj: OAuthClient, *, context: Context) -> list[FieldError]:
        """Return what is wrong with a client."""
        problems = [
            errors.invalid_value(f"redirectURIs[{index}]", uri, why)
            for index, uri in enumerate(obj.redirect_uris or ())
            if (why := redirect_problem(uri))
        ]
        problems += [
            errors.invalid_value(f"additionalSecrets[{index}]", "", "may not be empty")
            for index, secret in enumerate(obj.additional_secrets or ())
            if not secret
        ]
        for index, restriction in enumerate(obj.scope_restrictions or ()):
            problems += _restriction_problems(restriction, f"scopeRestrictions[{index}]")
        return problems + _time_problems(obj) + _method_problems(obj.grant_method)


def _time_problems(client: OAuthClient) -> list[FieldError]:
    problems: list[FieldError] = []
    age, timeout = client.access_token_max_age_seconds, client.access_token_inactivity_timeout_seconds
    if age is not None and age < 0:
        problems.append(errors.invalid_value("accessTokenMaxAgeSeconds", age, "value cannot be negative"))
    if timeout is not None and timeout < 0:
        why = "value cannot be negative"
        problems.append(errors.invalid_value("accessTokenInactivityTimeoutSeconds", timeout, why))
    elif timeout and timeout < SHORTEST_TIMEOUT:
        why = f"The minimum valid timeout value is {SHORTEST_TIMEOUT} seconds"
        problems.append(errors.invalid_value("accessTokenInactivityTimeoutSeconds", timeout, why))
    return problems


def _method_problems(method: str) -> list[FieldError]:
    if not method:
        return [errors.required("grantMethod", f"must be {AUTO} or {PROMPT}")]
    return [] if method in METHODS else [errors.not_supported("grantMethod", method, METHODS)]


def _restriction_problems(restriction: ScopeRestriction, field: str) -> list[FieldError]:
    role = restriction.cluster_role
    if bool(restriction.literals) == (role is not None):
        why = "exactly one of literals, clusterRole is required"
        return [errors.invalid_value(field, restriction, why)]
    problems = [
        errors.invalid_value(f"{field}.literals[{index}]", literal, "may not be empty")
        for index, literal in enumerate(restriction.literals or ())
        if not literal
    ]
    if role is not None and not role.role_names:
        problems.append(errors.required(f"{field}.clusterRole.roleNames", "won't match anything"))
    if role is not None and not role.namespaces:
        problems.append(errors.required(f"{field}.clusterRole.namespaces", "won't match anything"))
    return problems


def redirect_problem(uri: str) -> str:
    """Return what keeps a text from being where a browser is sent back to; nothing when it may."""
    if not uri:
        return "may not be empty"
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        return str(error)
    if parts.fragment:
        return "may not contain a fragment"
    dots = {".", ".."} & set(parts.path.split("/"))
    return f"may not contain a path segment of {max(dots)}" if dots else ""


def excess(client: OAuthClient, scopes: Sequence[str]) -> str:
    """Return why a client may not ask for scopes, or nothing."""
    if not scopes:
        return f"{client.metadata.name} may not request unscoped tokens"
    restrictions = client.scope_restrictions or []
    if not restrictions:
        return ""
    beyond = [scope for scope in scopes if not any(_lets(restriction, scope) for restriction in restrictions)]
    return f"{', '.join(beyond)} did not match any scope restriction" if beyond else ""


def _lets(restriction: ScopeRestriction, scope: str) -> bool:
    if restriction.literals:
        return scope in restriction.literals
    named, role = limits.role_scope(scope), restriction.cluster_role
    if named is None or role is None or (named.escalating and not role.allow_escalation):
        return False
    return _among(named.role, role.role_names) and _among(named.namespace, role.namespaces)


def _among(name: str, allowed: Sequence[str] | None) -> bool:
    return name in (allowed or ()) or "*" in (allowed or ())


def _max_age(seconds: int | None) -> str:
    """Return the cell of a maximal age, written as Go writes durations: 24h0m0s."""
    if seconds is None:
        return "default"
    if not seconds:
        return "unexpiring"
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def row(client: OAuthClient, now: datetime) -> list[object]:
    """Return the table row of a client, its secret included, as whoever may read it is used to."""
    age = _max_age(client.access_token_max_age_seconds)
    uris = ",".join(client.redirect_uris or ())
    return [client.metadata.name, client.secret, client.respond_with_challenges, age, uris]


OAUTH_CLIENTS = Resource(
    group=GROUP,
    version=VERSION,
    kind="OAuthClient",
    plural="oauthclients",
    singular="oauthclient",
    namespaced=False,
    type=OAuthClient,
    storage=ObjectStorage(OAuthClientStrategy()),
    columns=(
        NAME,
        Column("Secret", description="What the client proves itself with."),
        Column("WWW-Challenge", "boolean", description="Whether it is asked for a password without a page."),
        Column("Token-Max-Age", description="How long its tokens are valid."),
        Column("Redirect URIs", description="Where browsers may be sent back to."),
    ),
    row=row,
    sealed=True,
)
