"""The project's Python files as syntax trees, and the questions that are asked of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("registry_meta", "authz", "imagestreams")
GENERATED = "migrations"


@dataclass(frozen=True)
class Source:
    """One Python file: its dotted name, its text and what it says."""

    path: Path

    @cached_property
    def name(self) -> str:
        """The module's dotted name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        """The file's content."""
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def imports(self) -> frozenset[str]:
        """The dotted names that the file imports, anywhere in it; of `from a import b` both `a` and `a.b`."""
        return frozenset(name for node in ast.walk(self.tree) for name in self._imported(node))

    def _imported(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = self._absolute(node)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        if self.path.name != "__init__.py":
            package = package[:-1]
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])

    def imports_below(self, package: str) -> set[str]:
        """Return what the file imports of a package."""
        return {name for name in self.imports if within(name, package)}

    def strings(self) -> Iterator[str]:
        """Yield every text constant of the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value

    def calls(self) -> Iterator[str]:
        """Yield the dotted name of every call, `a.b` for `a(...).b[0](...)` as well."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield dotted(node.func)

    def __str__(self) -> str:
        return self.name


def within(name: str, package: str) -> bool:
    """Return whether a dotted name is a package or lies in it."""
    return name == package or name.startswith(package + ".")


def dotted(node: ast.expr) -> str:
    """Return the names that a chain of attributes, calls and subscripts goes through."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            break
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


def sources(*packages: str) -> list[Source]:
    """Return the files of packages, or of the whole project, that people wrote."""
    folders = [ROOT / package for package in packages or PACKAGES]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py")) if GENERATED not in path.parts]
    return [Source(path) for path in files]
