"""The settings of tests inside this process: those of the server, on a data directory that is gone afterwards."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "REGISTRY_META_"
KEPT = Path(tempfile.mkdtemp(prefix="registry-meta-tests-"))
atexit.register(shutil.rmtree, KEPT, ignore_errors=True)

# Settings are read when their module is imported, and nothing that a person has set for a server counts here.
for name in [name for name in os.environ if name.startswith(PREFIX) or name == "REDIS_URL"]:
    del os.environ[name]
os.environ[f"{PREFIX}DATA_DIR"] = str(KEPT)
os.environ[f"{PREFIX}ALLOW_PRIVATE_NETWORKS"] = "true"

from registry_meta.settings import *  # noqa: E402, F403
from registry_meta.settings import DATABASES  # noqa: E402

# A file, as it is in a server: a database in memory locks whole tables between threads.
if "sqlite3" in str(DATABASES["default"]["ENGINE"]):
    DATABASES["default"]["TEST"] = {"NAME": str(KEPT / "test.sqlite3")}
