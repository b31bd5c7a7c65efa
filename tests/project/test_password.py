"""`./manage.py password`: who can log in with a password."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from authz.models import Guesses, Password
from authz.oauth import passwords


def run(*arguments: str, typed: str = "", monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    """Run the command with something on its standard input and return what it prints."""
    out = io.StringIO()
    if monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    call_command("password", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_a_password_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("anna", "--stdin", typed="correct horse\n", monkeypatch=monkeypatch)

    assert said == "anna can log in with a password\n"
    assert passwords.is_right("anna", "correct horse")


@pytest.mark.django_db
def test_a_new_password_forgives_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    run("anna", "--stdin", typed="correct horse", monkeypatch=monkeypatch)
    Guesses.objects.create(subject="name anna", failures=9)

    assert run("anna", "--stdin", typed="another one", monkeypatch=monkeypatch) == (
        "anna can log in with another password\n"
    )
    assert not Guesses.objects.exists()


@pytest.mark.django_db
def test_names_are_listed_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ben", "anna"):
        run(name, "--stdin", typed="correct horse", monkeypatch=monkeypatch)

    assert run("--list") == "anna\nben\n"
    assert run("ben", "--remove").startswith("ben can no longer log in with a password")
    assert run("--list") == "anna\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "typed", "message"),
    [
        ([], "", "give the name of a user, or --list"),
        (["anna", "--list"], "", "give the name of a user, or --list"),
        (["anna", "--remove"], "", "anna has no password"),
        (["anna", "--stdin"], "short\n", "a password has 8 to 1024 characters"),
        (["system:admin", "--stdin"], "correct horse\n", "'system:admin' cannot be a user name"),
        (["anna", "correct horse"], "", "unrecognized arguments: correct horse"),
    ],
)
def test_what_cannot_be_done_is_said(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], typed: str, message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments, typed=typed, monkeypatch=monkeypatch)

    assert not Password.objects.exists()
