"""An index for the moves of a whole stream."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imagestreams", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="tagevent",
            index=models.Index(fields=["namespace", "stream", "version"], name="tag_event_stream"),
        ),
    ]
