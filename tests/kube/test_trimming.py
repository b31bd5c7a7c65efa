"""Memory that nothing uses goes back to the system."""

from __future__ import annotations

import os
import subprocess
import sys

from registry_meta.supervisor import ALLOCATOR

PROGRAM = """
from pathlib import Path
from registry_meta.kube.trimming import trim

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

documents = [str(number) * 300 for number in range(40_000)]
later = [str(number) * 3000 for number in range(100, 110)]
del documents
before = held()
trim()
print(before - held())
"""


def test_what_many_documents_took_is_given_back() -> None:
    command, environ = [sys.executable, "-c", PROGRAM], {**os.environ, **ALLOCATOR}

    given = int(subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout)

    assert given > 20_000_000
