"""What this application adds to the server: its kinds, its admission, and what wakes its workers."""

from __future__ import annotations

from authz import signingkeys, tasks
from authz.admission import admit
from authz.api.accessreviews import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)
from authz.api.clusterrolebindings import CLUSTER_ROLE_BINDINGS
from authz.api.clusterroles import CLUSTER_ROLES
from authz.api.configmaps import CONFIG_MAPS
from authz.api.events import EVENTS
from authz.api.groups import GROUPS
from authz.api.identities import IDENTITIES
from authz.api.limitranges import LIMIT_RANGES
from authz.api.namespaces import NAMESPACES
from authz.api.oauthaccesstokens import OAUTH_ACCESS_TOKENS
from authz.api.oauthclients import OAUTH_CLIENTS
from authz.api.openshiftreviews import (
    LOCAL_RESOURCE_ACCESS_REVIEWS,
    OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS,
    OPENSHIFT_SUBJECT_ACCESS_REVIEWS,
    RESOURCE_ACCESS_REVIEWS,
)
from authz.api.openshiftrulesreviews import OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS, SUBJECT_RULES_REVIEWS
from authz.api.projectrequests import PROJECT_REQUESTS
from authz.api.projects import PROJECTS
from authz.api.resourcequotas import RESOURCE_QUOTAS
from authz.api.rolebindings import ROLE_BINDINGS
from authz.api.roles import ROLES
from authz.api.rulesreviews import SELF_SUBJECT_RULES_REVIEWS
from authz.api.secrets import SECRETS
from authz.api.serviceaccounts import SERVICE_ACCOUNTS
from authz.api.subjectreviews import SELF_SUBJECT_REVIEWS
from authz.api.tokenreviews import TOKEN_REVIEWS
from authz.api.useridentitymappings import USER_IDENTITY_MAPPINGS
from authz.api.useroauthaccesstokens import USER_OAUTH_ACCESS_TOKENS
from authz.api.users import USERS
from authz.descriptions import DESCRIPTIONS
from authz.projectwatch import TOPIC, TOPIC_KEYS
from registry_meta.kube import openapi_text, resealing
from registry_meta.kube.catalog import catalog
from registry_meta.kube.changes import feed
from registry_meta.kube.hints import bell
from registry_meta.kube.strategy import ADMISSIONS

KINDS = (
    NAMESPACES,
    SECRETS,
    CONFIG_MAPS,
    SERVICE_ACCOUNTS,
    EVENTS,
    LIMIT_RANGES,
    RESOURCE_QUOTAS,
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    TOKEN_REVIEWS,
    USERS,
    IDENTITIES,
    GROUPS,
    USER_IDENTITY_MAPPINGS,
    OAUTH_CLIENTS,
    OAUTH_ACCESS_TOKENS,
    USER_OAUTH_ACCESS_TOKENS,
    PROJECTS,
    PROJECT_REQUESTS,
    OPENSHIFT_SUBJECT_ACCESS_REVIEWS,
    OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS,
    RESOURCE_ACCESS_REVIEWS,
    LOCAL_RESOURCE_ACCESS_REVIEWS,
    OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_RULES_REVIEWS,
)


def register() -> None:
    """Fill the catalog, guard creations, and wake the workers when namespaces change."""
    catalog.register(*KINDS)
    openapi_text.describe(DESCRIPTIONS)
    ADMISSIONS.append(admit)
    resealing.COLUMNS.append(signingkeys.SEALED)
    feed.gather(TOPIC, *TOPIC_KEYS)
    bell.on(NAMESPACES.key, tasks.sweep_namespaces)
    bell.on(RESOURCE_QUOTAS.key, tasks.sweep_quotas)
