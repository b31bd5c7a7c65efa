"""Pushes a tiny image to a registry that asks for no password: something to move a tag with.

    python3 examples/push.py 127.0.0.1:5000/app:latest "any text"

Another text makes another image. It needs nothing but Python's standard library, and prints the digest.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.client
import io
import json
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class PushError(RuntimeError):
    """The registry answered with something else than success."""


def digest(data: bytes) -> str:
    """Return the digest of some bytes as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(text: str) -> tuple[bytes, str]:
    """Return a layer with one file, packed, and the digest of what it unpacks to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("text")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0), digest(buffer.getvalue())


class Registry:
    """A registry that speaks plain HTTP (OCI distribution specification)."""

    def __init__(self, host: str) -> None:
        self._host = host

    def _send(self, method: str, path: str, data: bytes = b"", media_type: str = "") -> str:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        try:
            headers = {"Content-Type": media_type} if media_type else {}
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            if answer.status not in (201, 202):
                raise PushError(f"{method} http://{self._host}{path}: {answer.status} {answer.reason}")
            return answer.headers.get("Location", "")
        finally:
            connection.close()

    def push_blob(self, repository: str, data: bytes, media_type: str) -> dict[str, object]:
        """Push a blob and return what a manifest says of it."""
        place = self._send("POST", f"/v2/{repository}/blobs/uploads/").removeprefix(f"http://{self._host}")
        separator = "&" if "?" in place else "?"
        self._send("PUT", f"{place}{separator}digest={digest(data)}", data, "application/octet-stream")
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def push_image(self, repository: str, tag: str, text: str) -> str:
        """Push an image of one layer under a tag and return its digest."""
        packed, diff_id = layer(text)
        configuration = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["cat", "/text"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.push_blob(repository, json.dumps(configuration).encode(), CONFIG),
            "layers": [self.push_blob(repository, packed, LAYER)],
        }
        data = json.dumps(manifest).encode()
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", data, MANIFEST)
        return digest(data)


def main() -> None:
    """Push one image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", help="HOST/REPOSITORY:TAG")
    parser.add_argument("text", help="what the image holds")
    options = parser.parse_args()
    host, _, path = options.image.partition("/")
    repository, _, tag = path.partition(":")
    print(Registry(host).push_image(repository, tag or "latest", options.text))


if __name__ == "__main__":
    main()
