"""What the papers promise is what the code does."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from registry_meta.environment import Variable, variables
from tests.server import ROOT

KINDS: dict[object, str] = {
    bool: "true or false",
    int: "number",
    str: "text",
    Path: "directory",
    Path | None: "file",
    tuple[str, ...]: "list",
}
COMMANDS = ("serve", "prepare", "web", "worker", "clock", "reseal", "rotate-signing-key", "password")
BY_HAND = {"serve", "reseal", "rotate-signing-key", "password"}
"""Commands that no container runs."""
PIN = re.compile(r"^([a-z0-9-]+)(\[[a-z,]+\])?==[0-9a-z.]+(; .+)?$")
SERVER_PACKAGES = {"django", "djangorestframework", "psycopg", "celery", "redis", "requests", "pytest-django"}
"""Packages that are given, so that nothing has to be said for them."""


def read(name: str) -> str:
    return (ROOT / name).read_text()


def row(variable: Variable) -> str:
    """Return the line of a variable in the table of docs/settings.md."""
    kind = KINDS.get(variable.kind, "one of a few words")
    return f"| `{variable.name}` | {kind} | {default(variable.default)} | {variable.description} |"


def default(value: object) -> str:
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.value if isinstance(value, StrEnum) else value}`"


def pins(name: str) -> list[re.Match[str] | None]:
    """Return the lines of a list of packages, matched, without comments and references to other lists."""
    lines = [line for line in read(name).splitlines() if line and not line.startswith(("#", "-r"))]
    return [PIN.match(line) for line in lines]


def direct(name: str) -> set[str]:
    """Return the packages of the first part of a list: those that are asked for themselves."""
    asked, _, _ = read(name).partition("# What those need.")
    return {match[1] for line in asked.splitlines() if (match := PIN.match(line))}


def test_every_setting_is_described_as_declared() -> None:
    rows = [line for line in read("docs/settings.md").splitlines() if line.startswith("| `")]

    assert rows == [row(variable) for variable in variables()]


def test_every_description_is_one_sentence() -> None:
    for variable in variables():
        assert re.fullmatch(r"[A-Z][^\n]*[A-Za-z0-9`]\.", variable.description), variable.name
        assert ". " not in variable.description, variable.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(name: str) -> None:
    assert get_commands()[name] == "registry_meta"
    assert load_command_class("registry_meta", name).help
    assert f"`./manage.py {name}" in read("docs/operations.md")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned(name: str) -> None:
    assert all(pins(name))


def test_every_package_is_there_for_a_reason() -> None:
    decisions = read("docs/decisions.md")
    asked = direct("requirements.txt") | direct("requirements-dev.txt")

    assert [name for name in sorted(asked - SERVER_PACKAGES) if f"| {name} |" not in decisions] == []


def test_containers_run_commands_that_exist_with_settings_that_exist() -> None:
    services: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))["services"]
    names = {variable.name for variable in variables()}

    ours = {name: service for name, service in services.items() if service["image"] == "registry-meta"}
    assert {service["command"][2] for service in ours.values()} == set(COMMANDS) - BY_HAND
    for service in ours.values():
        assert set(service["environment"]) <= names
        assert set(service.get("depends_on", {})) <= set(services)


def test_containers_say_when_they_are_healthy() -> None:
    services: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))["services"]

    awaited = {
        name
        for service in services.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }
    assert awaited == {"postgres", "redis"}
    assert all("healthcheck" in services[name] for name in [*awaited, "web", "worker", "clock"])


def test_the_image_holds_the_sources() -> None:
    copied = set(re.findall(r"^COPY (?:--\S+ )?(\S+) /app", read("Dockerfile"), re.MULTILINE))

    assert copied == {"manage.py", "registry_meta", "authz", "imagestreams"}


def test_every_target_of_make_says_what_it_does() -> None:
    makefile = read("Makefile")

    for target in ("install", "run", "test", "check", "format", "bench", "help"):
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target
    assert read(".ci/run").rstrip().endswith("\nmake test")
