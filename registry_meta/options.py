"""Command-line options that are settings, understood by every command of `manage.py`."""

from __future__ import annotations

import argparse
from collections.abc import MutableMapping, Sequence

from registry_meta.environment import PREFIX, variables

OPTIONS = {"--data-dir": "data_dir", "--bind": "bind", "--port": "port"}


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser, for its help text and for reading."""
    described = {variable.attribute: variable for variable in variables()}
    for option, attribute in OPTIONS.items():
        variable = described[attribute]
        parser.add_argument(option, metavar=attribute.upper(), help=f"{variable.description} [{variable.default}]")


def absorb(arguments: Sequence[str], environ: MutableMapping[str, str]) -> list[str]:
    """Return `arguments` without these options, whose values become environment variables.

    Settings are read before Django's own commands see their arguments, so this comes first.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    declare(parser)
    found, rest = parser.parse_known_args(arguments)
    for attribute in OPTIONS.values():
        value = getattr(found, attribute)
        if value is not None:
            environ[PREFIX + attribute.upper()] = value
            environ.pop(f"{PREFIX}{attribute.upper()}_FILE", None)
    return rest
