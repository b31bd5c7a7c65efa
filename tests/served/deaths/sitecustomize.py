"""Lets the processes of a server die at marked points of an import, for those who start them with this on their path.

Python imports a module of this name before anything else. A file in the directory `DEATHS`, called `POINT.STREAM`, asks
that the first process which comes to that point with that stream is killed (SIGKILL) there and then. The server's own
code knows nothing of it: its functions are wrapped as their modules are loaded.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

DEATHS = Path(os.environ["DEATHS"])

Names = Callable[..., Iterable[str]]
"""Returns the streams that a call is about, from its arguments."""


def rows(row_ids: Sequence[int]) -> Iterable[str]:
    """Return the streams of rows of imports."""
    models: Any = sys.modules["imagestreams.models"]
    return models.DueImport.objects.filter(pk__in=list(row_ids)).values_list("name", flat=True)  # type: ignore[no-any-return]  # loaded by the server


def index_in(image: Any) -> list[str]:
    """Return the repository of an image, which is called as its stream, if it is an index."""
    if not image.docker_image_manifests:
        return []
    return [image.docker_image_reference.partition("@")[0].rpartition("/")[2]]


BEFORE, AFTER = "before", "after"

POINTS: dict[str, tuple[str, str, str, Names]] = {
    "change-read": (
        "imagestreams.imports.queue",
        "note",
        BEFORE,
        lambda found, **_: [s.metadata.name for s, _ in found],
    ),
    "row-noted": ("imagestreams.imports.tasks", "_start", BEFORE, rows),
    "message-taken": ("imagestreams.imports.queue", "claim", BEFORE, lambda row, **_: rows([row])),
    "row-claimed": ("imagestreams.imports.queue", "claim", AFTER, lambda row, **_: rows([row])),
    "manifest-fetched": ("imagestreams.imports.fetch", "_read", AFTER, lambda _, reference: [reference]),
    "all-fetched": ("imagestreams.imports.keep", "store_images", BEFORE, lambda asked, *_, **__: [asked.metadata.name]),
    "members-stored": ("imagestreams.imports.keep", "_store_image", BEFORE, lambda image, **_: index_in(image)),
    "images-stored": (
        "imagestreams.imports.keep",
        "write_stream",
        BEFORE,
        lambda asked, *_, **__: [asked.metadata.name],
    ),
    "stream-written": ("imagestreams.imports.queue", "done", BEFORE, lambda row, **_: [row.name]),
    "row-done": ("imagestreams.imports.queue", "done", AFTER, lambda row, **_: [row.name]),
}
"""Where one can die: the module and the function, on which side of its call, and whose import it is."""


def die(point: str, names: Iterable[str]) -> None:
    """Kill this process if that is asked for at a point of the import of one of the streams."""
    if not any(DEATHS.glob(f"{point}.*")):
        return
    for name in names:
        try:
            (DEATHS / f"{point}.{name}").rename(DEATHS / f"died-{point}.{name}")
        except FileNotFoundError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)


def deadly(function: Callable[..., Any], point: str, side: str, names: Names) -> Callable[..., Any]:
    """Return a function at which one may die."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if side == BEFORE:
            die(point, names(*args, **kwargs))
        result = function(*args, **kwargs)
        if side == AFTER:
            die(point, names(*args, **kwargs))
        return result

    return wrapped


class Finder(MetaPathFinder):
    """Finds the modules of the points, and wraps their functions when they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what loads a module and wraps its functions, or None for one without points."""
        points = {point: where for point, where in POINTS.items() if where[0] == fullname}
        spec = PathFinder.find_spec(fullname, path, target) if points else None
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_wrap(module: ModuleType) -> None:
            load(module)
            for point, (_, function, side, names) in points.items():
                setattr(module, function, deadly(getattr(module, function), point, side, names))

        spec.loader.exec_module = load_and_wrap  # type: ignore[method-assign]  # of this loader, which loads this module alone
        return spec


sys.meta_path.insert(0, Finder())
