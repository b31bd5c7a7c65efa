"""The database is a file, or what a URL names."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry_meta import databases
from registry_meta.environment import Environment, SettingError


def test_no_url_means_a_file_in_the_data_directory() -> None:
    settings = databases.configuration(Environment(data_dir=Path("/srv/meta")))

    assert settings["ENGINE"] == "django.db.backends.sqlite3"
    assert settings["NAME"] == "/srv/meta/registry-meta.sqlite3"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p@db:5433/meta", {"HOST": "db", "PORT": "5433", "USER": "u", "PASSWORD": "p", "NAME": "meta"}),
        ("postgresql://u%40x:p%2F%3A@db/meta", {"USER": "u@x", "PASSWORD": "p/:", "HOST": "db", "PORT": ""}),
        ("postgres:///meta", {"HOST": "", "USER": "", "NAME": "meta"}),
        ("postgres:///meta?host=/run/postgresql&port=5433", {"HOST": "/run/postgresql", "PORT": "5433"}),
        ("postgres://%2Frun%2Fpostgresql/meta", {"HOST": "/run/postgresql"}),
        ("postgres://[::1]:5432/meta", {"HOST": "::1", "PORT": "5432"}),
    ],
)
def test_a_url_names_a_postgresql_database(url: str, expected: dict[str, str]) -> None:
    settings = databases.postgresql(url, connections=12)

    assert {name: settings[name] for name in expected} == expected


def test_further_options_reach_the_driver() -> None:
    settings = databases.postgresql("postgres://db/meta?sslmode=require", connections=5)

    options = settings["OPTIONS"]
    assert isinstance(options, dict)
    assert options["sslmode"] == "require"
    assert options["pool"] == {"min_size": 1, "max_size": 5, "timeout": 10}


@pytest.mark.parametrize("url", ["mysql://u:hidden@db/x", "postgres://u:hidden@db:port/x", "postgres://u:hidden@db"])
def test_a_url_that_cannot_be_used_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingError, match=r"^DATABASE_URL: ") as caught:
        databases.postgresql(url, connections=12)

    assert "hidden" not in str(caught.value)
