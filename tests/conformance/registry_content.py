"""Fill an empty OCI registry with the images that the conformance scenarios import.

    python -m tests.conformance.registry_content [--user NAME:PASSWORD] [http://127.0.0.1:15000]

Every byte is derived from its name, so digests are the same on every machine and the
golden answers can hold them. Needs a registry that allows pushes (for example CNCF Distribution).
"""

import argparse
import gzip
import hashlib
import io
import json
import tarfile

import requests

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CREATED = "2026-01-02T03:04:05Z"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, base, user=None):
        self.base = base.rstrip("/")
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.auth = tuple(user.split(":", 1)) if user else None

    def push_blob(self, repository, data):
        found = self.http.head(f"{self.base}/v2/{repository}/blobs/{digest(data)}")
        if found.status_code != 200:
            upload = self.http.post(f"{self.base}/v2/{repository}/blobs/uploads/")
            upload.raise_for_status()
            where = upload.headers["Location"]
            where = where if where.startswith("http") else self.base + where
            where += ("&" if "?" in where else "?") + "digest=" + digest(data)
            self.http.put(where, data=data, headers={"Content-Type": "application/octet-stream"}).raise_for_status()
        return {"size": len(data), "digest": digest(data)}

    def push_manifest(self, repository, reference, media_type, manifest):
        data = json.dumps(manifest, separators=(",", ":")).encode()
        answer = self.http.put(
            f"{self.base}/v2/{repository}/manifests/{reference or digest(data)}",
            data=data,
            headers={"Content-Type": media_type},
        )
        answer.raise_for_status()
        return {"mediaType": media_type, "size": len(data), "digest": digest(data)}


def layer(text):
    """One gzipped tar layer holding one file; returns (compressed, uncompressed digest)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("file")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    raw = buffer.getvalue()
    packed = gzip.GzipFile(fileobj=(out := io.BytesIO()), mode="wb", filename="", mtime=0, compresslevel=0)
    packed.write(raw)
    packed.close()
    return out.getvalue(), digest(raw)


def image(registry, repository, tag, seed, layers=2, oci=False, architecture="amd64", config=None):
    descriptors, diff_ids = [], []
    for number in range(layers):
        packed, diff_id = layer(f"{seed} {architecture} layer {number}\n".encode() * 20)
        kind = OCI_LAYER if oci else DOCKER_LAYER
        descriptors.append({"mediaType": kind, **registry.push_blob(repository, packed)})
        diff_ids.append(diff_id)
    body = {
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "author": "conformance",
        "config": config
        if config is not None
        else {
            "User": "1001",
            "ExposedPorts": {"8080/tcp": {}},
            "Env": ["PATH=/usr/bin:/bin", "MODE=test"],
            "Entrypoint": ["/entry"],
            "Cmd": ["run", seed],
            "Volumes": {"/data": {}},
            "WorkingDir": "/work",
            "Labels": {"io.k8s.display-name": seed, "io.openshift.tags": "test"},
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": CREATED, "created_by": f"step {n}"} for n in range(layers)],
    }
    packed = json.dumps(body, separators=(",", ":")).encode()
    kind = "application/vnd.oci.image.config.v1+json" if oci else "application/vnd.docker.container.image.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI if oci else DOCKER,
        "config": {"mediaType": kind, **registry.push_blob(repository, packed)},
        "layers": descriptors,
    }
    pushed = registry.push_manifest(repository, tag, manifest["mediaType"], manifest)
    return {**pushed, "platform": {"architecture": architecture, "os": "linux"}}


def index(registry, repository, tag, seed, oci=True, architectures=("amd64", "arm64", "s390x")):
    members = [image(registry, repository, None, seed, oci=oci, architecture=a) for a in architectures]
    kind = OCI_INDEX if oci else DOCKER_LIST
    return registry.push_manifest(repository, tag, kind, {"schemaVersion": 2, "mediaType": kind, "manifests": members})


def artifact(registry, repository, tag, seed):
    """An OCI manifest that is no container image: its configuration is the empty object."""
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", **registry.push_blob(repository, b"{}")}
    body = {"mediaType": "text/plain", **registry.push_blob(repository, f"{seed}\n".encode())}
    return registry.push_manifest(
        repository,
        tag,
        OCI,
        {
            "schemaVersion": 2,
            "mediaType": OCI,
            "artifactType": "application/vnd.example.notes",
            "config": empty,
            "layers": [body],
        },
    )


PUSH = {"image": image, "index": index, "artifact": artifact}  # what a scenario's `push` step can make


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", default="http://127.0.0.1:15000")
    parser.add_argument("--user", metavar="NAME:PASSWORD", help="push with these credentials")
    options = parser.parse_args()
    fill(Registry(options.base, options.user), closed=options.user is not None)


def fill(registry, *, closed):
    """Push everything that the scenarios import; a closed registry holds a little more."""
    fill_open(registry)
    if closed:
        fill_closed(registry)


def fill_open(registry):
    """Push what every registry holds."""
    for tag in ("latest", "v1", "v2", "v3"):
        image(registry, "conformance/app", tag, seed=f"app {tag}", layers=3)
    image(registry, "conformance/app", "v1-copy", seed="app v1", layers=3)
    for tag in ("latest", "1.0.0", "1.0.1", "1.1.0", "1.1.0-rc.1", "2.0.0", "nightly-20260101"):
        image(registry, "conformance/semver", tag, seed=f"semver {tag}", layers=1)
    image(registry, "conformance/oci", "latest", seed="oci", oci=True)
    index(registry, "conformance/multi", "latest", seed="multi list", oci=False)
    index(registry, "conformance/multi", "oci", seed="multi index", oci=True)
    image(registry, "conformance/bare", "latest", seed="bare", layers=1, config={})
    for number in range(60):
        image(registry, "conformance/many", f"t{number:02d}", seed=f"many {number}", layers=1)


def fill_closed(registry):
    """Push what a closed registry alone holds."""
    for tag in ("latest", "v1", "v2"):
        image(registry, "conformance/closed", tag, seed=f"closed {tag}", layers=1)


if __name__ == "__main__":
    main()
