"""Which manifest lists name which images, filled from the images that there are."""

import json
from datetime import UTC, datetime

from django.db import migrations, models

IMAGES = "images.image.openshift.io"
LONGEST = 600
BATCH = 500


def fill(apps, schema_editor):
    """Write the members of every manifest list that is stored."""
    stored, members = apps.get_model("kube", "Object"), apps.get_model("imagestreams", "ImageMember")
    lists = stored.objects.filter(resource=IMAGES, document__contains='"dockerImageManifests"')
    for name, document in lists.values_list("name", "document").iterator(chunk_size=BATCH):
        rows = [members(image=name, **row) for row in named(json.loads(document))]
        members.objects.bulk_create(rows, ignore_conflicts=True)


def named(image):
    """Return what is kept of each member of a manifest list."""
    created = image["metadata"].get("creationTimestamp")
    since = datetime.fromisoformat(created) if created else datetime.now(UTC)
    found = {}
    for member in image.get("dockerImageManifests") or ():
        parts = (member.get("os"), member.get("architecture"), member.get("variant"))
        platform = "/".join(part for part in parts if part)
        if len(member["digest"]) <= LONGEST:
            found.setdefault(member["digest"], {"member": member["digest"], "platform": platform, "since": since})
    return list(found.values())


class Migration(migrations.Migration):
    dependencies = [("imagestreams", "0002_tag_event_stream"), ("kube", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ImageMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("image", models.CharField(max_length=600)),
                ("member", models.CharField(max_length=600)),
                ("platform", models.TextField(default="")),
                ("since", models.DateTimeField()),
            ],
            options={
                "db_table": "imagestreams_image_member",
                "indexes": [models.Index(fields=["member"], name="image_member_member")],
                "constraints": [models.UniqueConstraint(fields=("image", "member"), name="image_member_once")],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
