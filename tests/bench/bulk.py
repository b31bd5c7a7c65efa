"""Fills a server's database by itself, past the API: copies of what the server wrote, in the form in which it did.

One image and one stream are made through the API; each row here is one of their documents with other names, digests,
tags and layers, beside the rows that the store would have written with them: of the ledger, and of blobs. There are no
changes for them, as if all had been made before the retention time.
"""

from __future__ import annotations

import copy
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg

from tests.bench import seed
from tests.server import Server

OBJECT = ("resource", "namespace", "name", "uid", "version", "document")
EVENT = (
    "namespace", "stream", "stream_uid", "tag", "digest", "reference", "previous_digest", "previous_reference",
    "first_seen", "moved_at", "actor", "reason", "version", "generation",
)  # fmt: skip
BLOBS = ("image", "blobs")
IMAGES, STREAMS = "images.image.openshift.io", "imagestreams.image.openshift.io"
ONE = "SELECT document FROM kube_object WHERE resource = %s AND namespace = %s AND name = %s"
BUMP = "UPDATE kube_counter SET value = value + %s WHERE name = 'changes' RETURNING value"
MARK = "UPDATE kube_counter SET value = %s WHERE name = %s"
EVERY = "SELECT resource, namespace, name, document FROM kube_object WHERE resource IN"
COMPACTED = "UPDATE kube_counter SET value = %s WHERE name = 'compacted'"
CREATED = "2026-01-01T00:00:00Z"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
NEEDLE = 2000
"""Of so many streams one is labelled `team=needle`."""

Row = tuple[object, ...]


