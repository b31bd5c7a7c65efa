#!/usr/bin/env python3
"""The command line of the project: `./manage.py serve` runs everything."""

import os
import sys

from django.core.management import execute_from_command_line

from registry_meta import options, unneeded
from registry_meta.environment import SettingError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry_meta.settings")
    unneeded.leave_out()
    try:
        execute_from_command_line(options.absorb(sys.argv, os.environ))
    except SettingError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
