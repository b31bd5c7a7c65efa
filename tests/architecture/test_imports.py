"""Who may import whom: the layers from the floor (`registry_meta.kube`) to the roof (`registry_meta`)."""

from __future__ import annotations

import sys

import pytest

from tests.architecture.sources import ROOT, Source, sources, within

KUBE = "registry_meta.kube"

MAY_NOT = {
    KUBE: ("authz", "imagestreams", "registry_meta.settings", "registry_meta.urls", "tests"),
    "authz": ("imagestreams", "registry_meta.urls", "registry_meta.settings", "tests"),
    "imagestreams": ("registry_meta.urls", "registry_meta.settings", "tests"),
    "imagestreams.upstream": ("django", "rest_framework", "celery", "registry_meta", "authz", "msgspec"),
    "imagestreams.minting": ("django", "rest_framework", "celery", "registry_meta", "authz", "imagestreams.imports"),
    "imagestreams.imports": ("imagestreams.triggers", "imagestreams.web"),
    "imagestreams.triggers": ("imagestreams.imports", "imagestreams.upstream", "imagestreams.web"),
    "registry_meta": ("tests",),
}
"""For each package what no module of it imports."""

UPSTREAM_LIBRARIES = ("requests", "urllib3", "imagestreams.upstream")

TYPES = (f"{KUBE}.meta", f"{KUBE}.errors", "imagestreams.types")
"""Values without behaviour, which the pure modules work on."""

PURE = (
    f"{KUBE}.patch",
    f"{KUBE}.quantity",
    f"{KUBE}.selectors",
    f"{KUBE}.validation",
    f"{KUBE}.decode",
    "authz.oauth.pkce",
    "authz.oauth.redirects",
    "authz.resourcenames",
    "authz.rules",
    "authz.scopes",
    "authz.people",
    "imagestreams.reference",
    "imagestreams.tags",
    "imagestreams.history",
    "imagestreams.generations",
    "imagestreams.holds",
    "imagestreams.mirrors",
    "imagestreams.follow",
    "imagestreams.election",
    "imagestreams.versions",
    "imagestreams.moments",
    "imagestreams.repositories",
    "imagestreams.outcomes",
    "imagestreams.rollbacks",
    "imagestreams.spans",
    "imagestreams.formats",
    "imagestreams.limits",
    "imagestreams.credentials",
    "imagestreams.minting.identities",
    "imagestreams.minting.signature",
    "imagestreams.imports.record",
    "imagestreams.conditions",
    "imagestreams.manifests",
    "imagestreams.validation",
    "imagestreams.whitelist",
    "imagestreams.rows",
    "imagestreams.imports.pace",
    "imagestreams.imports.plan",
    "imagestreams.imports.retrying",
    "imagestreams.intervals",
    "imagestreams.triggers.match",
    "imagestreams.triggers.events",
)
"""What decides without asking anyone: no database, no network, no queue."""

PURE_LIBRARIES = ("msgspec", "re2", "yaml")


def file_of(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def pure_sources() -> list[Source]:
    return [source for source in sources() if any(within(source.name, module) for module in PURE)]


@pytest.mark.parametrize("package", MAY_NOT)
def test_a_package_leaves_alone_what_lies_above_it(package: str) -> None:
    trespasses = {
        f"{source} imports {name}"
        for source in sources(*[package.replace(".", "/")])
        for forbidden in MAY_NOT[package]
        for name in source.imports_below(forbidden)
    }

    assert not trespasses


def test_the_floor_reads_settings_from_django_alone() -> None:
    roof = {
        f"{source} imports {name}"
        for source in sources("registry_meta/kube")
        for name in source.imports_below("registry_meta")
        if not within(name, KUBE) and name != "registry_meta"
    }

    assert not roof


def test_the_registry_client_needs_nothing_but_requests() -> None:
    others = {
        f"{source} imports {name}"
        for source in sources("imagestreams/upstream")
        for name in source.imports
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(within(name, library) for library in UPSTREAM_LIBRARIES)
        and name != "imagestreams"
    }

    assert not others


@pytest.mark.parametrize("module", PURE)
def test_every_module_that_is_said_to_be_pure_exists(module: str) -> None:
    assert file_of(module)


@pytest.mark.parametrize("source", pure_sources(), ids=str)
def test_a_pure_module_imports_values_and_pure_modules_only(source: Source) -> None:
    project = {name for name in source.imports if name.split(".")[0] in ("registry_meta", "authz", "imagestreams")}
    modules = {name for name in project if file_of(name) and not is_package(name)}
    impure = {name for name in modules if not any(within(name, allowed) for allowed in (*PURE, *TYPES))}
    foreign = {
        name
        for name in source.imports - project
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(within(name, library) for library in PURE_LIBRARIES)
    }

    assert not impure | foreign


def is_package(module: str) -> bool:
    return ROOT.joinpath(*module.split("."), "__init__.py").exists()


@pytest.mark.parametrize("library", ["socket", "http.client", "urllib.request", "sqlite3", "threading", "subprocess"])
def test_a_pure_module_calls_nobody(library: str) -> None:
    assert not [str(source) for source in pure_sources() if source.imports_below(library)]


def test_the_pages_write_no_models() -> None:
    writers = [str(source) for source in sources("imagestreams/web") if source.imports_below("imagestreams.models")]

    assert not writers
