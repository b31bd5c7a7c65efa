"""What is secret stays out of what others may read, of the server's log, and of the plain files beside its database."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.processes import wait_until
from tests.registries import PASSWORDS, ROBOT, Distribution
from tests.requirements import needs
from tests.served.api import TRIGGERS, Api
from tests.served.consumers import Keeper
from tests.server import Server

KEY = "planted-key-of-the-consumer"
NOBODY = "planted-token-of-nobody"
WRONG = "planted-password-that-is-wrong"
LEVEL = "REGISTRY_META_LOG_LEVEL"
DATABASE = "registry-meta.sqlite3"
PATIENCE = 30.0

pytestmark = needs("docker-registry")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Distribution]:
    """A registry that wants a password."""
    registry = Distribution()
    with registry.start(htpasswd=PASSWORDS):
        yield registry


@pytest.fixture
def talkative(served: Server) -> Iterator[Server]:
    """A server that logs all that it can."""
    served.environ[LEVEL] = "debug"
    served.restart()
    yield served
    del served.environ[LEVEL]


def docker_config(host: str, password: str) -> dict[str, str]:
    """Return the data of a pull secret for a registry."""
    auth = {"username": ROBOT[0], "password": password, "auth": encoded(f"{ROBOT[0]}:{password}")}
    return {".dockerconfigjson": json.dumps({"auths": {host: auth}})}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def import_twice(api: Api, guarded: Distribution) -> None:
    """Import with a password that is right, and with one that is wrong."""
    digest = guarded.push("app", "latest", seed="app")
    type_ = "kubernetes.io/dockerconfigjson"
    wish = {"latest": guarded.pullspec("app", tag="latest")}
    api.secret("wrong", docker_config(guarded.host, WRONG), type_=type_)
    refused = api.bring_in("app", wish)
    api.secret("right", docker_config(guarded.host, ROBOT[1]), type_=type_)
    accepted = api.bring_in("app", wish)

    assert refused["status"]["images"][0]["status"]["reason"] == "Unauthorized"
    assert accepted["status"]["images"][0]["image"]["metadata"]["name"] == digest


def tell_twice(api: Api, guarded: Distribution) -> None:
    """Tell a consumer that refuses at first."""
    with Keeper() as keeper:
        keeper.refusing = True
        api.secret("consumer", {"key": KEY})
        api.trigger("deploy", "app:latest", keeper.url, secret="consumer")
        guarded.push("app", "latest", seed="moved")
        api.bring_in("app", {"latest": guarded.pullspec("app", tag="latest")})
        keeper.wait(1)
        wait_until(lambda: api.condition("deploy", "Delivered") == "Retrying", seconds=PATIENCE, what="it was refused")
        keeper.refusing = False
        wait_until(lambda: api.condition("deploy", "Delivered") == "Delivered", seconds=PATIENCE, what="it was heard")


def come_with_tokens(api: Api) -> str:
    """Come with a token that is none, and with one of a service account, which is returned."""
    path = api.url(api.place("secrets", prefix="api/v1"))
    with api.server.client(NOBODY) as nobody:
        assert nobody.get(path, timeout=PATIENCE).status_code == 401
    request = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {}}
    answer = api.post(api.place("serviceaccounts/default/token", prefix="api/v1"), request)
    token = str(answer["status"]["token"])
    with api.server.client(token) as account:
        assert account.get(path, timeout=PATIENCE).status_code == 403
    return token


def test_no_secret_is_where_others_may_read_it(talkative: Server, guarded: Distribution) -> None:
    api = Api(talkative)

    import_twice(api, guarded)
    tell_twice(api, guarded)
    token = come_with_tokens(api)

    planted = [KEY, NOBODY, WRONG, ROBOT[1], token]
    planted += [encoded(text) for text in (KEY, f"{ROBOT[0]}:{WRONG}", f"{ROBOT[0]}:{ROBOT[1]}")]
    shown = json.dumps([api.get(api.place(plural)) for plural in ("imagestreams", "imagestreamtags")])
    shown += json.dumps(api.get(api.place("imagetriggers", prefix=TRIGGERS)))
    shown += json.dumps(api.get(api.place("events", prefix="api/v1")))
    assert [text for text in planted if text in shown] == []
    log = talkative.log
    assert "the consumer accepted the event" in log
    assert [text for text in [*planted, talkative.token] if text in log] == []
    files = [path for path in talkative.data_dir.rglob("*") if path.is_file() and not path.name.startswith(DATABASE)]
    assert talkative.kubeconfig in files
    texts = {path: path.read_bytes() for path in files}
    assert [(path, text) for path, content in texts.items() for text in planted if text.encode() in content] == []
