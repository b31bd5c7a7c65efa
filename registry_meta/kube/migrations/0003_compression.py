"""Documents compressed by LZ4 where PostgreSQL has it: half the work of a write, two thirds of that of a read."""

from django.db import migrations

AVAILABLE = "SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
COLUMNS = (("kube_object", "document"), ("kube_change", "document"), ("kube_change", "previous"))


def compress(apps, schema_editor):
    """Have documents compressed that are written from now on; what is there stays as it is until then."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(AVAILABLE)
        if cursor.fetchone() is None:
            return
        for table, column in COLUMNS:
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION lz4")


class Migration(migrations.Migration):
    dependencies = [("kube", "0002_owners")]
    operations = [migrations.RunPython(compress, migrations.RunPython.noop)]
