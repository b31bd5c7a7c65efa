#!/usr/bin/env python3
"""The command line of the project: `./manage.py serve` runs everything."""

import gc
import os
import sys

import django
from django.core.management import execute_from_command_line

from registry_meta import options, unneeded
from registry_meta.environment import SettingError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry_meta.settings")
    unneeded.leave_out()
    try:
        arguments = options.absorb(sys.argv, os.environ)
        # All that is imported stays, so that to look for garbage among it meanwhile is a fifth of the work for nothing.
        gc.disable()
        django.setup()
        gc.freeze()
        gc.enable()
        execute_from_command_line(arguments)
    except SettingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
