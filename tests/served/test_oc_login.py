"""An unmodified oc logs in, asks who it is, works in projects, and logs out; where it is at hand."""

from __future__ import annotations

import itertools
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.requirements import needs
from tests.served.kubectl import Oc
from tests.served.logins import PASSWORD, somebody
from tests.server import ROOT, Server

pytestmark = needs("oc")

_projects = (f"project-{number}" for number in itertools.count(1))

BROWSER = """#!{python}
import sys
sys.path.insert(0, {root!r})
from tests.served.browsing import log_in
log_in(sys.argv[-1], name={name!r}, password={password!r}, authority={authority!r})
"""
"""What stands for the browser that oc opens."""


@dataclass(frozen=True)
class Person:
    """Somebody with a password and an oc of his own."""

    oc: Oc
    name: str
    login: tuple[str, ...]

    def token(self) -> str:
        """Return the token that oc has."""
        return self.oc("whoami", "-t").strip()


@pytest.fixture
def person(served: Server, tmp_path: Path) -> Person:
    """Somebody who has not logged in yet, on each kind of server in turn."""
    authority = served.ca
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    oc = Oc(served, tmp_path, environ={"KUBECONFIG": str(tmp_path / "config"), "PATH": path})
    name = somebody(served)
    browser = tmp_path / "xdg-open"
    browser.write_text(
        BROWSER.format(python=sys.executable, root=str(ROOT), name=name, password=PASSWORD, authority=str(authority))
    )
    browser.chmod(0o755)
    return Person(oc, name, ("login", served.url, f"--certificate-authority={authority}"))


def test_a_password_logs_in_and_a_logout_ends_the_token(served: Server, person: Person) -> None:
    said = person.oc(*person.login, "-u", person.name, "-p", PASSWORD)

    assert said.startswith("Login successful.\n")
    assert "You don't have any projects. You can try to create a new project" in said
    assert person.oc("whoami") == f"{person.name}\n"
    assert person.oc("whoami", "--show-server") == f"{served.url}\n"
    token = person.token()
    assert token.startswith("sha256~")

    assert f'Logged "{person.name}" out' in person.oc("logout")
    refused = person.oc.refuses("whoami", f"--token={token}")
    assert "Unauthorized" in refused or "provided credentials" in refused


def test_a_wrong_password_is_refused(person: Person) -> None:
    said = person.oc.run(*person.login, "-u", person.name, "-p", "wrong")

    assert said.returncode == 1
    assert "Login failed (401 Unauthorized)" in said.stdout + said.stderr


def test_a_browser_logs_in(person: Person) -> None:
    said = person.oc(*person.login, "--web")

    assert "Login successful." in said
    assert person.oc("whoami") == f"{person.name}\n"


def test_a_token_logs_in_unless_it_is_wrong(person: Person) -> None:
    person.oc(*person.login, "-u", person.name, "-p", PASSWORD)
    token = person.token()

    said = person.oc(*person.login, f"--token={token}")

    assert f'as "{person.name}" using the token provided.' in said
    assert "The token provided is invalid or expired" in person.oc.refuses(*person.login, "--token=sha256~nothing")


def test_somebody_makes_projects_and_sees_his_own_alone(served: Server, person: Person) -> None:
    person.oc(*person.login, "-u", person.name, "-p", PASSWORD)
    first, second = next(_projects), next(_projects)

    said = person.oc("new-project", first, "--display-name=The first", "--description=To try it")
    person.oc("new-project", second)

    assert f'Now using project "{first}" on server "{served.url}".' in said
    assert f'Now using project "{first}"' in person.oc("project", first)
    listed = person.oc("projects")
    assert first in listed
    assert second in listed
    assert len(json.loads(person.oc("get", "projects", "-o", "json"))["items"]) == 2
    person.oc("create", "is", "app")
    assert person.oc("get", "is", "-o", "name") == "imagestream.image.openshift.io/app\n"
    assert f'"{person.name}" cannot list resource "imagestreams"' in person.oc.refuses("get", "is", "-n", "openshift-x")
    assert person.oc("delete", "project", second) == f'project.project.openshift.io "{second}" deleted\n'


def test_somebody_lets_another_in_and_out_again(served: Server, person: Person) -> None:
    person.oc(*person.login, "-u", person.name, "-p", PASSWORD)
    project, other = next(_projects), somebody(served)
    person.oc("new-project", project)

    person.oc("policy", "add-role-to-user", "view", other)
    who = person.oc("policy", "who-can", "list", "imagestreams")
    assert other in who
    assert person.name in who

    person.oc("policy", "remove-role-from-user", "view", other)
    assert other not in person.oc("policy", "who-can", "list", "imagestreams")
