"""The kind ClusterRoleBinding: who holds a cluster role everywhere."""

from __future__ import annotations

from authz.api.rolebindings import COLUMNS, Binding, BindingStrategy, given, row
from authz.api.roles import MARKS
from authz.guard import GuardedStorage
from authz.rules import GROUP, VERSION
from registry_meta.kube.resource import Resource


class ClusterRoleBinding(Binding):
    """Gives a ClusterRole to subjects, in every namespace and for what lies in none."""


class ClusterRoleBindingStrategy(BindingStrategy[ClusterRoleBinding]):
    """Everywhere only cluster roles can be given, and service accounts need their namespace."""

    role_kinds = ("ClusterRole",)
    namespaced = False


CLUSTER_ROLE_BINDINGS = Resource(
    group=GROUP,
    version=VERSION,
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    namespaced=False,
    type=ClusterRoleBinding,
    storage=GuardedStorage(ClusterRoleBindingStrategy(), given),
    columns=COLUMNS,
    row=row,
    marks=MARKS,
)
