"""What the fields of namespaces, people, secrets, roles and reviews mean, in words for `kubectl explain`."""

from __future__ import annotations

from collections.abc import Mapping

from authz import aggregation, rules, selectors
from authz.api import (
    accessreviews,
    configmaps,
    events,
    groups,
    identities,
    limitranges,
    namespaces,
    oauthaccesstokens,
    oauthclients,
    openshiftreviews,
    openshiftrulesreviews,
    projectrequests,
    projects,
    resourcequotas,
    rolebindings,
    roles,
    rulesreviews,
    secrets,
    serviceaccounts,
    subjectreviews,
    tokenrequests,
    tokenreviews,
    useridentitymappings,
    useroauthaccesstokens,
    users,
)

BINDING = {"roleRef": "The role that is given. It cannot be changed.", "subjects": "Who is given the role."}
QUESTION = {
    "nonResourceAttributes": "The path that is asked about; this or resourceAttributes.",
    "resourceAttributes": "The resource that is asked about; this or nonResourceAttributes.",
}
USER = {
    "extra": "More that is known of the user.",
    "groups": "The groups of the user.",
    "uid": "The identity of the user, which no other has after it.",
}
RULE = {
    "apiGroups": "The API groups of the resources; `*` stands for all, the empty text for the core group.",
    "resourceNames": "The objects; without any, all of them.",
    "resources": "The resources; `*` stands for all, `name/sub` for a subresource.",
    "verbs": "What may be done; `*` stands for everything.",
}
PATHS = {"nonResourceURLs": "Paths that are no resource; a final `*` stands for every ending."}

LIMITS: Mapping[type, Mapping[str, str]] = {
    limitranges.LimitRangeItem: {
        "default": "What containers get that set no limit; not used here.",
        "defaultRequest": "What containers get that request nothing; not used here.",
        "max": "The most that an object may take, by resource.",
        "maxLimitRequestRatio": "How many times its request the limit of a container may be; not used here.",
        "min": "The least that an object must take, by resource; not used here.",
        "type": "What is limited, such as openshift.io/ImageStream or openshift.io/Image.",
    },
    limitranges.LimitRangeSpec: {"limits": "The limits, each of one type of objects."},
    resourcequotas.ScopedResourceSelectorRequirement: {
        "operator": "In, NotIn, Exists or DoesNotExist.",
        "scopeName": "The scope.",
        "values": "The values of the scope, for In and NotIn.",
    },
    resourcequotas.ScopeSelector: {"matchExpressions": "What the scopes must be; all of it counts."},
    resourcequotas.ResourceQuotaSpec: {
        "hard": "How much there may be, by resource, such as openshift.io/imagestreams or count/secrets.",
        "scopeSelector": "The pods that the quota is about; with any, it counts no other objects.",
        "scopes": "The pods that the quota is about, by name; with any, it counts no other objects.",
    },
    resourcequotas.ResourceQuotaStatus: {
        "hard": "How much there may be, as it is enforced.",
        "used": "How much there is.",
    },
}

CORE: Mapping[type, Mapping[str, str]] = {
    namespaces.NamespaceSpec: {"finalizers": "Who must finish before the namespace goes."},
    namespaces.NamespaceStatus: {
        "conditions": "What keeps a deleted namespace from going.",
        "phase": "Active or Terminating.",
    },
    namespaces.NamespaceCondition: {
        "lastTransitionTime": "When the status last changed.",
        "message": "What was found, for people.",
        "reason": "What was found, in one word for machines.",
        "status": "True, False or Unknown.",
        "type": "What this is about.",
    },
    configmaps.ConfigMap: {
        "binaryData": "Bytes by key, in base64.",
        "data": "Texts by key.",
        "immutable": "Whether the data can never be changed.",
    },
    secrets.Secret: {
        "data": "The data by key, in base64.",
        "immutable": "Whether the data can never be changed.",
        "stringData": "Data as plain text, added to `data` when written and never read back.",
        "type": "What the data is for, such as kubernetes.io/dockerconfigjson.",
    },
    serviceaccounts.LocalObjectReference: {"name": "The name."},
    serviceaccounts.ServiceAccount: {
        "automountServiceAccountToken": "Whether pods of the account are given its token.",
        "imagePullSecrets": "Secrets for pulling images.",
        "secrets": "Secrets that pods of the account may use.",
    },
    events.EventSource: {"component": "The program that saw it.", "host": "The host that it saw it on."},
    events.EventSeries: {
        "count": "How often it happened.",
        "lastObservedTime": "When it last happened, to the microsecond.",
    },
    events.Event: {
        "action": "What was done about it.",
        "count": "How often it happened.",
        "eventTime": "When it first happened, to the microsecond.",
        "firstTimestamp": "When it first happened.",
        "involvedObject": "The object that it happened to.",
        "lastTimestamp": "When it last happened.",
        "message": "What happened, for people.",
        "reason": "What happened, in one word for machines.",
        "related": "Another object that has to do with it.",
        "reportingComponent": "The controller that saw it.",
        "reportingInstance": "Which of the controller's processes saw it.",
        "series": "How it goes on, if it does.",
        "source": "Who saw it.",
        "type": "Normal or Warning.",
    },
}

