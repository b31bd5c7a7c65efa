"""The table of the keys that sign the tokens of service accounts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("authz", "0003_passwords_and_codes")]
    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("kid", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("algorithm", models.CharField(max_length=10)),
                ("public_key", models.TextField()),
                ("private_key", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("signs_from", models.DateTimeField()),
                ("needed_until", models.DateTimeField(null=True)),
            ],
            options={"db_table": "authz_signing_key"},
        ),
    ]
