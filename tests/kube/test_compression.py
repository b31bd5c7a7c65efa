"""How PostgreSQL keeps documents."""

from __future__ import annotations

import pytest
from django.db import connection

COMPRESSIONS = (
    "SELECT attrelid::regclass::text, attname, attcompression FROM pg_attribute"
    " WHERE attrelid IN ('kube_object'::regclass, 'kube_change'::regclass) AND attname IN ('document', 'previous')"
)


@pytest.mark.django_db
def test_documents_are_compressed_by_lz4() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite compresses nothing")

    with connection.cursor() as cursor:
        cursor.execute(COMPRESSIONS)
        found = cursor.fetchall()

    assert sorted(found) == [
        ("kube_change", "document", "l"),
        ("kube_change", "previous", "l"),
        ("kube_object", "document", "l"),
    ]
