"""The tags that the clock looks after one by one, and the registries that are left alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imagestreams", "0006_configuration"),
    ]

    operations = [
        migrations.CreateModel(
            name="PausedHost",
            fields=[
                ("host", models.CharField(max_length=253, primary_key=True, serialize=False)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("failures", models.IntegerField(default=0)),
            ],
            options={
                "db_table": "imagestreams_paused_host",
            },
        ),
        migrations.AddField(
            model_name="dueimport",
            name="repository",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="ScheduledTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("namespace", models.CharField(max_length=253)),
                ("stream", models.CharField(max_length=600)),
                ("tag", models.CharField(max_length=600)),
                ("host", models.CharField(max_length=253)),
                ("repository", models.CharField(max_length=600)),
                ("reference", models.CharField(max_length=600)),
                ("pullspec", models.TextField()),
                ("insecure", models.BooleanField(default=False)),
                ("wish", models.CharField(max_length=64)),
                ("interval", models.IntegerField()),
                ("digest", models.CharField(default="", max_length=200)),
                ("standing", models.CharField(default="", max_length=200)),
                ("due_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField()),
                ("failures", models.IntegerField(default=0)),
                ("fault", models.CharField(default="", max_length=20)),
                ("version", models.BigIntegerField()),
                ("stamp", models.IntegerField(default=0)),
                ("holder", models.CharField(default="", max_length=32)),
                ("leased_until", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "imagestreams_scheduled_tag",
                "indexes": [
                    models.Index(fields=["due_at"], name="scheduled_tag_time"),
                    models.Index(fields=["host", "repository", "reference"], name="scheduled_tag_source"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("namespace", "stream", "tag"), name="scheduled_tag_once")
                ],
            },
        ),
    ]
