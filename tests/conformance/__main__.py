"""Replays the recorded scenarios: `python -m tests.conformance [--diff] [NAME or prefix ...]`.

Starts registries and a fresh server, unless `--server URL --token TOKEN` name one that runs and is configured as
`suite.REFERENCE` says. Prints one line for each step that differs, and last `N passed, N failed`.
"""

import argparse
import contextlib
import sys
import time
import warnings

from tests.conformance import replay, suite
from tests.conformance.peers import peers
from tests.processes import ProcessError


def main():
    options = arguments()
    scenarios = replay.load(options.names)
    if options.list:
        for name, scenario in scenarios:
            print(f"{name}: {scenario['about']} ({len(scenario['steps'])} steps)")
        return 0
    with contextlib.ExitStack() as stack:
        if not options.no_peers:
            stack.enter_context(peers())
        if options.server:
            return run(scenarios, options, options.server, options.token, options.ca)
        served = stack.enter_context(suite.server())
        code = run(scenarios, options, served.url, served.token, served.ca)
        if options.log:
            print(served.log)
        return code


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="scenario names or prefixes; all if none")
    parser.add_argument("--server", help="the URL of a running server")
    parser.add_argument("--token", help="the token of its administrator")
    parser.add_argument("--ca", help="the file of the authority that signed its certificate")
    parser.add_argument("--no-peers", action="store_true", help="the registries run already")
    parser.add_argument("--diff", action="store_true", help="print where the answers differ")
    parser.add_argument("--rows", type=int, default=12, help="places printed for each step")
    parser.add_argument("--log", action="store_true", help="print the log of the server at the end")
    parser.add_argument("--times", action="store_true", help="print how long each scenario took")
    parser.add_argument("--workers", type=int, default=suite.WORKERS, help="scenarios at a time")
    parser.add_argument("--list", action="store_true", help="list the scenarios and what each covers")
    options = parser.parse_args()
    if options.server and not options.token:
        parser.error("--server needs --token")
    return options


def run(scenarios, options, url, token, ca):
    """Replay, print and count; returns the exit code."""
    passed = failed = 0
    differing = []
    started = time.monotonic()

    def done(report):
        nonlocal passed, failed
        passed, failed = passed + report.passed, failed + report.failed
        if options.times:
            print(f"{report.name}: {report.seconds:.1f} s")
        if report.differing:
            differing.append(report.name)
            print(report.text(rows=options.rows if options.diff else 0), flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the authority of a server that runs elsewhere may be unknown here
        suite.replay_all(scenarios, url=url, token=token, ca=ca, done=done, workers=options.workers)
    if options.times:
        print(f"{time.monotonic() - started:.1f} s in all")
    if differing:
        print(f"{len(differing)} of {len(scenarios)} scenarios differ: {' '.join(sorted(differing))}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProcessError as error:
        sys.exit(f"error: {error}")
