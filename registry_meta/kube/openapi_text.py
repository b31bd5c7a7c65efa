"""What the fields of wire types mean, in words for `kubectl explain`.

Applications describe the fields of their own types with `describe`; what is not described is shown with the words of
its type. `msgspec.Meta(description=…)` on a field does the same for one field.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry_meta.kube.meta import ManagedFieldsEntry, ObjectMeta, ObjectReference, OwnerReference
from registry_meta.kube.objects import DeleteOptions

ANY_TYPE = {
    "metadata": "What every object has: name, namespace, labels and so on.",
    "spec": "What is wished.",
    "status": "What is the case; written by the server.",
}

_described: dict[type, Mapping[str, str]] = {
    ObjectMeta: {
        "annotations": "Notes of tools and people, by key; they select nothing.",
        "creationTimestamp": "When the object was created; set by the server.",
        "deletionGracePeriodSeconds": "How many seconds the object may go on after its deletion was asked for.",
        "deletionTimestamp": "When the deletion was asked for; the object goes when its last finalizer is removed.",
        "finalizers": "Who has something to do before the object may go; each removes its own entry.",
        "generateName": "The start of a name that the server completes, when no name is given.",
        "generation": "How often what is wished has changed.",
        "labels": "Words by which objects are selected, by key.",
        "managedFields": "Who set which fields, for server-side apply.",
        "name": "The name, unique among the objects of this kind in the namespace. It cannot be changed.",
        "namespace": "The namespace that the object is in. It cannot be changed.",
        "ownerReferences": "The objects that this one belongs to; it is removed with the last of them.",
        "resourceVersion": "The version of the object. A change that names another one is refused.",
        "uid": "The identity of the object, never used again; set by the server.",
    },
    OwnerReference: {
        "apiVersion": "The group and version of the owner.",
        "blockOwnerDeletion": "Whether an owner that is deleted in the foreground waits for this object.",
        "controller": "Whether this owner manages the object; one at most does.",
        "kind": "The kind of the owner.",
        "name": "The name of the owner.",
        "uid": "The uid of the owner.",
    },
    ManagedFieldsEntry: {
        "apiVersion": "The group and version that the fields are named in.",
        "fieldsType": "How the fields are listed: always FieldsV1.",
        "fieldsV1": "The fields, as a tree of `f:name`, `k:{keys}` and `v:value`.",
        "manager": "The name of the manager.",
        "operation": "How the manager set the fields: Apply or Update.",
        "subresource": "The subresource through which the fields were set.",
        "time": "When the manager last changed something.",
    },
    ObjectReference: {
        "apiVersion": "The group and version of the object.",
        "fieldPath": "The part of the object that is meant.",
        "kind": "The kind of the object.",
        "name": "The name of the object.",
        "namespace": "The namespace of the object.",
        "resourceVersion": "The version of the object that is meant.",
        "uid": "The uid of the object.",
    },
    DeleteOptions: {
        "dryRun": "The value All runs every check and removes nothing.",
        "gracePeriodSeconds": "How many seconds the object may go on.",
        "orphanDependents": "No longer used; see propagationPolicy.",
        "preconditions": "The uid and resourceVersion that the object must have.",
        "propagationPolicy": "What happens to dependents: Orphan, Background or Foreground.",
    },
}


def describe(texts: Mapping[type, Mapping[str, str]]) -> None:
    """Add what the fields of some types mean, by their names on the wire; called as an application starts."""
    _described.update(texts)


def descriptions(type_: type) -> Mapping[str, str]:
    """Return what the fields of a type mean, by their names on the wire."""
    return {**ANY_TYPE, **_described.get(type_, {})}
