"""Programs that some tests need and that not every machine has."""

from __future__ import annotations

import shutil

import pytest


def needs(*programs: str) -> pytest.MarkDecorator:
    """Return a mark that skips tests where a program is missing, and says which."""
    missing = [program for program in programs if not found(program)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


def found(program: str) -> bool:
    """Return whether a program is installed."""
    return shutil.which(program) is not None
