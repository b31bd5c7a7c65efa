"""Processes do without what libraries import only because it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from registry_meta import unneeded

ROOT = Path(__file__).resolve().parent.parent.parent

PROGRAM = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "registry_meta.settings"
from registry_meta import unneeded
unneeded.leave_out()
import django
django.setup()
from registry_meta.management.commands import web
web.load()
print(*sorted(name for name, module in sys.modules.items() if module is not None))
"""


def test_the_web_processes_load_without_them(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environ["REGISTRY_META_DATA_DIR"] = str(tmp_path)

    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environ, text=True, check=True)

    loaded = set(done.stdout.split())
    assert {"rest_framework.views", "requests"} <= loaded
    assert not loaded & {*unneeded.MODULES, "psycopg"}
    assert not done.stderr