POLICY: Mapping[type, Mapping[str, str]] = {
    rules.PolicyRule: {**RULE, **PATHS},
    rules.Subject: {
        "apiGroup": "The API group: empty for service accounts, rbac.authorization.k8s.io for users and groups.",
        "kind": "User, Group or ServiceAccount.",
        "name": "The name.",
        "namespace": "The namespace of a service account.",
    },
    rules.RoleRef: {
        "apiGroup": "Always rbac.authorization.k8s.io.",
        "kind": "Role or ClusterRole.",
        "name": "The name of the role.",
    },
    roles.Role: {"rules": "What the role allows in its namespace."},
    aggregation.ClusterRole: {
        "aggregationRule": "Which roles this one is the sum of; its own rules are then written by the server.",
        "rules": "What the role allows, everywhere or where it is bound.",
    },
    aggregation.AggregationRule: {"clusterRoleSelectors": "The roles whose rules are added up."},
    selectors.LabelSelector: {
        "matchExpressions": "Demands on labels, all of which must be met.",
        "matchLabels": "Labels and the values that they must have.",
    },
    selectors.SelectorRequirement: {
        "key": "The label.",
        "operator": "In, NotIn, Exists or DoesNotExist.",
        "values": "The values for In and NotIn.",
    },
    rolebindings.Binding: BINDING,
    rolebindings.RoleBinding: BINDING,
}

REVIEWS: Mapping[type, Mapping[str, str]] = {
    accessreviews.ResourceAttributes: {
        "fieldSelector": "The field selector of the request.",
        "group": "The API group.",
        "labelSelector": "The label selector of the request.",
        "name": "The object; empty for all.",
        "namespace": "The namespace; empty for all.",
        "resource": "The resource.",
        "subresource": "The subresource, if one is asked about.",
        "verb": "What is to be done.",
        "version": "The API version.",
    },
    accessreviews.NonResourceAttributes: {"path": "The path.", "verb": "What is to be done."},
    accessreviews.SelfSubjectAccessReviewSpec: QUESTION,
    accessreviews.SubjectAccessReviewSpec: {**QUESTION, **USER, "user": "The name of the user."},
    accessreviews.SubjectAccessReviewStatus: {
        "allowed": "Whether it is allowed.",
        "denied": "Whether it is forbidden whatever else is said.",
        "evaluationError": "What kept the answer from being complete.",
        "reason": "Why.",
    },
    rulesreviews.SelfSubjectRulesReviewSpec: {"namespace": "The namespace that is asked about."},
    rulesreviews.ResourceRule: RULE,
    rulesreviews.NonResourceRule: {**PATHS, "verbs": RULE["verbs"]},
    rulesreviews.SubjectRulesReviewStatus: {
        "evaluationError": "What kept the answer from being complete.",
        "incomplete": "Whether more may be allowed than is listed.",
        "nonResourceRules": "What is allowed on paths that are no resource.",
        "resourceRules": "What is allowed on resources.",
    },
    subjectreviews.UserInfo: {**USER, "username": "The name of the user."},
    subjectreviews.SelfSubjectReviewStatus: {"userInfo": "Who asks."},
    tokenreviews.TokenReviewSpec: {"audiences": "Whom the token should be meant for.", "token": "The token."},
    tokenreviews.TokenReviewStatus: {
        "audiences": "Whom the token is meant for, of those asked about.",
        "authenticated": "Whether the token is valid.",
        "error": "Why the token could not be looked at.",
        "user": "Whose token it is.",
    },
    tokenrequests.BoundObjectReference: {
        "apiVersion": "The group and version of the object.",
        "kind": "Secret or Pod.",
        "name": "The name of the object.",
        "uid": "The uid of the object.",
    },
    tokenrequests.TokenRequestSpec: {
        "audiences": "Whom the token is meant for.",
        "boundObjectRef": "An object with which the token ends.",
        "expirationSeconds": "How long the token is valid, in seconds.",
    },
    tokenrequests.TokenRequestStatus: {"expirationTimestamp": "When the token ends.", "token": "The token."},
}

