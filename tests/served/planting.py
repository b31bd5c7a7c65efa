"""Gives secrets to a server in every place where a client can, and keeps what it answers to bad requests."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from tests import planted
from tests.registries import Reply, Request, StandIn
from tests.server import Server

Json = dict[str, Any]
NAMESPACE = "planted"
SECRETS = f"api/v1/namespaces/{NAMESPACE}/secrets"
ACCOUNTS = f"api/v1/namespaces/{NAMESPACE}/serviceaccounts"
IMAGES = f"apis/image.openshift.io/v1/namespaces/{NAMESPACE}"
TRIGGERS = f"apis/triggers.registry-meta.io/v1alpha1/namespaces/{NAMESPACE}/imagetriggers"
REVIEWS = "apis/authentication.k8s.io/v1/tokenreviews"
PATIENCE = 60


def basic(text: str) -> str:
    """Return text in base64."""
    return base64.b64encode(text.encode()).decode()


class Garden:
    """A server, the secrets that were given to it, and the answers that refused something."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = server.client()
        self.values: list[str] = []
        self.refusals: list[tuple[str, bytes]] = []
        self.shown: list[str] = []
        """The credentials that registries were shown."""
        self.answers: list[bytes] = []
        """What those who import were answered."""

    def plant(self, where: str) -> str:
        """Return a new secret, and remember to look for it."""
        self.values.append(planted.planted(where))
        return self.values[-1]

    def keep(self, value: str) -> str:
        """Remember to look for a secret that the server made."""
        self.values.append(value)
        return value

    def send(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        """Send a request as the administrator, unless a header says otherwise; remember refusals."""
        data = body if isinstance(body, str | None) else json.dumps(body)
        sent = {"Content-Type": "application/json", **headers}
        answer = self.session.request(method, f"{self.server.url}/{path}", data=data, headers=sent, timeout=PATIENCE)
        if answer.status_code >= 400:
            self.refusals.append((f"{method} /{path}", answer.content + str(answer.headers).encode()))
        return answer

    def made(self, path: str, body: Json) -> Json:
        """Create an object."""
        answer = self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        document: Json = answer.json()
        return document

    def refused(self, method: str, path: str, body: object = None, **headers: str) -> None:
        """Send what the server has to refuse."""
        answer = self.send(method, path, body, **headers)
        assert 400 <= answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"

    @contextmanager
    def no_worker(self) -> Iterator[None]:
        """Have no worker pick up messages, so that they stay where they wait."""
        pids = self.server.pids()["worker"]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


# --- secrets


def secrets_of_each_type(garden: Garden) -> None:
    """Create a Secret of each type, in clear and in base64, and change one in every way."""
    plant = garden.plant
    contents: dict[str, Mapping[str, str]] = {
        "Opaque": {"key": plant("opaque")},
        "kubernetes.io/basic-auth": {"username": "robot", "password": plant("basic-auth")},
        "kubernetes.io/ssh-auth": {"ssh-privatekey": plant("ssh-key")},
        "kubernetes.io/tls": {"tls.crt": "certificate", "tls.key": plant("tls-key")},
        "kubernetes.io/dockercfg": {".dockercfg": json.dumps({"r.example.com": {"auth": basic(f"u:{plant('cfg')}")}})},
        "bootstrap.kubernetes.io/token": {"token-secret": plant("bootstrap")},
        "example.com/own": {"anything": plant("own-type")},
    }
    for number, (type_, data) in enumerate(contents.items()):
        garden.made(SECRETS, {"metadata": {"name": f"s{number}"}, "type": type_, "stringData": data})
        coded = {key: basic(value) for key, value in data.items()}
        garden.made(SECRETS, {"metadata": {"name": f"c{number}"}, "type": type_, "data": coded})
    change_secret(garden, f"{SECRETS}/s0")
    refuse_secrets(garden)
    garden.send("DELETE", f"{SECRETS}/c0")
    garden.send("POST", f"{SECRETS}?dryRun=All", {"metadata": {"name": "dry"}, "stringData": {"k": plant("dry-run")}})


def change_secret(garden: Garden, path: str) -> None:
    """Change a Secret by each kind of patch, and by PUT."""
    kinds = ("application/merge-patch+json", "application/strategic-merge-patch+json")
    for number, kind in enumerate(kinds):
        body = {"stringData": {f"k{number}": garden.plant(f"patch-{number}")}}
        assert garden.send("PATCH", path, body, **{"Content-Type": kind}).status_code == 200
    step = {"op": "add", "path": "/data/step", "value": basic(garden.plant("json-patch"))}
    assert garden.send("PATCH", path, [step], **{"Content-Type": "application/json-patch+json"}).status_code == 200
    applied = {"apiVersion": "v1", "kind": "Secret", "stringData": {"applied": garden.plant("apply")}}
    how = {"Content-Type": "application/apply-patch+yaml"}
    assert garden.send("PATCH", f"{path}?fieldManager=t&force=true", applied, **how).status_code == 200
    found = garden.send("GET", path).json()
    found["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": garden.plant("annotation")}
    assert garden.send("PUT", path, found).status_code == 200


def refuse_secrets(garden: Garden) -> None:
    """Send Secrets that cannot be taken."""
    named = {"metadata": {"name": "bad"}}
    value = garden.plant("refused")
    for body in (
        {**named, "data": {"k": f"%{value}"}},
        {**named, "data": {"k": [value]}},
        {**named, "data": value},
        {**named, "type": [value]},
        {**named, "stringData": {"k": {"deep": value}}},
        {**named, "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": value}},
        {**named, "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": f'{{"{value}'}},
        {**named, "type": "kubernetes.io/tls", "stringData": {"tls.key": value}},
        f'{{"metadata": {{"name": "bad"}}, "data": {{"k": "{basic(value)}"',
        f"\x00{value}",
    ):
        garden.refused("POST", SECRETS, body)
    garden.refused("PATCH", f"{SECRETS}/s0", {"type": "other", "stringData": {"k": value}}, **{"Content-Type": MERGE})
    garden.refused("PATCH", f"{SECRETS}/s0", [{"op": "test", "path": "/data/key", "value": value}], **JSON_PATCH)
    garden.refused("PATCH", f"{SECRETS}/s0", [{"op": "add", "path": f"/data/x/{value}", "value": 1}], **JSON_PATCH)
    garden.refused("PUT", f"{SECRETS}/s0", {"metadata": {"name": "other"}, "stringData": {"k": value}})
    garden.refused("POST", f"{SECRETS}?fieldValidation=Strict", {**named, "stringDate": {"k": value}})


