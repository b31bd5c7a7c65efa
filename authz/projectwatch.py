"""Watches of projects: namespaces come and go for a watcher with his rights, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
from django.db import connection

from authz import policy, projects
from authz.api.namespaces import NAMESPACES
from authz.grants import CLUSTER_ROLE_BINDINGS, KEYS, ROLE_BINDINGS, Grants, is_about
from authz.visibility import Visible, visible
from registry_meta.kube import changes, errors, pagination
from registry_meta.kube.changes import Entry, Topic
from registry_meta.kube.models import Change
from registry_meta.kube.pagination import ListOptions, Selection
from registry_meta.kube.request import Actor
from registry_meta.kube.resource import Resource
from registry_meta.kube.watch import Frame, Watch, WatchOptions, plain_frame, versioned

TOPIC = "namespaces and policy"
"""The topic of all changes that concern who sees which projects."""

TOPIC_KEYS = (NAMESPACES.key, *KEYS)


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    resource_version: str


class _Head(msgspec.Struct):
    metadata: _Meta


HEAD = msgspec.json.Decoder(_Head)


class ProjectWatch(Watch):
    """One open watch of the projects that an actor sees.

    It knows what it has shown, by name and version, so whatever brings a project in is ADDED and whatever takes it away
    DELETED: its making and its end, a label, a right.
    """

    follows = TOPIC

    def __init__(
        self, resource: Resource, selected: Selection, options: WatchOptions, frame: Frame | None, *, actor: Actor
    ) -> None:
        super().__init__(resource, "", selected, options, frame)
        self._actor = actor
        self._visible = Visible(everything=False)
        self._shown: dict[str, int] = {}

    def _begin(self, start: int) -> Iterator[bytes]:
        options, current = self.options, changes.newest()
        grants = policy.current()
        self._visible = visible(grants, self._actor)
        if options.version is not None and options.initial and options.version > current:
            raise pagination.too_large_version(options.version, current)
        # The topic holds what comes behind this; rights and rows are read after it, and lack nothing before.
        self._seen = current
        if options.version is not None and not options.initial:
            yield from self._resume(options.version, grants)
            return
        for document in self._new(self._visible):
            if options.initial:
                yield self._render(Change.ADDED, document)
        if options.ends_initial:
            yield self._initial_end(current)

    def _resume(self, version: int, grants: Grants) -> Iterator[bytes]:
        """Go on from a version; raises 410 when rights of the actor have moved since: who knows what was shown then."""
        compacted = changes.newest("compacted")
        if version < compacted:
            raise errors.expired(f"too old resource version: {version} ({compacted})")
        if version < grants.version and self._concerned(version, grants.version):
            raise errors.expired(f"too old resource version: {version}, rights have changed since")
        shown = {_place(document)[0] for document in self._new(self._visible)}
        missed = list(changes.between(NAMESPACES.key, version, changes.newest()))
        for entry in reversed(missed):
            was = entry.previous or entry.document
            if entry.type != Change.ADDED and entry.name in self._visible and self._wants(entry, was):
                shown.add(entry.name)
            else:
                shown.discard(entry.name)
        self._shown = dict.fromkeys(shown, version)
        for entry in missed:
            if entry.version <= self._seen:
                yield from self._event(entry)

    def _concerned(self, low: int, high: int) -> bool:
        """Return whether a change of the policy between two versions may have changed what the actor sees."""
        return any(self._concerns(entry) for key in KEYS for entry in changes.between(key, low, high))

    def _concerns(self, entry: Entry) -> bool:
        """Return whether a change may be one of what the actor sees: any but that of a binding for others."""
        if entry.resource not in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS):
            return True
        documents = (entry.document, entry.previous)
        return any(is_about(found, entry.namespace, self._actor) for found in documents if found is not None)

    def _fresh(self, topic: Topic, seconds: float) -> list[bytes]:
        entries, position = topic.wait(self._seen, max(seconds, 0.0)) or self._missed(topic)
        moved = max((entry.version for entry in entries if entry.resource in KEYS and self._concerns(entry)), default=0)
        # Rights first: what was lost is not shown once more, and what is gained is read as it is by now.
        frames = list(self._turn(policy.memory.at(moved))) if moved else []
        for entry in entries:
            if entry.resource == NAMESPACES.key:
                frames += self._event(entry)
        self._seen = max(self._seen, position)
        return frames

    def _missed(self, topic: Topic) -> tuple[list[Entry], int]:
        compacted = changes.newest("compacted")
        if self._seen < compacted:
            raise errors.expired(f"too old resource version: {self._seen} ({compacted})")
        position = topic.position
        missed = [entry for key in TOPIC_KEYS for entry in changes.between(key, self._seen, position)]
        connection.close()
        return sorted(missed, key=lambda entry: entry.version), position

    def _turn(self, grants: Grants) -> Iterator[bytes]:
        """Yield what changed rights take away and bring."""
        before, self._visible = self._visible, visible(grants, self._actor)
        for name in [name for name in self._shown if name not in self._visible]:
            del self._shown[name]
            yield self._render(Change.DELETED, _taken(name, grants.version))
        gained = self._visible
        if not gained.everything:
            names = frozenset() if before.everything else gained.names - before.names
            gained = replace(gained, names=names)
        if gained.names or (gained.everything and not before.everything):
            for document in self._new(gained):
                yield self._render(Change.ADDED, document)
        connection.close()

    def _new(self, seen: Visible) -> Iterator[str]:
        """Yield the documents of visible and selected namespaces that were not shown, which then are."""
        for document in projects.page(seen, self.selected, ListOptions()).documents:
            name, version = _place(document)
            if name not in self._shown:
                self._shown[name] = version
                yield document

    def _event(self, entry: Entry) -> Iterator[bytes]:
        name, document = entry.name, entry.document
        if entry.version <= self._shown.get(name, 0) or not self._covers(entry):
            return
        was_shown = self._shown.pop(name, None) is not None
        if entry.type != Change.DELETED and name in self._visible and self._wants(entry, document):
            self._shown[name] = entry.version
            yield self._cached(entry, Change.MODIFIED if was_shown else Change.ADDED)
        elif was_shown and entry.type == Change.DELETED:
            yield self._cached(entry, Change.DELETED)
        elif was_shown:
            yield self._render(Change.DELETED, versioned(entry.previous or document, entry.version))

    def _cached(self, entry: Entry, kind: str) -> bytes:
        if self._frame is not None:
            return self._render(kind, entry.document)
        key = f"{self.resource.key} {kind}"
        if key not in entry.frames:
            entry.frames[key] = plain_frame(self.resource, kind, entry.document)
        return entry.frames[key]


def _place(document: str) -> tuple[str, int]:
    """Return the name and the version of an object."""
    meta = HEAD.decode(document).metadata
    return meta.name, int(meta.resource_version)


def _taken(name: str, version: int) -> str:
    """Return what is left to tell of a project that one may no longer see."""
    return msgspec.json.encode({"metadata": {"name": name, "resourceVersion": str(version)}}).decode()