TOKEN = {
    "authorizeToken": "The name of the code that the token was given out for.",
    "clientName": "The OAuth client by which the user logged in.",
    "expiresIn": "How long the token is valid from its creation, in seconds; 0 for ever.",
    "inactivityTimeoutSeconds": "When the token ends, in seconds from its creation, unless it is used; 0 for never.",
    "redirectURI": "Where the browser was sent back to.",
    "refreshToken": "Always empty.",
    "scopes": "What the token may be used for, such as user:full.",
    "userName": "Whose token it is.",
    "userUID": "The uid of the user; the token ends with him.",
}

PEOPLE: Mapping[type, Mapping[str, str]] = {
    users.User: {
        "fullName": "The full name of the user.",
        "groups": "The groups that count, when somebody reads himself (`~`); otherwise empty.",
        "identities": "The identities by which the user logs in.",
    },
    identities.Identity: {
        "extra": "What the provider says of the user: name, email, preferred_username.",
        "providerName": "The identity provider.",
        "providerUserName": "What the provider calls the user, unchangeable and unique there.",
        "user": "The user who logs in with the identity, by name and uid.",
    },
    groups.Group: {"users": "The members, by name."},
    useridentitymappings.UserIdentityMapping: {
        "identity": "The identity, by name.",
        "user": "The user who logs in with it, by name.",
    },
    oauthaccesstokens.OAuthAccessToken: TOKEN,
    useroauthaccesstokens.UserOAuthAccessToken: TOKEN,
    oauthclients.OAuthClient: {
        "accessTokenInactivityTimeoutSeconds": "How long its tokens may go unused, in seconds; 0 for ever.",
        "accessTokenMaxAgeSeconds": "How long its tokens are valid, in seconds; 0 for ever.",
        "additionalSecrets": "Further secrets that count, while one is replaced by another.",
        "grantMethod": "auto, or prompt to ask the user first.",
        "redirectURIs": "Where browsers may be sent back to: these and what lies below them.",
        "respondWithChallenges": "Whether it is asked for name and password by 401 instead of a page.",
        "scopeRestrictions": "The scopes that it may ask for; without any, all.",
        "secret": "What it proves itself with; without one it is a public client.",
    },
    oauthclients.ScopeRestriction: {
        "clusterRole": "Scopes of these roles.",
        "literals": "These scopes.",
    },
    oauthclients.ClusterRoleScopeRestriction: {
        "allowEscalation": "Whether the scopes may include what leads to more.",
        "namespaces": "Where the roles may count; `*` is everywhere.",
        "roleNames": "The cluster roles; `*` is all of them.",
    },
}

PROJECT: Mapping[type, Mapping[str, str]] = {
    projects.ProjectSpec: CORE[namespaces.NamespaceSpec],
    projects.ProjectStatus: CORE[namespaces.NamespaceStatus],
    projectrequests.ProjectRequest: {
        "description": "What the project is for.",
        "displayName": "What people call the project.",
    },
}

SCOPES = "The scopes of the token to count with; an empty list is none."
ACTION = {
    "content": "What would be written; not looked at.",
    "isNonResourceURL": "Whether the question is about a path instead of a resource.",
    "namespace": "The namespace; empty for all.",
    "path": "The path, if the question is about one.",
    "resource": "The resource; `name/sub` for a subresource.",
    "resourceAPIGroup": "The API group.",
    "resourceAPIVersion": "The API version.",
    "resourceName": "The object; empty for all.",
    "verb": "What is to be done.",
}
ABOUT = {
    "groups": "The groups of the user.",
    "scopes": SCOPES,
    "user": "The name of the user; without one and without groups, whoever asks.",
}

OPENSHIFT_REVIEWS: Mapping[type, Mapping[str, str]] = {
    openshiftreviews.Action: ACTION,
    openshiftreviews.OpenShiftSubjectAccessReview: {**ACTION, **ABOUT},
    openshiftreviews.OpenShiftLocalSubjectAccessReview: {**ACTION, **ABOUT},
    openshiftreviews.ResourceAccessReview: ACTION,
    openshiftreviews.LocalResourceAccessReview: ACTION,
    openshiftrulesreviews.OwnRulesSpec: {"scopes": SCOPES},
    openshiftrulesreviews.SubjectRulesReviewSpec: ABOUT,
    openshiftrulesreviews.RulesStatus: {
        "evaluationError": "What kept the answer from being complete.",
        "rules": "What is allowed.",
    },
}

DESCRIPTIONS: Mapping[type, Mapping[str, str]] = {
    **CORE,
    **LIMITS,
    **OPENSHIFT_REVIEWS,
    **PEOPLE,
    **POLICY,
    **PROJECT,
    **REVIEWS,
}