MERGE = "application/merge-patch+json"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


# --- tokens


def tokens(garden: Garden) -> None:
    """Use good tokens, wrong ones of every shape, and show both kinds to those who review them."""
    garden.made(ACCOUNTS, {"metadata": {"name": "robot"}})
    answer = garden.made(f"{ACCOUNTS}/robot/token", {"spec": {}})
    good = garden.keep(answer["status"]["token"])
    assert garden.send("GET", "api", Authorization=f"Bearer {good}").status_code == 200
    assert garden.made(REVIEWS, {"spec": {"token": good}})["status"]["authenticated"]
    garden.send("POST", SECRETS, {"metadata": {"name": "no"}}, Authorization=f"Bearer {good}")
    claims = basic(json.dumps({"iss": "x", "sub": garden.plant("claims")})).rstrip("=")
    wrong = [
        f"sha256~{garden.plant('sha256')}",
        f"eyJhbGciOiJub25lIn0.{claims}.{basic(garden.plant('jwt-signature')).rstrip('=')}",
        garden.plant("opaque-token"),
        f"{good[:-3]}{garden.plant('changed')}",
        f"sha256~{garden.plant('long')}{'x' * 5000}",
    ]
    for token in wrong:
        garden.refused("GET", "api", Authorization=f"Bearer {token}")
        garden.refused("POST", SECRETS, {"metadata": {"name": "no"}}, Authorization=f"bearer  {token}")
        garden.made(REVIEWS, {"spec": {"token": token, "audiences": ["elsewhere"]}})
    for spec in ({"token": [wrong[2]]}, {"token": {"a": wrong[2]}}, {"audiences": wrong[2], "token": wrong[2]}):
        garden.refused("POST", REVIEWS, {"spec": spec})
    odd_headers(garden)
    garden.send("DELETE", f"{ACCOUNTS}/robot")
    garden.refused("GET", "api", Authorization=f"Bearer {good}")


