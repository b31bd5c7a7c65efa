"""The tables of the API machinery, its counters, and byte-wise order for names."""

from django.db import migrations, models

FIRST = 2
"""The version that a new database begins with: what is older was never here, and is gone as far as clients know."""

ORDERED = [
    ("kube_object", "resource", 200),
    ("kube_object", "namespace", 253),
    ("kube_object", "name", 600),
    ("kube_change", "namespace", 253),
    ("kube_change", "name", 600),
]


def order_by_bytes(apps, schema_editor):
    """Make PostgreSQL order names byte by byte, as SQLite does and as lists are ordered on the wire."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, column, length in ORDERED:
        schema_editor.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar({length}) COLLATE "C"')


def start_counters(apps, schema_editor):
    """Make the rows that writers count in."""
    counter = apps.get_model("kube", "Counter")
    for name in ("changes", "compacted"):
        counter.objects.using(schema_editor.connection.alias).create(name=name, value=FIRST)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Object",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("resource", models.CharField(max_length=200)),
                ("namespace", models.CharField(default="", max_length=253)),
                ("name", models.CharField(max_length=600)),
                ("uid", models.CharField(max_length=36)),
                ("version", models.BigIntegerField()),
                ("document", models.TextField()),
            ],
            options={
                "db_table": "kube_object",
                "constraints": [
                    models.UniqueConstraint(fields=("resource", "namespace", "name"), name="kube_object_place")
                ],
            },
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                ("version", models.BigIntegerField(primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=8)),
                ("resource", models.CharField(max_length=200)),
                ("namespace", models.CharField(default="", max_length=253)),
                ("name", models.CharField(max_length=600)),
                ("document", models.TextField()),
                ("previous", models.TextField(null=True)),
                ("actor", models.CharField(default="", max_length=600)),
                ("reason", models.CharField(default="", max_length=200)),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "db_table": "kube_change",
                "indexes": [
                    models.Index(fields=["resource", "version"], name="kube_change_feed"),
                    models.Index(fields=["made_at"], name="kube_change_age"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Counter",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("value", models.BigIntegerField(default=0)),
            ],
            options={"db_table": "kube_counter"},
        ),
        migrations.CreateModel(
            name="Cursor",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("version", models.BigIntegerField(default=0)),
            ],
            options={"db_table": "kube_cursor"},
        ),
        migrations.RunPython(order_by_bytes, migrations.RunPython.noop),
        migrations.RunPython(start_counters, migrations.RunPython.noop),
    ]
