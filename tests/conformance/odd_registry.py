"""Registries that ask for tokens, or answer oddly, for the import scenarios.

    python -m tests.conformance.odd_registry [--bind 127.0.0.1]

Serves, until it is stopped:
  15002  a registry behind a token service: `public/…` for anyone, `private/…` for
         robot:secret123 alone (the user `hub` gets the words that Docker Hub has for a
         wrong password, anybody else gets an ordinary error)
  15003  an open registry; what each repository does is said in `odd_content` and `misbehave`
  15004  a web server that is no registry
Every byte is derived from its name, as in registry_content.py.
"""

import argparse
import base64
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

from tests.conformance import registry_content as content

USER, PASSWORD = "robot", "secret123"


class Memory:
    """What registry_content fills in place of a registry reached over HTTP."""

    def __init__(self):
        self.blobs, self.manifests, self.tags = {}, {}, {}

    def push_blob(self, repository, data):
        self.blobs[repository, content.digest(data)] = data
        return {"size": len(data), "digest": content.digest(data)}

    def push_manifest(self, repository, reference, media_type, manifest):
        data = manifest if isinstance(manifest, bytes) else json.dumps(manifest, separators=(",", ":")).encode()
        for name in (reference, content.digest(data)):
            if name:
                self.manifests[repository, name] = (media_type, data)
        if reference:
            self.tags.setdefault(repository, []).append(reference)
        return {"mediaType": media_type, "size": len(data), "digest": content.digest(data)}


def manifest_of(store, repository, reference="latest"):
    return json.loads(store.manifests[repository, reference][1])


def schema1(store, repository, tag):
    """A signed manifest of the first kind; the signature is well-formed and means nothing."""
    packed, _ = content.layer(b"schema 1\n")
    blob = store.push_blob(repository, packed)
    history = {
        "id": "51" * 32,
        "created": content.CREATED,
        "author": "conformance",
        "architecture": "amd64",
        "os": "linux",
        "docker_version": "1.6.0",
        "Size": len(packed),
        "config": {"Cmd": ["old"], "Env": ["A=b"], "Labels": {"age": "old"}},
    }
    body = {
        "schemaVersion": 1,
        "name": repository,
        "tag": tag,
        "architecture": "amd64",
        "fsLayers": [{"blobSum": blob["digest"]}],
        "history": [{"v1Compatibility": json.dumps(history)}],
    }
    payload = json.dumps(body, indent=3)[:-2]

    def text(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    key = {
        "crv": "P-256",
        "kty": "EC",
        "kid": "LTJF:F6YM:5CJS:INX2:7DGN:CBAJ:QG4J:5ZFN:NOP6:TYVC:W7TR:VLFS",
        "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
        "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
    }
    protected = {"formatLength": len(payload), "formatTail": text(b"\n}"), "time": content.CREATED}
    protected = text(json.dumps(protected).encode())
    signature = {"header": {"jwk": key, "alg": "ES256"}, "signature": text(b"\1" * 64), "protected": protected}
    signed = payload + ',\n   "signatures": ' + json.dumps([signature]) + "\n}"
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    store.push_manifest(repository, tag, kind, signed.encode())
    store.manifests[repository, content.digest(payload.encode() + b"\n}")] = (kind, signed.encode())  # what is signed


def odd_content():
    """The repositories of port 15003 that are odd in what they hold."""
    store = Memory()
    for tag in ("c", "a", "2.0", "v1.10.0", "v1.9.0", "latest", "b"):  # listed in pages, in this order
        content.image(store, "odd/paged", tag, seed=f"paged {tag}", layers=1)
    content.image(store, "odd/untyped-labels", "latest", seed="untyped", layers=1, config={"Labels": {"n": 1}})
    schema1(store, "odd/schema1", "latest")
    content.artifact(store, "odd/artifact", "latest", seed="artifact")

    # the configuration is not JSON
    content.image(store, "odd/bad-config", "latest", seed="bad config", layers=1)
    manifest = manifest_of(store, "odd/bad-config")
    manifest["config"].update(store.push_blob("odd/bad-config", b"this is no JSON"))
    store.push_manifest("odd/bad-config", "latest", content.DOCKER, manifest)

    # repositories of which only some tags can be imported
    for repository, bad in (("odd/half", ("bad",)), ("odd/mostly-bad", ("bad", "worse"))):
        content.image(store, repository, "good", seed=f"{repository} good", layers=1)
        for tag in bad:
            content.image(store, repository, tag, seed=f"{repository} {tag}", layers=1)
            del store.blobs[repository, manifest_of(store, repository, tag)["config"]["digest"]]

    # the media type in the manifest is not that of the answer
    content.image(store, "odd/wrong-type", "latest", seed="wrong type", layers=1)
    store.manifests["odd/wrong-type", "latest"] = (content.OCI, store.manifests["odd/wrong-type", "latest"][1])

    # an index as build tools make it: two platforms, each with an attestation
    members = [
        content.image(store, "odd/attested", None, seed="attested", oci=True, architecture=architecture)
        for architecture in ("arm64", "amd64")
    ]
    for member in list(members):
        seed = "attestation of " + member["digest"]
        note = content.image(store, "odd/attested", None, seed=seed, layers=1, oci=True, config={})
        members.append(
            {
                **note,
                "platform": {"architecture": "unknown", "os": "unknown"},
                "annotations": {
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": member["digest"],
                },
            }
        )
    index = {"schemaVersion": 2, "mediaType": content.OCI_INDEX}
    store.push_manifest("odd/attested", "latest", content.OCI_INDEX, {**index, "manifests": members})

    # an index whose members have variants and names of other systems, and none for amd64
    members = []
    for architecture, variant in (("arm", "v6"), ("arm", "v7"), ("ppc64le", None)):
        member = content.image(
            store, "odd/no-amd64", None, seed=f"no amd64 {variant}", oci=True, architecture=architecture
        )
        if variant:
            member["platform"]["variant"] = variant
        members.append(member)
    store.push_manifest("odd/no-amd64", "latest", content.OCI_INDEX, {**index, "manifests": members})

    # an index that does not say for which platforms it is; one with a member that is missing; an empty one
    bare = content.image(store, "odd/platformless", None, seed="platformless", oci=True)
    del bare["platform"]
    store.push_manifest("odd/platformless", "latest", content.OCI_INDEX, {**index, "manifests": [bare]})
    present = content.image(store, "odd/missing-member", None, seed="present member", oci=True)
    absent = {**present, "digest": content.digest(b"nowhere"), "platform": {"architecture": "arm64", "os": "linux"}}
    store.push_manifest("odd/missing-member", "latest", content.OCI_INDEX, {**index, "manifests": [present, absent]})
    store.push_manifest("odd/empty-index", "latest", content.OCI_INDEX, {**index, "manifests": []})

    # these do the odd thing themselves: see misbehave()
    for name in ("no-config", "corrupt", "redirected", "quiet"):
        content.image(store, "odd/" + name, "latest", seed=name, layers=1)
    return store


def errors(code, message, detail=None):
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]})


