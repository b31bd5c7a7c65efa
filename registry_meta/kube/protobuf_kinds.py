"""The kinds that are read from Protocol Buffers, with the field numbers of Kubernetes' `generated.proto` files.

Fields that only a server writes are left out where no client sends them back: what the table lacks is skipped.
Fields are named as in JSON, whatever the `.proto` files call them.
"""

from __future__ import annotations

from registry_meta.kube.protobuf_schema import Schema

META = """
Unknown: typeMeta=1:TypeMeta raw=2:bytes contentEncoding=3 contentType=4
TypeMeta: apiVersion=1 kind=2
Time: seconds=1:int64 nanos=2:int32
MicroTime: seconds=1:int64 nanos=2:int32
FieldsV1: raw=1:bytes
Quantity: string=1
ExtraValue: items=1:[]
ObjectMeta: name=1 generateName=2 namespace=3 uid=5 resourceVersion=6 generation=7:int64 \
creationTimestamp=8:Time deletionTimestamp=9:Time deletionGracePeriodSeconds=10:int64? labels=11:{} annotations=12:{} \
ownerReferences=13:OwnerReference[] finalizers=14:[] managedFields=17:ManagedFieldsEntry[]
OwnerReference: kind=1 name=3 uid=4 apiVersion=5 controller=6:bool? blockOwnerDeletion=7:bool?
ManagedFieldsEntry: manager=1 operation=2 apiVersion=3 time=4:Time fieldsType=6 fieldsV1=7:FieldsV1 subresource=8
LabelSelector: matchLabels=1:{} matchExpressions=2:SelectorRequirement[]
SelectorRequirement: key=1 operator=2 values=3:[]
Preconditions: uid=1:string? resourceVersion=2:string?
DeleteOptions: gracePeriodSeconds=1:int64? preconditions=2:Preconditions orphanDependents=3:bool? \
propagationPolicy=4:string? dryRun=5:[] ignoreStoreReadErrorWithClusterBreakingPotential=6:bool?
"""

CORE = """
ObjectReference: kind=1 namespace=2 name=3 uid=4 apiVersion=5 resourceVersion=6 fieldPath=7
LocalObjectReference: name=1
Namespace: metadata=1:ObjectMeta spec=2:NamespaceSpec status=3:NamespaceStatus
NamespaceSpec: finalizers=1:[]
NamespaceStatus: phase=1
Secret: metadata=1:ObjectMeta data=2:bytes{} type=3 stringData=4:{} immutable=5:bool?
ConfigMap: metadata=1:ObjectMeta data=2:{} binaryData=3:bytes{} immutable=4:bool?
ServiceAccount: metadata=1:ObjectMeta secrets=2:ObjectReference[] imagePullSecrets=3:LocalObjectReference[] \
automountServiceAccountToken=4:bool?
Event: metadata=1:ObjectMeta involvedObject=2:ObjectReference reason=3 message=4 source=5:EventSource \
firstTimestamp=6:Time lastTimestamp=7:Time count=8:int32 type=9 eventTime=10:MicroTime series=11:EventSeries action=12 \
related=13:ObjectReference reportingComponent=14 reportingInstance=15
EventSource: component=1 host=2
EventSeries: count=1:int32 lastObservedTime=2:MicroTime
ResourceQuota: metadata=1:ObjectMeta spec=2:ResourceQuotaSpec status=3:ResourceQuotaStatus
ResourceQuotaStatus: hard=1:Quantity{} used=2:Quantity{}
ResourceQuotaSpec: hard=1:Quantity{} scopes=2:[] scopeSelector=3:ScopeSelector
ScopeSelector: matchExpressions=1:ScopeRequirement[]
ScopeRequirement: scopeName=1 operator=2 values=3:[]
LimitRange: metadata=1:ObjectMeta spec=2:LimitRangeSpec
LimitRangeSpec: limits=1:LimitRangeItem[]
LimitRangeItem: type=1 max=2:Quantity{} min=3:Quantity{} default=4:Quantity{} defaultRequest=5:Quantity{} \
maxLimitRequestRatio=6:Quantity{}
"""

RBAC = """
PolicyRule: verbs=1:[] apiGroups=2:[] resources=3:[] resourceNames=4:[] nonResourceURLs=5:[]
Role: metadata=1:ObjectMeta rules=2:PolicyRule[]
ClusterRole: metadata=1:ObjectMeta rules=2:PolicyRule[] aggregationRule=3:AggregationRule
AggregationRule: clusterRoleSelectors=1:LabelSelector[]
Subject: kind=1 apiGroup=2 name=3 namespace=4
RoleRef: apiGroup=1 kind=2 name=3
RoleBinding: metadata=1:ObjectMeta subjects=2:Subject[] roleRef=3:RoleRef
ClusterRoleBinding: metadata=1:ObjectMeta subjects=2:Subject[] roleRef=3:RoleRef
"""

REVIEWS = """
SelectorAttributes: rawSelector=1 requirements=2:SelectorRequirement[]
ResourceAttributes: namespace=1 verb=2 group=3 version=4 resource=5 subresource=6 name=7 \
fieldSelector=8:SelectorAttributes labelSelector=9:SelectorAttributes
NonResourceAttributes: path=1 verb=2
SelfSubjectAccessReview: metadata=1:ObjectMeta spec=2:SelfSubjectAccessReviewSpec status=3:AccessReviewStatus
SelfSubjectAccessReviewSpec: resourceAttributes=1:ResourceAttributes nonResourceAttributes=2:NonResourceAttributes
SubjectAccessReview: metadata=1:ObjectMeta spec=2:SubjectAccessReviewSpec status=3:AccessReviewStatus
LocalSubjectAccessReview: metadata=1:ObjectMeta spec=2:SubjectAccessReviewSpec status=3:AccessReviewStatus
SubjectAccessReviewSpec: resourceAttributes=1:ResourceAttributes nonResourceAttributes=2:NonResourceAttributes \
user=3 groups=4:[] extra=5:ExtraValue{} uid=6
AccessReviewStatus: allowed=1:bool? reason=2 evaluationError=3 denied=4:bool
SelfSubjectRulesReview: metadata=1:ObjectMeta spec=2:SelfSubjectRulesReviewSpec
SelfSubjectRulesReviewSpec: namespace=1
SelfSubjectReview: metadata=1:ObjectMeta
TokenReview: metadata=1:ObjectMeta spec=2:TokenReviewSpec
TokenReviewSpec: token=1 audiences=2:[]
TokenRequest: metadata=1:ObjectMeta spec=2:TokenRequestSpec
TokenRequestSpec: audiences=1:[] boundObjectRef=3:BoundObjectReference expirationSeconds=4:int64?
BoundObjectReference: kind=1 apiVersion=2 name=3 uid=4
"""

SCHEMA = Schema("registry_meta.kinds", META + CORE + RBAC + REVIEWS)

API_VERSIONS = {
    "v1": (
        "Namespace", "Secret", "ConfigMap", "ServiceAccount", "Event", "ResourceQuota", "LimitRange", "DeleteOptions",
    ),
    "rbac.authorization.k8s.io/v1": ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"),
    "authorization.k8s.io/v1": (
        "SelfSubjectAccessReview", "SubjectAccessReview", "LocalSubjectAccessReview", "SelfSubjectRulesReview",
    ),
    "authentication.k8s.io/v1": ("SelfSubjectReview", "TokenReview", "TokenRequest"),
}  # fmt: skip
"""The kinds of each API version that are read; the message has the name of the kind."""
