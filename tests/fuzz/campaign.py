"""A run of many cases against a server: made, placed, sent, checked; what was found is kept and told."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.openapi import from_dict

from tests.fuzz.checks import checks_for
from tests.fuzz.objects import PATIENCE, fill
from tests.fuzz.placing import place
from tests.server import Server

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
SETTINGS: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
REFILLED = 100
"""After how many cases what they have deleted is made again."""

EDGES = 6
"""The fewest edges of an operation: to make all of them, to choose from, takes longer than to send a few."""

schemathesis.serializer.alias(
    ["application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json"],
    "application/json",
)
schemathesis.serializer.alias("application/apply-patch+yaml", "application/yaml")


@dataclass
class Campaign:
    """Cases on one server, the same ones for the same seed and number."""

    server: Server
    seed: int
    tell: Callable[[str], None] = print
    cases: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    findings: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    tracebacks: int = 0

    def run(self, cases: int) -> None:
        """Send about so many cases, at most, as many to each operation as to any other."""
        self.session = self.server.client()
        del self.session.headers["Accept"]  # that of the session goes before that of a case
        self.random = random.Random(self.seed)
        operations = [operation for document in self.documents() for operation in operations_of(document)]
        for number, operation in enumerate(operations):
            share = (cases - self.cases) / (len(operations) - number)
            self._try(operation, max(3, round(share)))
        self.tracebacks = self.server.log.count("Traceback")

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield the documents of version 3 that the index of the server names."""
        index = self.session.get(f"{self.server.url}/openapi/v3", timeout=PATIENCE).json()
        for entry in index["paths"].values():
            yield self.session.get(self.server.url + entry["serverRelativeURL"], timeout=PATIENCE).json()

    @property
    def line(self) -> str:
        """What came of it, in one line."""
        codes = ", ".join(f"{count} of {code}" for code, count in sorted(self.codes.items()))
        found = f"{len(self.findings)} findings, {self.tracebacks} tracebacks"
        return f"{self.cases} cases, seed {self.seed}, {found}: {codes}"

    def _try(self, operation: APIOperation[Any, Any, Any, Any], cases: int) -> None:
        """Send edges that schemathesis knows of an operation, a third or none, and cases drawn at random."""
        bodies = self._bodies(operation, max(3, cases // 10))
        number = self._edges(cases // 3)
        edges = list(edges_of(operation)) if number else []
        chosen = self.random.sample(edges, min(number, len(edges)))
        for case in chosen:
            self._send(case, bodies)
        left = cases - cases // 3
        for mode, share in zip(MODES, (left - left // 2, left // 2), strict=True):
            for case in self._drawn(operation, mode, share):
                self._send(case, bodies)

    def _edges(self, wanted: int) -> int:
        """Return how many edges to send, on average so many: some of an operation, or none."""
        if wanted >= EDGES:
            return wanted
        return EDGES if self.random.random() < wanted / EDGES else 0

    def _bodies(self, operation: APIOperation[Any, Any, Any, Any], number: int) -> list[Any]:
        """Return objects of the kind that a patch changes."""
        if operation.method.upper() != "PATCH":
            return []
        whole = operation.schema[operation.path]["PUT"]
        return [case.body for case in self._drawn(whole, GenerationMode.POSITIVE, number)]

    def _drawn(self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, number: int) -> list[Case[Any]]:
        found: list[Case[Any]] = []
        if not number:
            return found

        @hypothesis.seed(self.random.getrandbits(32))
        @hypothesis.settings(max_examples=number, **SETTINGS)
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def draw(case: Case[Any]) -> None:
            found.append(case)

        draw()
        return found[:number]

    def _send(self, case: Case[Any], bodies: list[Any]) -> None:
        if self.cases % REFILLED == 0:
            fill(self.server.client(), self.server.url)
        self.cases += 1
        place(case, self.random, bodies)
        try:
            response = case.call(self.server.url, self.session, verify=str(self.server.ca), timeout=PATIENCE)
        except requests.RequestException as error:
            self._found(case, f"no answer: {type(error).__name__}", str(error))
            return
        self.codes[response.status_code] += 1
        try:
            case.validate_response(response, checks=checks_for(case, response))
        except FailureGroup as failures:
            for failure in failures.exceptions:
                self._found(case, f"{response.status_code} {_told(failure)}", response.text)

    def _found(self, case: Case[Any], what: str, answer: str) -> None:
        key = (case.operation.label, what[:300])
        if key not in self.findings:
            self.tell(f"\n{case.operation.label}\n{what[:1000]}\n{case.as_curl_command()[:2000]}\n-> {answer[:1000]}")
        self.findings.setdefault(key, []).append(case.id)


def _told(failure: Failure) -> str:
    return f"{failure.title}: {failure.message}"


def operations_of(document: dict[str, Any]) -> list[APIOperation[Any, Any, Any, Any]]:
    """Return the operations of a document."""
    operations: list[APIOperation[Any, Any, Any, Any]] = []
    for found in from_dict(document).get_all_operations():
        if not isinstance(found, Ok):
            raise found.err()
        operations.append(found.ok())
    return operations


def edges_of(operation: APIOperation[Any, Any, Any, Any]) -> Iterator[Case[Any]]:
    """Return the cases at the edges of an operation's schemas, and its path with methods that it has not."""
    generation = operation.schema.config.generation_for(operation=operation)
    yield from operation.schema.iter_coverage_cases(
        operation, generation_modes=list(MODES), generation_config=generation
    )
