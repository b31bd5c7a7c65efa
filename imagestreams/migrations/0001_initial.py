"""The tag ledger, the imports that are due, and the deliveries of triggers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("trigger_uid", models.CharField(max_length=36)),
                ("version", models.BigIntegerField()),
                ("namespace", models.CharField(max_length=253)),
                ("stream", models.CharField(max_length=600)),
                ("tag", models.CharField(max_length=600)),
                ("digest", models.CharField(default="", max_length=200)),
                ("reference", models.TextField(default="")),
                ("previous_digest", models.CharField(default="", max_length=200)),
                ("previous_reference", models.TextField(default="")),
                ("reason", models.CharField(default="", max_length=200)),
                ("actor", models.CharField(default="", max_length=600)),
                ("moved_at", models.DateTimeField()),
                ("held", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("delivered", "Delivered"),
                            ("given up", "Given Up"),
                            ("skipped", "Skipped"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("attempts", models.IntegerField(default=0)),
                ("waiting_since", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("leased_until", models.DateTimeField(null=True)),
                ("outcome", models.CharField(default="", max_length=300)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "imagestreams_delivery",
                "indexes": [
                    models.Index(condition=models.Q(("state", "pending")), fields=["due_at"], name="delivery_pending"),
                    models.Index(
                        condition=models.Q(("state", "pending")),
                        fields=["trigger_uid", "version"],
                        name="delivery_queue",
                    ),
                    models.Index(fields=["finished_at"], name="delivery_age"),
                ],
                "constraints": [models.UniqueConstraint(fields=("trigger_uid", "version"), name="delivery_once")],
            },
        ),
        migrations.CreateModel(
            name="DueImport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("namespace", models.CharField(max_length=253)),
                ("name", models.CharField(max_length=600)),
                ("scheduled", models.BooleanField(default=False)),
                ("version", models.BigIntegerField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.IntegerField(default=0)),
                ("leased_until", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "imagestreams_due_import",
                "indexes": [models.Index(fields=["due_at"], name="due_import_time")],
                "constraints": [
                    models.UniqueConstraint(fields=("namespace", "name", "scheduled"), name="due_import_stream")
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("trigger_uid", models.CharField(max_length=36, primary_key=True, serialize=False)),
                ("namespace", models.CharField(max_length=253)),
                ("name", models.CharField(max_length=600)),
                ("from_namespace", models.CharField(max_length=253)),
                ("stream", models.CharField(max_length=600)),
                ("tag", models.CharField(max_length=600)),
                ("secret", models.CharField(default="", max_length=600)),
                ("paused", models.BooleanField(default=False)),
                ("since", models.BigIntegerField()),
                ("resumed", models.BigIntegerField(default=0)),
                ("changed", models.BigIntegerField()),
                ("checked", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "imagestreams_subscription",
                "indexes": [
                    models.Index(fields=["from_namespace", "stream", "tag"], name="subscription_source"),
                    models.Index(fields=["namespace", "secret"], name="subscription_secret"),
                    models.Index(
                        condition=models.Q(("changed__gt", models.F("checked"))),
                        fields=["changed"],
                        name="subscription_unchecked",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TagEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("namespace", models.CharField(max_length=253)),
                ("stream", models.CharField(max_length=600)),
                ("stream_uid", models.CharField(max_length=36)),
                ("tag", models.CharField(max_length=600)),
                ("digest", models.CharField(default="", max_length=200)),
                ("reference", models.TextField(default="")),
                ("previous_digest", models.CharField(default="", max_length=200)),
                ("previous_reference", models.TextField(default="")),
                ("first_seen", models.DateTimeField()),
                ("moved_at", models.DateTimeField()),
                ("actor", models.CharField(default="", max_length=600)),
                ("reason", models.CharField(default="", max_length=200)),
                ("version", models.BigIntegerField()),
                ("generation", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "imagestreams_tag_event",
                "indexes": [
                    models.Index(fields=["namespace", "stream", "tag", "version"], name="tag_event_history"),
                    models.Index(fields=["digest", "stream_uid"], name="tag_event_digest"),
                ],
                "constraints": [models.UniqueConstraint(fields=("version", "tag"), name="tag_event_move")],
            },
        ),
    ]
