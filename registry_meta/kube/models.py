"""The tables of the API machinery: objects and their owners, the change log, counters, the cursors of its readers."""

from __future__ import annotations

from django.db import models


class Object(models.Model):
    """An API object: its wire document beside what it is found by.

    `document` is the JSON of the object without `kind` and `apiVersion`; `resource` is the plural name in its group.
    """

    resource = models.CharField(max_length=200)
    namespace = models.CharField(max_length=253, default="")
    name = models.CharField(max_length=600)
    uid = models.CharField(max_length=36)
    version = models.BigIntegerField()
    document = models.TextField()

    class Meta:
        db_table = "kube_object"
        constraints = [
            models.UniqueConstraint(fields=["resource", "namespace", "name"], name="kube_object_place"),
        ]


class Dependent(models.Model):
    """A reference of an object to one of its owners, from `metadata.ownerReferences`.

    `due` says that the collector has to look at it; `blocks`, that a deletion of the owner in the foreground waits for
    the object.
    """

    resource = models.CharField(max_length=200)
    namespace = models.CharField(max_length=253, default="")
    name = models.CharField(max_length=600)
    owner_uid = models.CharField(max_length=36)
    blocks = models.BooleanField(default=False)
    due = models.BooleanField(default=True)

    class Meta:
        db_table = "kube_dependent"
        indexes = [
            models.Index(fields=["owner_uid"], name="kube_dependent_owner"),
            models.Index(fields=["resource", "namespace", "name"], name="kube_dependent_place"),
            models.Index(fields=["id"], condition=models.Q(due=True), name="kube_dependent_due"),
        ]


class Waiting(models.Model):
    """An object that is being deleted and stays until the collector has dealt with its dependents."""

    resource = models.CharField(max_length=200)
    namespace = models.CharField(max_length=253, default="")
    name = models.CharField(max_length=600)
    uid = models.CharField(max_length=36, unique=True)

    class Meta:
        db_table = "kube_waiting"


class Change(models.Model):
    """A write, in the order of commits; `version` is the resourceVersion that it gave.

    `document` is the object after the write (before it, with the version of the deletion, for DELETED); `previous` is
    the object before it.
    """

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"

    version = models.BigIntegerField(primary_key=True)
    type = models.CharField(max_length=8)
    resource = models.CharField(max_length=200)
    namespace = models.CharField(max_length=253, default="")
    name = models.CharField(max_length=600)
    document = models.TextField()
    previous = models.TextField(null=True)
    actor = models.CharField(max_length=600, default="")
    reason = models.CharField(max_length=200, default="")
    made_at = models.DateTimeField()

    class Meta:
        db_table = "kube_change"
        indexes = [
            models.Index(fields=["resource", "version"], name="kube_change_feed"),
            models.Index(fields=["made_at"], name="kube_change_age"),
        ]


class Counter(models.Model):
    """A number that only grows: `changes` is the newest version, `compacted` the newest that is no longer kept."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.BigIntegerField(default=0)

    class Meta:
        db_table = "kube_counter"


class Cursor(models.Model):
    """How far a consumer has read the change log."""

    name = models.CharField(max_length=80, primary_key=True)
    version = models.BigIntegerField(default=0)

    class Meta:
        db_table = "kube_cursor"
