"""The tables of owner references, filled from the objects that are there."""

from __future__ import annotations

import json
import logging

from django.db import migrations, models

from registry_meta.kube import sealing

logger = logging.getLogger(__name__)

BATCH = 500
WAITED_FOR = {"orphan", "foregroundDeletion"}
UID_LENGTH = 36


def fill(apps, schema_editor):
    """Note the owner references that are stored, and the objects that wait for the collector."""
    alias = schema_editor.connection.alias
    objects = apps.get_model("kube", "Object").objects.using(alias)
    wanted = objects.filter(
        models.Q(document__contains='"ownerReferences"')
        | models.Q(document__contains='"deletionTimestamp"')
        | models.Q(document__startswith=sealing.MARK)
    ).order_by("id")
    last = 0
    while rows := list(wanted.filter(id__gt=last)[:BATCH]):
        for row in rows:
            _note(apps, alias, row)
        last = rows[-1].id


def _note(apps, alias, row):
    place = {"resource": row.resource, "namespace": row.namespace, "name": row.name}
    try:
        text = sealing.unseal(row.document, key=row.resource, namespace=row.namespace, name=row.name)
    except sealing.Unreadable:
        logger.warning("the owners of %s %s/%s stay unknown", row.resource, row.namespace, row.name)
        return
    meta = json.loads(text).get("metadata") or {}
    blocks = {}
    for owner in meta.get("ownerReferences") or ():
        uid = (owner.get("uid") or "").replace("\0", "")[:UID_LENGTH]
        blocks[uid] = bool(owner.get("blockOwnerDeletion"))
    dependents = apps.get_model("kube", "Dependent").objects.using(alias)
    for uid, blocking in blocks.items():
        dependents.create(**place, owner_uid=uid, blocks=blocking, due=True)
    if meta.get("deletionTimestamp") and WAITED_FOR & set(meta.get("finalizers") or ()):
        apps.get_model("kube", "Waiting").objects.using(alias).create(**place, uid=row.uid)


class Migration(migrations.Migration):
    dependencies = [("kube", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Dependent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("resource", models.CharField(max_length=200)),
                ("namespace", models.CharField(default="", max_length=253)),
                ("name", models.CharField(max_length=600)),
                ("owner_uid", models.CharField(max_length=36)),
                ("blocks", models.BooleanField(default=False)),
                ("due", models.BooleanField(default=True)),
            ],
            options={
                "db_table": "kube_dependent",
                "indexes": [
                    models.Index(fields=["owner_uid"], name="kube_dependent_owner"),
                    models.Index(fields=["resource", "namespace", "name"], name="kube_dependent_place"),
                    models.Index(fields=["id"], condition=models.Q(due=True), name="kube_dependent_due"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Waiting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("resource", models.CharField(max_length=200)),
                ("namespace", models.CharField(default="", max_length=253)),
                ("name", models.CharField(max_length=600)),
                ("uid", models.CharField(max_length=36, unique=True)),
            ],
            options={"db_table": "kube_waiting"},
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