class Rows:
    """Writes rows into the database of a server that runs."""

    def __init__(self, server: Server) -> None:
        self._url = server.environ.get("DATABASE_URL", "")
        self._file = server.data_dir / "registry-meta.sqlite3"

    def insert(self, resource: str, documents: Sequence[dict[str, Any]], *, marks: Sequence[str] = ()) -> None:
        """Write objects of a kind, each under a version of its own, and move the counters that go with the kind."""
        newest = self._take(len(documents))
        first = newest - len(documents) + 1
        self._copy("kube_object", OBJECT, (_row(resource, each, first + n) for n, each in enumerate(documents)))
        for mark in marks:
            self._execute(MARK, [newest, mark])

    def objects(self, resources: Sequence[str]) -> list[tuple[str, str, str, str]]:
        """Return kind, namespace, name and document of every object of some kinds."""
        places = ", ".join(["%s"] * len(resources))
        return self._execute(f"{EVERY} ({places})", resources)

    def settle(self) -> None:
        """Do what PostgreSQL would do by itself a minute later."""
        if self._url:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")

    def _take(self, count: int) -> int:
        newest = int(self._execute(BUMP, [count])[0][0])
        self._execute(COMPACTED, [newest])
        return newest

    def _execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if self._url:
            with psycopg.connect(self._url) as connection:
                cursor = connection.execute(psycopg.sql.SQL(sql), values)
                return cursor.fetchall() if cursor.description else []
        with closing(sqlite3.connect(self._file, timeout=60)) as database, database:
            return database.execute(sql.replace("%s", "?"), values).fetchall()

    def _copy(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        if self._url:
            statement = psycopg.sql.SQL(f"COPY {table} ({', '.join(columns)}) FROM STDIN")
            with psycopg.connect(self._url) as connection, connection.cursor().copy(statement) as target:
                for row in rows:
                    target.write_row(row)
            return
        marks = ", ".join("?" * len(columns))
        with closing(sqlite3.connect(self._file, timeout=60)) as database, database:
            database.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


class Bulk(Rows):
    """Writes images and streams."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._image = self._read(IMAGES, "", seed.digest(f"{seed.NAMESPACES[0]}/{seed.stream_name(0)}"))
        self._stream = self._read(STREAMS, seed.NAMESPACES[0], seed.stream_name(0))

    def add(self, images: Iterable[dict[str, Any]], streams: Sequence[dict[str, Any]]) -> None:
        """Write images and streams, each under a version of its own, with what the ledger says of the streams."""
        given = list(images)
        newest = self._take(len(given) + len(streams))
        versions = iter(range(newest - len(given) - len(streams) + 1, newest + 1))
        self._copy("kube_object", OBJECT, (_row(IMAGES, image, next(versions)) for image in given))
        self._copy("kube_object", OBJECT, [_row(STREAMS, stream, next(versions)) for stream in streams])
        self._copy("imagestreams_image_blobs", BLOBS, (_blobs(image) for image in given))
        self._copy("imagestreams_tag_event", EVENT, (event for stream in streams for event in _events(stream)))

    def image(self, name: str, *, layers: int, shared: int = 0, whole: bool = False) -> dict[str, Any]:
        """Return an image of layers of its own but for the first ones, which it shares.

        A `whole` one has its manifest and configuration in itself, as it has where no registry keeps them.
        """
        image = copy.copy(self._image)
        image["metadata"] = {**image["metadata"], "name": name, "uid": str(uuid.uuid4())}
        media_type = image["dockerImageLayers"][0]["mediaType"]
        image["dockerImageLayers"] = [
            {
                "name": seed.digest(f"{'' if layer < shared else name} {layer}"),
                "size": 1000 + layer,
                "mediaType": media_type,
            }
            for layer in range(layers)
        ]
        image["dockerImageReference"] = f"registry.example.com/scale/images@{name}"
        if whole:
            _complete(image)
        return image

    def stream(
        self, namespace: str, name: str, histories: dict[str, list[str]], *, labels: dict[str, str]
    ) -> dict[str, Any]:
        """Return a stream whose tags point to images, the newest first."""
        stream = copy.deepcopy(self._stream)
        stream["metadata"] |= {"name": name, "namespace": namespace, "uid": str(uuid.uuid4()), "labels": labels}
        stream["status"]["tags"] = [
            {"tag": tag, "items": [_event(stream, image) for image in histories[tag]]} for tag in sorted(histories)
        ]
        return stream

    def _read(self, resource: str, namespace: str, name: str) -> dict[str, Any]:
        rows = self._execute(ONE, [resource, namespace, name])
        document: dict[str, Any] = msgspec.json.decode(rows[0][0])
        return document


def _event(stream: dict[str, Any], image: str) -> dict[str, Any]:
    meta = stream["metadata"]
    return {
        "created": meta["creationTimestamp"],
        "dockerImageReference": f"registry.example.com/{meta['namespace']}/{meta['name']}@{image}",
        "image": image,
        "generation": 1,
    }


def _complete(image: dict[str, Any]) -> None:
    """Put a manifest and a configuration into an image, as large as those of images that were built."""
    layers = image["dockerImageLayers"]
    history = [
        {"created": CREATED, "created_by": f"RUN install package-{number} && clean # buildkit", "comment": "buildkit"}
        for number in range(len(layers))
    ]
    diffs = [seed.digest(f"uncompressed {layer['name']}") for layer in layers]
    config = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}, "history": history})
    described = [{"mediaType": layer["mediaType"], "digest": layer["name"], "size": layer["size"]} for layer in layers]
    of_config = {"mediaType": CONFIG_TYPE, "digest": seed.digest(config), "size": len(config)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": of_config, "layers": described}
    image["dockerImageManifest"] = json.dumps(manifest, indent=2)
    image["dockerImageManifestMediaType"] = MANIFEST_TYPE
    image["dockerImageConfig"] = config


def _blobs(image: dict[str, Any]) -> Row:
    """Return what is kept of the blobs of an image, all of whose layers are of one type."""
    layers, media_type = image["dockerImageLayers"], image.get("dockerImageManifestMediaType", "")
    described = [[layer["name"], layer["size"], 0] for layer in layers]
    config = image["dockerImageMetadata"].get("Id", "")
    kept = [config, media_type, None, [layers[0]["mediaType"]], described]
    return image["metadata"]["name"], msgspec.json.encode(kept).decode()


def _row(resource: str, document: dict[str, Any], version: int) -> Row:
    meta = document["metadata"]
    meta["resourceVersion"] = str(version)
    text = msgspec.json.encode(document).decode()
    return resource, meta.get("namespace", ""), meta["name"], meta["uid"], version, text


def _events(stream: dict[str, Any]) -> Iterator[Row]:
    """Yield what the ledger says of the newest event of each tag."""
    meta, now = stream["metadata"], datetime.now(UTC)
    for history in stream["status"]["tags"]:
        event = history["items"][0]
        yield (
            meta["namespace"], meta["name"], meta["uid"], history["tag"], event["image"],
            event["dockerImageReference"], "", "", now, now, "system:admin", "pushed", int(meta["resourceVersion"]), 1,
        )  # fmt: skip
