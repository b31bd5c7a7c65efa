"""The blobs that images consist of, filled from the images that there are."""

import json

from django.db import migrations, models

IMAGES = "images.image.openshift.io"
BATCH = 500


def fill(apps, schema_editor):
    """Write the blobs of every image that is stored."""
    stored, blobs = apps.get_model("kube", "Object"), apps.get_model("imagestreams", "ImageBlobs")
    images = stored.objects.filter(resource=IMAGES).order_by("namespace", "name").values_list("name", "document")
    last = ""
    while rows := list(images.filter(namespace="", name__gt=last)[:BATCH]):
        blobs.objects.bulk_create(
            (blobs(image=name, blobs=kept(json.loads(document))) for name, document in rows), ignore_conflicts=True
        )
        last = rows[-1][0]


def kept(image):
    """Return what is kept of an image: its configuration, media type, members, and layers with their media types."""
    types = {}
    layers = [
        [layer.get("name") or "", layer.get("size") or 0, types.setdefault(layer.get("mediaType") or "", len(types))]
        for layer in image.get("dockerImageLayers") or ()
    ]
    members = [member.get("digest") or "" for member in image.get("dockerImageManifests") or ()]
    config = (image.get("dockerImageMetadata") or {}).get("Id") or ""
    media_type = image.get("dockerImageManifestMediaType") or ""
    return json.dumps([config, media_type, members or None, list(types), layers or None], separators=(",", ":"))


class Migration(migrations.Migration):
    dependencies = [("imagestreams", "0003_image_member"), ("kube", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ImageBlobs",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("image", models.CharField(max_length=600)),
                ("blobs", models.TextField()),
            ],
            options={
                "db_table": "imagestreams_image_blobs",
                "constraints": [models.UniqueConstraint(fields=("image",), name="image_blobs_once")],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
