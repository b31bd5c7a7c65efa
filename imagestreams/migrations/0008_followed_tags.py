"""The first-seen ledger of followed repositories, and what the tags that follow were found to stand for."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imagestreams", "0007_scheduled_tag"),
    ]

    operations = [
        migrations.CreateModel(
            name="FollowedTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("namespace", models.CharField(max_length=253)),
                ("stream", models.CharField(max_length=600)),
                ("stream_uid", models.CharField(max_length=36)),
                ("tag", models.CharField(max_length=600)),
                ("repository", models.CharField(max_length=600)),
                ("upstream_tag", models.CharField(default="", max_length=128)),
                ("digest", models.CharField(default="", max_length=200)),
                ("image", models.CharField(default="", max_length=600)),
                ("wish", models.CharField(default="", max_length=64)),
                ("elected_at", models.DateTimeField(null=True)),
                ("wakes_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "imagestreams_followed_tag",
                "constraints": [
                    models.UniqueConstraint(fields=("namespace", "stream", "tag"), name="followed_tag_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="UpstreamRepository",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("host", models.CharField(max_length=300)),
                ("path", models.CharField(max_length=300)),
                ("insecure", models.BooleanField(default=False)),
                ("first_listed", models.DateTimeField(null=True)),
                ("listed_at", models.DateTimeField(null=True)),
                ("present", models.IntegerField(default=0)),
                ("doubts", models.IntegerField(default=0)),
                ("doubted_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "imagestreams_upstream_repository",
                "indexes": [models.Index(fields=["listed_at"], name="upstream_repository_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("host", "path", "insecure"), name="upstream_repository_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="UpstreamDigest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tag", models.CharField(max_length=128)),
                ("digest", models.CharField(max_length=200)),
                ("first_seen", models.DateTimeField()),
                (
                    "repository",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="imagestreams.upstreamrepository",
                    ),
                ),
            ],
            options={
                "db_table": "imagestreams_upstream_digest",
                "constraints": [
                    models.UniqueConstraint(fields=("repository", "tag", "digest"), name="upstream_digest_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="UpstreamTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tag", models.CharField(max_length=128)),
                ("first_seen", models.DateTimeField()),
                ("existing", models.BooleanField(default=False)),
                ("gone_since", models.DateTimeField(null=True)),
                (
                    "repository",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="imagestreams.upstreamrepository",
                    ),
                ),
            ],
            options={
                "db_table": "imagestreams_upstream_tag",
                "indexes": [models.Index(fields=["repository", "gone_since"], name="upstream_tag_gone")],
                "constraints": [models.UniqueConstraint(fields=("repository", "tag"), name="upstream_tag_once")],
            },
        ),
    ]
