"""Measures the server beside the calibration application: `python -m tests.bench [--json FILE] [--seconds N]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import mean

from tests.bench import access, fanout, hugelist, idle, importing, layers, load, memory, pages, scale, schedule, seed
from tests.bench.calibrated import calibration
from tests.bench.report import Line, table
from tests.bench.scale import Read, Taken
from tests.postgres import Postgres, binaries
from tests.redis_server import Redis
from tests.requirements import found
from tests.server import Server

ENVIRONMENT = {"ALLOW_PRIVATE_NETWORKS": "true", "LOG_LEVEL": "warning", "WEB_WORKERS": "2"}
PARTS = ("memory", "get", "list", "create", "import", "watch", "watchers-idle", "layers", "pages")
ALSO = ("scale", "access", "schedule", "hugelist")
"""Parts that run only when they are named, for they take minutes."""

TURNS = 3
MANY = 1000
IDLE = 5000
CREATED = f"{seed.API}/namespaces/{seed.NAMESPACES[3]}/imagestreams"

STREAM_RATIO = 0.65
TAG_RATIO = 0.5
LIST_RATIO = 0.3
IMPORT_SECONDS = 1.0
ONE_OF_MANY_SECONDS = 1.0
ONE_OF_MANY_MB = 150.0
ALL_OF_MANY_SECONDS = 30.0
ALL_OF_MANY_MB = 400.0
WATCH_MILLISECONDS = 200.0
MEMORY_MB = 400.0
LAYERS_MILLISECONDS = 300.0
PAGES_RATIO = 2.0
SCALE_RATIO = 1.2
SCALE_MEMORY_MB = 20.0
IDLE_READ_MILLISECONDS = 20.0
IDLE_KB = 250.0
ACCESS_RATIO = 1.15
DECISION_MICROSECONDS = 50.0
IN_FORCE_MILLISECONDS = 1000.0
SCHEDULE_SECONDS = 900.0
SCHEDULE_REQUESTS = 1.1
REST_SECONDS = 15


class Bench:
    """One run: a seeded server, the calibration application, and the lines measured so far."""

    def __init__(self, server: Server, *, calibration_url: str, seconds: int) -> None:
        self.server = server
        self.calibration_url = calibration_url
        self.seconds = seconds
        self.headers = {"Authorization": f"Bearer {server.token}", "Accept": "application/json"}

    def rate(self, name: str, path: str, *, least: float | None = None, script: Path | None = None) -> Line:
        """Measure the requests a second that a path answers, in turns with the calibration application.

        The turns are short, so that what else the machine does in these minutes slows both down alike.
        """
        bare: list[load.Load] = []
        made: list[load.Load] = []
        for _ in range(TURNS):
            bare.append(load.measure(self.calibration_url, {}, seconds=self.seconds))
            made.append(load.measure(self.server.url + path, self.headers, seconds=self.seconds, script=script))
        median, slowest = mean(turn.median for turn in made), max(turn.slowest for turn in made)
        note = f"{median:.1f} ms median, {slowest:.1f} ms for 99 %"
        return Line(name, mean(turn.rate for turn in made), "/s", mean(turn.rate for turn in bare), least, note=note)

    def get(self) -> Iterator[Line]:
        """Read one stream and one tag."""
        base = f"{seed.API}/namespaces/{seed.NAMESPACES[0]}"
        yield self.rate("GET stream", f"{base}/imagestreams/{seed.stream_name(7)}", least=STREAM_RATIO)
        yield self.rate("GET tag", f"{base}/imagestreamtags/{seed.stream_name(7)}:latest", least=TAG_RATIO)

    def list(self) -> Iterator[Line]:
        """Read many streams at once."""
        namespace = f"{seed.API}/namespaces/{seed.NAMESPACES[2]}/imagestreams"
        yield self.rate("LIST 500 streams", namespace, least=LIST_RATIO)
        yield self.rate("LIST 2000 streams", f"{seed.API}/imagestreams")

    def create(self) -> Iterator[Line]:
        """Create streams."""
        yield self.rate("create stream", CREATED, script=load.CREATE)

    def import_(self) -> Iterator[Line]:
        """Import a repository of fifty tags."""
        seconds = importing.import_tags(self.server)
        yield Line(f"import {importing.TAGS} tags", seconds, "s", most=IMPORT_SECONDS)

    def hugelist(self) -> Iterator[Line]:
        """Import from a repository of half a million tags."""
        one, whole = hugelist.costs(self.server)
        name = f"of a repository of {hugelist.TAGS:,} tags"
        yield Line(f"import one tag {name}", one.seconds, "s", most=ONE_OF_MANY_SECONDS)
        yield Line("memory for that at its most (PSS)", one.added, "MB", most=ONE_OF_MANY_MB)
        yield Line(f"import fifty tags {name}", whole.seconds, "s", most=ALL_OF_MANY_SECONDS)
        yield Line("memory for that at its most (PSS)", whole.added, "MB", most=ALL_OF_MANY_MB)

    def watch(self) -> Iterator[Line]:
        """Tell many watchers of a change."""
        for watchers, most in ((100, None), (MANY, WATCH_MILLISECONDS)):
            reached = fanout.fanout(self.server, watchers)
            yield Line(f"{watchers} watchers: median", reached.median, "ms", most=most, note="from sending the write")
            yield Line(f"{watchers} watchers: last", reached.last, "ms")
        path = f"{seed.API}/namespaces/{seed.NAMESPACES[0]}/imagestreams?watch=1&timeoutSeconds=600&resourceVersion=0"
        with fanout.Readers(self.server, path, MANY):
            yield self.rate(f"create beside {MANY} watchers", CREATED, script=load.CREATE)
        yield self.rate("create after they left", CREATED, script=load.CREATE)

    def layers(self) -> Iterator[Line]:
        """Tell the layers of a stream of thousands of images."""
        for shared, whole in ((0, False), (3 * layers.LAYERS // 4, False), (0, True)):
            name = f"layers of {layers.IMAGES}{' whole' if whole else ''} images, {shared} of {layers.LAYERS} shared"
            taken = layers.milliseconds(self.server, shared=shared, whole=whole)
            yield Line(name, taken, "ms", most=LAYERS_MILLISECONDS)

    def pages(self) -> Iterator[Line]:
        """Read a long list page by page, undisturbed and with writes behind the first page."""
        pages.fill(self.server)
        for writes in (0, 200):
            times = pages.times(self.server, writes=writes)
            note = " ".join(f"{taken:.1f}" for taken in times)
            ratio = times[-1] / times[0]
            yield Line(f"last page by first, {writes} writes between", ratio, "x", most=PAGES_RATIO, note=f"{note} ms")

    def scale(self) -> Iterator[Line]:
        """Read from a small store and from a large one."""
        single = [(read, scale.one(self.server, read, calibration_url=self.calibration_url)) for read in scale.READ_ONE]
        several = [(read, scale.many(self.server, read)) for read in scale.READ_MANY]
        watched, imported = scale.watch_start(self.server), scale.import_one(self.server)
        scale.exercise(self.server)
        held = scale.memory_of(self.server)
        scale.fill(self.server)
        say("the store is large now")
        for read, was in single:
            yield self._beside(read, was)
        for read, took in several:
            taken = scale.many(self.server, read)
            yield Line(read.name, taken, "ms", most=read.most, note=f"{took:.1f} ms in the small store")
        scale.exercise(self.server)
        grown, note = scale.growth(held, scale.memory_of(self.server))
        yield Line("memory that the large store adds (PSS)", grown, "MB", most=SCALE_MEMORY_MB, note=note)
        yield Line(scale.TAGS_OF_ONE.name, scale.many(self.server, scale.TAGS_OF_ONE), "ms")
        yield Line("watch start", scale.watch_start(self.server), "ms", note=f"{watched:.2f} ms in the small store")
        yield Line("import of a tag", scale.import_one(self.server), "ms", note=f"{imported:.0f} ms in the small store")
        (_, deleted), (_, slowest) = scale.delete_namespace(self.server)
        yield Line("deletion of a namespace of 2000 streams", deleted, "s", note=f"a GET meanwhile: {slowest:.0f} ms")
        time.sleep(scale.TRIMMED)
        grown, note = scale.growth(held, scale.memory_of(self.server))
        yield Line("memory that was added in the end (PSS)", grown, "MB", most=SCALE_MEMORY_MB, note=note)

    def _beside(self, read: Read, was: Taken) -> Line:
        """Compare a read from the large store with what it was in the small one."""
        taken = scale.one(self.server, read, calibration_url=self.calibration_url)
        then = f"{was.milliseconds:.2f} ms and {was.ratio:.2f} times in the small store"
        note = f"{taken.milliseconds:.2f} ms, {taken.ratio:.2f} times the calibration; {then}"
        return Line(f"{read.name} by the small store", taken.ratio / was.ratio, "x", most=SCALE_RATIO, note=note)

    def access(self) -> Iterator[Line]:
        """Ask as an ordinary user where there are many roles, bindings and namespaces, and change what he may."""
        ordinary = access.Ordinary(self.server)
        few = access.beside_administrator(self.server, ordinary)
        time.sleep(REST_SECONDS)
        before = memory.of(self.server.family())
        access.fill(self.server)
        say("there are many roles and bindings now")
        found, known = access.held(self.server)
        yield Line("reading the policy", found.reading, "ms", note=f"{found.bindings:,} bindings")
        yield Line("memory of the policy in a process", found.memory, "MB")
        for name, taken in access.decisions(known, ordinary):
            yield Line(name, taken, "µs", most=DECISION_MICROSECONDS)
        own, administrator = access.beside_administrator(self.server, ordinary)
        note = f"{own:.2f} ms by {administrator:.2f} ms; with few bindings {few[0]:.2f} by {few[1]:.2f}"
        yield Line("GET stream, user by administrator", own / administrator, "x", most=ACCESS_RATIO, note=note)
        changed = access.changes(self.server, ordinary)
        yield Line("a changed binding is in force", changed.in_force, "ms", most=IN_FORCE_MILLISECONDS)
        yield Line("first answer after a changed binding", changed.first_answer, "ms", note=f"else {own:.2f} ms")
        yield Line("served after the end of a token", access.served_after_revocation(self.server), "", most=0)
        listed = access.projects(self.server, ordinary)
        if listed is not None:
            yield Line("list of 3 projects among 10,000", listed, "ms")
        time.sleep(REST_SECONDS)
        yield Line("memory that the policy adds (PSS)", memory.of(self.server.family()).pss - before.pss, "MB")

    def schedule(self) -> Iterator[Line]:
        """Look at ten thousand scheduled tags, and read beside that."""
        found = schedule.looks(self.server)
        yield Line(f"first import of {found.tags} tags", found.imported, "s", note="by one worker")
        note = f"{found.tags / found.looked:.0f} a second; {found.written} writes"
        yield Line(f"look at {found.tags} scheduled tags", found.looked, "s", most=SCHEDULE_SECONDS, note=note)
        yield Line("requests for a tag that has not moved", found.requests, "", most=SCHEDULE_REQUESTS)
        note = f"{found.before:.1f} ms without them; the slowest: {found.slowest:.0f} ms"
        yield Line("GET beside the looks", found.beside, "ms", note=note)

    def idle(self) -> Iterator[Line]:
        """Hold many watches to which nothing happens, and read beside them."""
        found = idle.idle(self.server, IDLE)
        note = f"{found.threads:.2f} threads each; opened in {found.opening:.0f} s"
        yield Line(f"{IDLE} idle watches, memory of each", found.memory, "KB", most=IDLE_KB, note=note)
        note = f"{found.before:.1f} ms without them; the slowest of {idle.GETS}: {found.slowest:.0f} ms"
        yield Line("GET beside them", found.beside, "ms", most=IDLE_READ_MILLISECONDS, note=note)

    def memory(self, when: str) -> Iterator[Line]:
        """Add up the memory of every process of the server, once the threads that have no work are gone.

        What the processes share counts once in PSS, and once for each of them in RSS.
        """
        time.sleep(REST_SECONDS)
        held = memory.of(self.server.family())
        yield Line(f"memory {when} (PSS)", held.pss, "MB", most=MEMORY_MB)
        yield Line(f"memory {when} (RSS)", held.rss, "MB")


@contextmanager
def served(*, on_postgres: bool) -> Iterator[tuple[Server, str]]:
    """Run a server and yield it with the URL of an empty database for the calibration application."""
    fanout.allow_files(4096)
    with ExitStack() as stack:
        database_url = calibration_database = redis_url = ""
        if on_postgres:
            postgres = stack.enter_context(Postgres(durable=True))
            database_url, calibration_database = postgres.create("bench"), postgres.create("calibration")
            if found("redis-server"):
                redis_url = stack.enter_context(Redis()).url
        server = Server(database_url=database_url, redis_url=redis_url, environment=ENVIRONMENT)
        yield stack.enter_context(server), calibration_database


def run(bench: Bench, parts: list[str]) -> Iterator[Line]:
    """Measure the parts, in the order in which the one disturbs the other least."""
    if "memory" in parts:
        yield from bench.memory(f"with {len(seed.NAMESPACES) * seed.STREAMS} streams")
    if "get" in parts:
        yield from bench.get()
    if "list" in parts:
        yield from bench.list()
    if "memory" in parts and len(parts) > 1:
        yield from bench.memory("after reads")
    if "import" in parts:
        yield from bench.import_()
    if "create" in parts:
        yield from bench.create()
    if "watch" in parts:
        yield from bench.watch()
    if "layers" in parts:
        yield from bench.layers()
    if "pages" in parts:
        yield from bench.pages()
    if "hugelist" in parts:
        yield from bench.hugelist()
    if "scale" in parts:
        yield from bench.scale()
    if "access" in parts:
        yield from bench.access()
    if "schedule" in parts:
        yield from bench.schedule()
    if "memory" in parts and len(parts) > 1:
        yield from bench.memory("at the end")
    if "watchers-idle" in parts:
        yield from bench.idle()


def main() -> int:
    """Run, print the table, and return 1 when a line fails."""
    options = arguments()
    on_postgres = options.database == "postgresql"
    lines: list[Line] = []
    with served(on_postgres=on_postgres) as (server, database_url):
        say(f"the server runs on {options.database}; filling it")
        started = time.monotonic()
        seed.seed(server)
        say(f"filled in {time.monotonic() - started:.0f} seconds")
        tls = server.ca.parent
        certificate, key = tls / "server.crt", tls / "server.key"
        with calibration(certificate=certificate, key=key, database_url=database_url) as url:
            bench = Bench(server, calibration_url=url, seconds=options.seconds)
            for line in run(bench, options.parts):
                say("  ".join(cell for cell in line.cells() if cell))
                lines.append(line)
    print(table(lines))
    if options.json:
        document = {"database": options.database, "lines": [line.json() for line in lines]}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if any(line.verdict == "FAIL" for line in lines) else 0


def arguments() -> argparse.Namespace:
    """Return how the run was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--seconds", type=int, default=3, help=f"how long each of {TURNS} turns lasts")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="PostgreSQL where it is installed")
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"some of {', '.join([*PARTS, *ALSO])}; if none, all but {', '.join(ALSO)}",
    )
    options = parser.parse_args()
    options.parts = options.parts or list(PARTS)
    unknown = set(options.parts) - {*PARTS, *ALSO}
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    options.database = options.database or ("postgresql" if binaries() else "sqlite")
    if not found("wrk"):
        parser.error("wrk is not installed")
    return options


def say(text: str) -> None:
    """Tell the person who waits how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
