"""Runs cases against a server started for them: `python -m tests.fuzz [--cases N] [--seed S]`."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.campaign import Campaign
from tests.server import Server

CASES = 10_000


def main() -> int:
    """Run, tell what was found, and return 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help=f"how many cases to send; {CASES} if not given")
    parser.add_argument("--seed", type=int, default=1, help="which cases: the same for the same number; 1 if not given")
    options = parser.parse_args()
    with Server() as server:
        campaign = Campaign(server, options.seed)
        campaign.run(options.cases)
    print(campaign.line)
    return 1 if campaign.findings or campaign.tracebacks else 0


if __name__ == "__main__":
    sys.exit(main())