def misbehave(repository, kind, reference):
    """(status, body, headers) for what port 15003 answers oddly; None for everything else."""
    if repository == "odd/denied":
        return 403, errors("DENIED", "requested access to the resource is denied"), {}
    if repository == "odd/unauthorized":
        return 401, errors("UNAUTHORIZED", "authentication required"), {}
    if repository == "odd/too-many":
        return 429, errors("TOOMANYREQUESTS", "slow down please"), {"Retry-After": "1"}
    if repository == "odd/broken":
        return 503, "down for maintenance", {}
    if repository == "odd/web-page":
        return 404, "<html>no such page</html>", {"Content-Type": "text/html"}
    if repository == "odd/no-tags" and kind == "tags":
        return 200, json.dumps({"name": repository, "tags": None}), {}
    if repository == "odd/no-config" and kind == "blobs":
        return 404, errors("BLOB_UNKNOWN", "blob unknown to registry", reference), {}
    if repository == "odd/redirected" and kind == "blobs":
        return 307, "", {"Location": f"/elsewhere/{repository}/{reference}"}
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="application/json", **headers):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        headers = {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.site(url.path, query)

    def site(self, path, query):
        self.answer(404, "<html>not found</html>", "text/html")

    def registry(self, store, path, query):
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)", path)
        if path in ("/v2", "/v2/"):
            return self.answer(200, "{}", Docker_Distribution_Api_Version="registry/2.0")
        if not found:
            return self.answer(404, "not found", "text/plain")
        repository, kind, reference = found.groups()
        if kind == "tags":
            if repository not in store.tags:
                unknown = errors("NAME_UNKNOWN", "repository name not known to registry", {"name": repository})
                return self.answer(404, unknown)
            return self.tags(repository, list(dict.fromkeys(store.tags[repository])), query)
        if kind == "blobs":
            data = store.blobs.get((repository, reference))
            if data is None:
                return self.answer(404, errors("BLOB_UNKNOWN", "blob unknown to registry", reference))
            return self.answer(200, data, "application/octet-stream", Docker_Content_Digest=reference)
        if (repository, reference) not in store.manifests:
            return self.answer(404, errors("MANIFEST_UNKNOWN", "manifest unknown", {"Tag": reference}))
        media_type, data = store.manifests[repository, reference]
        # `quiet` says nothing of digests; `corrupt` says the right one and sends other bytes
        headers = {} if repository == "odd/quiet" else {"Docker_Content_Digest": content.digest(data)}
        if repository == "odd/corrupt" and reference.startswith("sha256:"):
            data += b"\n"
        return self.answer(200, data, media_type, **headers)

    def tags(self, repository, tags, query):
        """All tags, or pages of three with a Link header; a relative link first, then a whole address."""
        if repository != "odd/paged":
            return self.answer(200, json.dumps({"name": repository, "tags": tags}))
        start = int(query.get("from", "0"))
        headers = {}
        if start + 3 < len(tags):
            link = f"/v2/{repository}/tags/list?from={start + 3}"
            if start:
                link = f"http://{self.headers['Host']}{link}"
            headers["Link"] = f'<{link}>; rel="next"'
        return self.answer(200, json.dumps({"name": repository, "tags": tags[start : start + 3]}), **headers)


