"""Room for several moves of one tag in one write."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imagestreams", "0004_image_blobs")]

    operations = [
        migrations.AddField(
            model_name="tagevent",
            name="position",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name="tagevent",
            constraint=models.UniqueConstraint(fields=("version", "tag", "position"), name="tag_event_moves"),
        ),
        migrations.RemoveConstraint(model_name="tagevent", name="tag_event_move"),
    ]
