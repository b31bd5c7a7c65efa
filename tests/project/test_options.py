"""A few settings may be given on the command line."""

from __future__ import annotations

from registry_meta import options


def test_options_become_settings_and_leave_the_arguments() -> None:
    environ = {"REGISTRY_META_PORT": "1", "REGISTRY_META_PORT_FILE": "/run/port"}

    rest = options.absorb(["manage.py", "serve", "--data-dir", "/srv/x", "--port=9443"], environ)

    assert rest == ["manage.py", "serve"]
    assert environ == {"REGISTRY_META_DATA_DIR": "/srv/x", "REGISTRY_META_PORT": "9443"}


def test_other_options_are_left_to_the_command() -> None:
    environ: dict[str, str] = {}

    rest = options.absorb(["manage.py", "migrate", "--data", "x", "-v", "2", "--help"], environ)

    assert rest == ["manage.py", "migrate", "--data", "x", "-v", "2", "--help"]
    assert environ == {}