class Odd(Handler):
    def site(self, path, query):
        if path.startswith("/elsewhere/"):
            repository, _, digest = path.removeprefix("/elsewhere/").rpartition("/")
            return self.answer(200, self.server.store.blobs[repository, digest], "application/octet-stream")
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)", path)
        if found and (odd := misbehave(*found.groups())):
            status, body, headers = odd
            kind = headers.pop("Content-Type", "application/json")
            return self.answer(status, body, kind, **headers)
        return self.registry(self.server.store, path, query)


class Tokens(Handler):
    """Tokens are `repository` or empty, in plain sight; only their meaning to this server counts."""

    def site(self, path, query):
        if path == "/token":
            return self.token(query)
        granted = self.headers.get("Authorization", "").removeprefix("Bearer ")
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)", path)
        wanted = found.group(1) if found else None
        if not granted.startswith("for:") or (wanted and granted != "for:" + self.seal(wanted)):
            host = self.headers["Host"]
            challenge = f'Bearer realm="http://{host}/token",service="odd"'
            if wanted:
                challenge += f',scope="repository:{wanted}:pull"'
            return self.answer(
                401,
                errors("UNAUTHORIZED", "authentication required"),
                WWW_Authenticate=challenge,
                Docker_Distribution_Api_Version="registry/2.0",
            )
        return self.registry(self.server.store, path, query)

    def seal(self, repository):
        return hashlib.sha256(b"odd " + repository.encode()).hexdigest()

    def token(self, query):
        user = password = None
        scheme, _, rest = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            user, _, password = base64.b64decode(rest).decode().partition(":")
        if user is not None and (user, password) != (USER, PASSWORD):
            if user == "hub":
                return self.answer(401, json.dumps({"details": "incorrect username or password"}))
            return self.answer(401, errors("UNAUTHORIZED", "Invalid username or password"))
        if query.get("service") != "odd":
            return self.answer(400, errors("UNSUPPORTED", "unknown service"))
        parts = query.get("scope", "").split(":")
        repository = parts[1] if len(parts) == 3 and parts[0] == "repository" else ""
        allowed = repository.startswith("public/") or (user == USER and repository.startswith("private/"))
        return self.answer(
            200, json.dumps({"token": "for:" + (self.seal(repository) if allowed else ""), "expires_in": 300})
        )


def token_content():
    store = Memory()
    for repository in ("public/app", "private/app", "private/team/app"):
        for tag in ("latest", "v1"):
            content.image(store, repository, tag, seed=f"{repository} {tag}", layers=1)
    return store


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bind", default="127.0.0.1")
    options = parser.parse_args()
    sites = {15002: (Tokens, token_content()), 15003: (Odd, odd_content()), 15004: (Handler, None)}
    threads = []
    for port, (handler, store) in sites.items():
        server = http.server.ThreadingHTTPServer((options.bind, port), handler)
        server.daemon_threads = True
        server.store = store
        threads.append(threading.Thread(target=server.serve_forever))
        threads[-1].start()
    print("serving on", ", ".join(f"{options.bind}:{port}" for port in sites), flush=True)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