def odd_headers(garden: Garden) -> None:
    """Send credentials in the wrong place or form."""
    plant = garden.plant
    for header in (
        f"Basic {basic('ann:' + plant('basic'))}",
        f"Basic {plant('basic-in-clear')}",
        f"Token {plant('token-scheme')}",
        f'Digest username="ann", response="{plant("digest")}"',
        f"Bearer {plant('two')} {plant('words')}",
        plant("no-scheme"),
        f"Bearer\t{plant('tab')}",
        f"Negotiate {basic(plant('kerberos'))}",
    ):
        garden.send("GET", f"{SECRETS}/s0", Authorization=header)
        garden.send("POST", SECRETS, {"metadata": {"name": "no"}}, Authorization=header)
    nobody = {"Authorization": ""}
    protocol = f"base64url.bearer.authorization.k8s.io.{basic(plant('websocket')).rstrip('=')}, v4.channel.k8s.io"
    garden.send("GET", "api", **nobody, **{"Sec-WebSocket-Protocol": protocol})
    garden.send("GET", "api", **nobody, Cookie=f"ssn={plant('cookie')}; csrf={plant('csrf')}")
    garden.send("GET", "api", **nobody, **{"X-Remote-User": "ann", "X-Remote-Extra-Token": plant("remote-extra")})
    garden.send("POST", SECRETS, {"metadata": {"name": "no"}}, **{"Proxy-Authorization": plant("proxy")})
    for query in (f"access_token={plant('query')}", f"token={plant('query-2')}&password={plant('query-3')}"):
        for method, path in (
            ("GET", "api"), ("GET", SECRETS), ("GET", "nothing/here"), ("GET", "apis/no.such/v1/x"), ("GET", "metrics"),
            ("POST", SECRETS), ("PUT", f"{SECRETS}/s0"), ("DELETE", f"{SECRETS}/none"), ("PATCH", f"{SECRETS}/s0"),
            ("GET", f"{SECRETS}/s0/none"), ("OPTIONS", SECRETS), ("GET", "readyz"), ("GET", "openapi/v3/none"),
        ):  # fmt: skip
            garden.send(method, f"{path}?{query}", **nobody)
            garden.send(method, f"{path}?{query}", "{" if method in ("POST", "PUT", "PATCH") else None)


# --- registries


def tell_tale(garden: Garden, wants: str) -> StandIn:
    """Return a registry that wants a password, and tells everybody in its errors what it was given."""
    fetched = garden.plant(f"fetched-by-{wants}") if wants == "bearer" else ""

    def answer(request: Request) -> Reply:
        given = request.headers.get("authorization", "")
        if request.path == "/token":
            garden.shown.append(given or request.body.decode())
            if "generous" in request.query.get("scope", "") or b"generous" in request.body:
                return Reply(200, json.dumps({"token": fetched}))
            return told(401, f"{given} {request.body.decode()}")
        if given:
            garden.shown.append(given)
        if "signed" in request.path:
            return told(403, f"{request.query} {given}")
        if "moved" in request.path and given:
            return Reply(307, headers={"Location": f"/signed?X-Signature={signature}"})
        if given:
            return told(403 if "generous" in request.path else 401, given)
        realm = f'Bearer realm="http://{request.headers["host"]}/token",service="here"'
        return Reply(401, headers={"WWW-Authenticate": realm if wants == "bearer" else 'Basic realm="here"'})

    signature = garden.plant("signed-url")
    return StandIn(answer)


def told(status: int, given: str) -> Reply:
    """Return a refusal that holds what was given, in clear and as it came."""
    scheme, _, coded = given.strip().partition(" ")
    clear = base64.b64decode(coded.split(" ")[0] + "==").decode(errors="replace") if scheme == "Basic" else ""
    error = {"code": "UNAUTHORIZED", "message": f"no: {clear} {given}", "detail": {"given": given, "clear": clear}}
    return Reply(status, json.dumps({"errors": [error]}), {"Content-Type": "application/json"})


