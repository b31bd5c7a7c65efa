"""The sessions at a shell that pages show, taken apart and matched with what a shell really prints.

A session is what the indented blocks of a section show: lines that begin with a dollar sign are commands, with what a
here-document holds, and what follows is what they print. What differs from run to run (digests, times, versions) is
learnt where it is first printed and filled in where the page repeats it. An ellipsis stands for anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

BLOCK = re.compile(r"(?:^(?: {4}.*)?\n)+", re.MULTILINE)
HERE = "END"
CHANGING = re.compile(
    r"sha256:[0-9a-f]{8}…"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
    r'|(?<="resourceVersion": ")\d+'
)
FORMS = {"s": r"sha256:[0-9a-f]{64}", "2": r"[0-9T:.-]+Z", "": r"\d+"}
"""What a changing part may be, by how the page writes it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command and what it prints."""

    command: str
    output: str


def section(text: str, heading: str) -> str:
    """Return what a page says below a heading, up to the next of the same level."""
    _, _, rest = text.partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


def steps(text: str) -> Iterator[Step]:
    """Yield the commands of a section in order."""
    for block in BLOCK.findall(text):
        lines = [line[4:] for line in block.rstrip("\n").split("\n")]
        command: list[str] = []
        output: list[str] = []
        for line in lines:
            is_open = bool(command) and f"<<{HERE}" in command[0] and command[-1] != HERE
            if is_open:
                command.append(line)
            elif line.startswith("$ "):
                if command:
                    yield Step("\n".join(command), "\n".join(output).strip())
                command, output = [line[2:]], []
            else:
                output.append(line)
        if command:
            yield Step("\n".join(command), "\n".join(output).strip())


@dataclass
class Session:
    """What is known so far: the real text for each that a page shows; `names` are known from the start."""

    names: dict[str, str] = field(default_factory=dict)

    def command(self, step: Step) -> str:
        """Return a command with what is known filled in; times that are new are the page's own."""
        for shown in CHANGING.findall(step.command):
            self.names.setdefault(shown, shown)
        return self._filled(step.command)

    def _filled(self, text: str) -> str:
        for shown, real in self.names.items():
            text = text.replace(shown, real)
        return text

    def matches(self, step: Step, printed: str) -> bool:
        """Return whether a command printed what the page shows, and learn what was new in it."""
        found = re.fullmatch(self._pattern(step.output), printed.strip(), re.DOTALL)
        if found is None:
            return False
        self.names |= {shown: found[self._group(shown)] for shown in self._unknown(step.output)}
        return True

    def _unknown(self, text: str) -> list[str]:
        return [shown for shown in dict.fromkeys(CHANGING.findall(text)) if shown not in self.names]

    def _group(self, shown: str) -> str:
        return "g" + re.sub(r"\W", "_", shown)

    def _pattern(self, text: str) -> str:
        """Return the expression that what is printed has to match."""
        seen: set[str] = set()
        parts: list[str] = []
        position = 0
        for match in CHANGING.finditer(text):
            shown = match[0]
            parts.append(self._plain(text[position : match.start()]))
            position = match.end()
            if shown in self.names:
                parts.append(re.escape(self.names[shown]))
            elif shown in seen:
                parts.append(f"(?P={self._group(shown)})")
            else:
                seen.add(shown)
                parts.append(f"(?P<{self._group(shown)}>{FORMS[shown[0] if shown[0] == 's' or '-' in shown else '']})")
        return "".join([*parts, self._plain(text[position:])])

    def _plain(self, text: str) -> str:
        return ".*?".join(re.escape(self._filled(part)) for part in text.split("…"))
