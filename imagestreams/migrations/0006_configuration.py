"""The counter by which processes learn that the cluster's image configuration has changed."""

from django.db import migrations

COUNTER = "configuration"


def start_counter(apps, schema_editor):
    """Make the row that writers count in."""
    apps.get_model("kube", "Counter").objects.using(schema_editor.connection.alias).create(name=COUNTER, value=0)


class Migration(migrations.Migration):
    dependencies = [("imagestreams", "0005_tag_event_position"), ("kube", "0001_initial")]

    operations = [migrations.RunPython(start_counter, migrations.RunPython.noop)]