REPOSITORIES = ("private", "generous", "moved")


def pull_secret(name: str, host: str, entry: Json) -> Json:
    """Return a Secret with the credential for a registry."""
    config = json.dumps({"auths": {host: entry}})
    type_ = "kubernetes.io/dockerconfigjson"
    return {"metadata": {"name": name}, "type": type_, "stringData": {".dockerconfigjson": config}}


def import_from(garden: Garden, host: str, name: str, entry: Json) -> None:
    """Import with a credential, at once and by the worker."""
    garden.made(SECRETS, pull_secret(f"pull-{name}", host, entry))
    for repository in REPOSITORIES:
        source = {"kind": "DockerImage", "name": f"{host}/{repository}:1"}
        image = {"from": source, "to": {"name": "1"}, "importPolicy": {"insecure": True}}
        whole = {"from": {"kind": "DockerImage", "name": f"{host}/{repository}"}, "importPolicy": {"insecure": True}}
        stream = f"{name}-{repository}"
        spec = {"import": True, "images": [image], "repository": whole}
        for write in (True, False):
            asked = {"metadata": {"name": f"at-once-{stream}"}, "spec": {**spec, "import": write}}
            garden.answers.append(garden.send("POST", f"{IMAGES}/imagestreamimports", asked).content)
        tag = {"name": "1", "from": source, "importPolicy": {"insecure": True, "scheduled": True}}
        garden.made(f"{IMAGES}/imagestreams", {"metadata": {"name": f"later-{stream}"}, "spec": {"tags": [tag]}})


def addresses(garden: Garden, host: str) -> None:
    """Name registries and consumers by addresses with passwords in them."""
    user = f"ann:{garden.plant('pull-spec')}"
    for name in (f"{user}@{host}/a/b:1", f"https://{user}@{host}/a/b", f"docker://{user}@{host}/a/b:1"):
        source = {"kind": "DockerImage", "name": name}
        spec = {"import": True, "images": [{"from": source, "to": {"name": "1"}}]}
        garden.send("POST", f"{IMAGES}/imagestreamimports", {"metadata": {"name": "bad-import"}, "spec": spec})
        stream = {"metadata": {"name": "bad-stream"}, "spec": {"tags": [{"name": "1", "from": source}]}}
        garden.refused("POST", f"{IMAGES}/imagestreams", stream)
        whole = {"metadata": {"name": "bad-stream"}, "spec": {"dockerImageRepository": name}}
        garden.refused("POST", f"{IMAGES}/imagestreams", whole)
        body = {"metadata": {"name": "1"}, "tag": {"name": "1", "from": source}}
        garden.send("POST", f"{IMAGES}/imagestreamtags", {**body, "metadata": {"name": "bad-tag:1"}})
    webhook = {"url": f"http://ann:{garden.plant('webhook-url')}@{host}/hook"}
    garden.send("POST", TRIGGERS, {"metadata": {"name": "bad-hook"}, "spec": {"from": FROM, "webhook": webhook}})


# --- webhooks

FROM = {"kind": "ImageStreamTag", "name": "app:latest"}


def webhooks(garden: Garden, url: str) -> None:
    """Have the move of a tag told with a signature, to a consumer that refuses it."""
    value = garden.plant("signing-key")
    garden.made(SECRETS, {"metadata": {"name": "hook"}, "stringData": {"hmac": value}})
    webhook = {"url": url, "secretRef": {"name": "hook", "key": "hmac"}}
    garden.made(f"{IMAGES}/imagestreams", {"metadata": {"name": "app"}})
    garden.made(TRIGGERS, {"metadata": {"name": "deploy"}, "spec": {"from": FROM, "webhook": webhook}})
    digest = "sha256:" + "5" * 64
    image = {"metadata": {"name": digest}, "dockerImageReference": f"registry.example.com/app@{digest}"}
    mapping = {"metadata": {"name": "app"}, "image": image, "tag": "latest"}
    garden.made(f"{IMAGES}/imagestreammappings", mapping)
