"""The table of tokens, and the counters by which processes learn that tokens or the policy have changed."""

from django.db import migrations, models

COUNTERS = ("policy", "tokens")


def start_counters(apps, schema_editor):
    """Make the rows that writers count in."""
    counter = apps.get_model("kube", "Counter")
    for name in COUNTERS:
        counter.objects.using(schema_editor.connection.alias).create(name=name, value=0)


class Migration(migrations.Migration):
    initial = True
    dependencies = [("kube", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Token",
            fields=[
                ("hash", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("username", models.CharField(max_length=600)),
                ("groups", models.JSONField(default=list)),
                ("uid", models.CharField(default="", max_length=36)),
                ("audiences", models.JSONField(default=list)),
                ("bound_uid", models.CharField(default="", max_length=36)),
                ("description", models.CharField(default="", max_length=200)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "authz_token",
                "indexes": [
                    models.Index(fields=["username"], name="authz_token_username"),
                    models.Index(fields=["uid"], name="authz_token_uid"),
                    models.Index(fields=["bound_uid"], name="authz_token_bound"),
                    models.Index(fields=["expires_at"], name="authz_token_expiry"),
                ],
            },
        ),
        migrations.RunPython(start_counters, migrations.RunPython.noop),
    ]
