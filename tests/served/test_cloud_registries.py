"""Imports from registries of clouds, which let pass only the short-lived credentials that the clouds made."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from tests import planted
from tests.clouds.amazon import ROLE, Account, Amazon
from tests.clouds.gate import Gate, of_amazon
from tests.clouds.google import KEY_ID, Google, key_file, new_key
from tests.clouds.microsoft import CLIENT, TENANT, Microsoft
from tests.imagestreams.upstream import conftest as upstream
from tests.imagestreams.upstream.conftest import TLS
from tests.registries import Distribution, StandIn
from tests.served.api import Api
from tests.server import Server

tls = upstream.tls

TEAM_SECRET = planted.planted("team")
HOST_SECRET = planted.planted("host")
APP_SECRET = planted.planted("app")
AWS = "registry-meta.io/aws-ecr"
GOOGLE = "registry-meta.io/google-artifact-registry"
AZURE = "registry-meta.io/azure-acr"
WITHOUT = ("admin.token", "admin.kubeconfig", ".key")


class Site:
    """A server, three clouds, and their registries before one that has an image; `ours` is for the host to enter."""

    def __init__(self, stack: ExitStack, registry: Distribution, tls: TLS) -> None:
        self.key = new_key()
        self.amazon = Amazon({"AKIATEAM": Account(TEAM_SECRET), "AKIAHOST": Account(HOST_SECRET)})
        self.google = Google({KEY_ID: self.key.public_key()})
        self.microsoft = Microsoft(APP_SECRET)
        aws = stack.enter_context(self.amazon.served(tls.server))
        google = stack.enter_context(StandIn(self.google.answer, tls=tls.server))
        entra = stack.enter_context(StandIn(self.microsoft.answer, tls=tls.server))
        behind = registry.base
        self.ecr, self.ours = (
            stack.enter_context(Gate(behind, of_amazon(self.amazon), tls=tls.server)) for _ in range(2)
        )
        self.gar = stack.enter_context(Gate(behind, self.google.admits, tls=tls.server))
        self.acr = stack.enter_context(Gate(behind, self.microsoft.admits, tls=tls.server))
        names = {"ecr": aws.base, "sts": aws.base, "google": f"{google.base}/token", "entra": entra.base}
        server = Server(
            environment={
                "ALLOW_PRIVATE_NETWORKS": "true",
                "UPSTREAM_CA_BUNDLE": str(tls.authority),
                "LOG_LEVEL": "debug",
                "CLOUD_ENDPOINTS": ",".join(f"{name}={url}" for name, url in names.items()),
                "PULL_SECRET": json.dumps({"credHelpers": {self.ours.host: "ecr-login"}}),
            }
        )
        server.environ |= {
            "AWS_ACCESS_KEY_ID": "AKIAHOST",
            "AWS_SECRET_ACCESS_KEY": HOST_SECRET,
            "AWS_REGION": "eu-north-1",
        }
        self.server = stack.enter_context(server)

    def secrets(self) -> list[str]:
        """Return every secret that was given to the server or made for it."""
        sessions = [text for account in self.amazon.accounts.values() for text in (account.secret, account.token)]
        private = key_file(self.key)["private_key"].splitlines()[1:-1]
        made = [*self.amazon.passwords, *self.google.tokens, *self.microsoft.access, *self.microsoft.valid]
        return [text for text in (*sessions, *private, *made, APP_SECRET) if text]


@pytest.fixture(scope="module")
def site(registry: Distribution, tls: TLS) -> Iterator[Site]:
    registry.push("cloud/app", "v1", seed="cloud")
    with ExitStack() as stack:
        yield Site(stack, registry, tls)


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site.server)


def bring_in(api: Api, gate: StandIn, *, insecure: bool = False) -> dict[str, Any]:
    """Import an image, and return its Status."""
    status: dict[str, Any] = asked(api, gate, insecure=insecure)["status"]["images"][0]["status"]
    return status


def asked(api: Api, gate: StandIn, *, insecure: bool = False, keep: bool = True) -> dict[str, Any]:
    """Ask for an import, and return the answer."""
    image = {
        "from": {"kind": "DockerImage", "name": f"{gate.host}/cloud/app:v1"},
        "to": {"name": "v1"},
        "importPolicy": {"insecure": insecure},
    }
    body = {"metadata": {"name": "app"}, "spec": {"import": keep, "images": [image]}}
    return api.post(api.place("imagestreamimports"), body)


def keys_of_aws(gate: StandIn, **more: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIATEAM", "AWS_SECRET_ACCESS_KEY": TEAM_SECRET, "AWS_REGION": "eu-west-1"}
    return {**keys, "registries": gate.host, **more}


def test_without_a_secret_the_registries_let_nobody_pass(site: Site, api: Api) -> None:
    gates = [site.ecr, site.gar, site.acr]

    told = [bring_in(api, gate) for gate in gates]

    assert [status["reason"] for status in told] == ["Unauthorized", "Unauthorized", "InternalError"]
    assert told[2]["message"].endswith(": unauthorized")


def test_keys_of_aws_and_a_role_open_a_registry_of_amazon(site: Site, api: Api) -> None:
    api.secret("aws", keys_of_aws(site.ecr, AWS_ROLE_ARN=ROLE), type_=AWS)
    before = len(site.amazon.regions)

    assert bring_in(api, site.ecr) == {"metadata": {}, "status": "Success"}
    assert site.amazon.regions[before:] == ["sts eu-west-1", "ecr eu-west-1"]


def test_a_password_that_has_ended_is_made_anew(site: Site, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.amazon, "life", timedelta(seconds=2))
    monkeypatch.setattr(site.amazon, "next_password", "short-{}".format)
    role = {"AWS_SESSION_TOKEN": "", "AWS_REGION": "ap-south-1"}
    api.secret("aws", keys_of_aws(site.ecr, **role), type_=AWS)

    assert bring_in(api, site.ecr)["status"] == "Success"
    time.sleep(2)
    assert bring_in(api, site.ecr)["status"] == "Success"
    assert len([text for text in site.amazon.passwords if text.startswith("short")]) >= 2


def test_a_key_of_google_opens_its_registry(site: Site, api: Api) -> None:
    content = {"key.json": json.dumps(key_file(site.key)), "registries": site.gar.host}
    api.secret("google", content, type_=GOOGLE)

    assert bring_in(api, site.gar)["status"] == "Success"


def test_an_application_of_azure_opens_its_registry(site: Site, api: Api) -> None:
    content = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": APP_SECRET}
    api.secret("azure", {**content, "registries": site.acr.host}, type_=AZURE)

    assert bring_in(api, site.acr)["status"] == "Success"


def test_a_refusal_of_the_cloud_is_what_the_import_tells(site: Site, api: Api) -> None:
    wrong = planted.planted("wrong")
    api.secret("aws", keys_of_aws(site.ecr, AWS_SECRET_ACCESS_KEY=wrong), type_=AWS)

    status = bring_in(api, site.ecr)

    assert status["message"].endswith(
        "Amazon ECR in eu-west-1: InvalidSignatureException: "
        "The request signature we calculated does not match the signature you provided."
    )
    assert not planted.traces(json.dumps(status).encode() + site.server.log.encode(), [wrong])


def test_the_answer_names_the_secret_that_the_cloud_refused(site: Site, api: Api) -> None:
    api.secret("aws", keys_of_aws(site.ecr, AWS_ACCESS_KEY_ID="AKIANOBODY"), type_=AWS)

    answer = asked(api, site.ecr, keep=False)

    (told,) = json.loads(answer["metadata"]["annotations"]["import.registry-meta.io/credentials"])["repositories"]
    assert told["tried"][0] == {
        "credential": {"kind": "Secret", "name": "aws", "key": site.ecr.host},
        "outcome": "Refused",
        "answeredBy": "token service",
        "status": 400,
        "message": "Amazon ECR in eu-west-1: UnrecognizedClientException: "
        "The security token included in the request is invalid.",
    }
    assert told["advice"].startswith(f'Renew the key "{site.ecr.host}" of the secret "aws"')


def test_the_answer_names_the_secret_that_was_accepted(site: Site, api: Api) -> None:
    api.secret("aws", keys_of_aws(site.ecr), type_=AWS)

    answer = asked(api, site.ecr, keep=False)

    (told,) = json.loads(answer["metadata"]["annotations"]["import.registry-meta.io/credentials"])["repositories"]
    assert told["accepted"] == {"kind": "Secret", "name": "aws", "key": site.ecr.host}


def test_the_host_is_somebody_only_where_its_pull_secret_says_so(site: Site, api: Api) -> None:
    document = json.dumps({"auths": {}, "credHelpers": {site.ecr.host: "ecr-login"}})
    api.secret("own", {".dockerconfigjson": document}, type_="kubernetes.io/dockerconfigjson")
    asked = len(site.amazon.regions)

    assert bring_in(api, site.ecr)["reason"] == "Unauthorized"
    assert len(site.amazon.regions) == asked
    assert bring_in(api, site.ours)["status"] == "Success"
    assert site.amazon.regions[asked:] == ["ecr eu-north-1"]


def test_the_host_shows_itself_to_no_registry_that_is_insecure(site: Site, api: Api) -> None:
    shown = len(site.ours.requests)

    assert bring_in(api, site.ours, insecure=True)["reason"] == "Unauthorized"
    assert not [request for request in site.ours.requests[shown:] if "authorization" in request.headers]


def test_metrics_tell_what_came_of_it(site: Site, api: Api) -> None:
    api.secret("aws", keys_of_aws(site.ecr, AWS_SECRET_ACCESS_KEY="wrong"), type_=AWS)
    bring_in(api, site.ecr)

    text = api.session.get(api.url("metrics")).text
    found = re.findall(r'^registry_meta_cloud_credentials_total\{cloud="aws",outcome="Refused"\} (\S+)', text, re.M)
    assert found
    assert float(found[0]) >= 1


def test_nothing_of_it_is_kept_or_written_in_the_clear(site: Site) -> None:
    content = planted.files(site.server.data_dir, leave_out=WITHOUT) | {"log": site.server.log.encode()}

    assert len(site.secrets()) > 30
    assert {name: found for name, data in content.items() if (found := planted.traces(data, site.secrets()))} == {}
