"""Signed tokens at a server with several processes: those it gives out, and those of an OpenID provider."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
import requests
import yaml

from tests.openid_server import CLIENT_ID, OpenIDServer
from tests.processes import wait_until
from tests.server import ROOT, Server

pytestmark = pytest.mark.slow

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
ROUND = 12
"""So many connections that each of two processes has some."""


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIDServer]:
    with OpenIDServer() as running:
        yield running


@pytest.fixture(scope="module")
def trusting(provider: OpenIDServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server at which the provider's tokens count."""
    path = tmp_path_factory.mktemp("issuers") / "authentication.yaml"
    issuer = {"url": provider.issuer, "audiences": [CLIENT_ID], "certificateAuthority": provider.ca.read_text()}
    mappings = {"username": {"claim": "preferred_username", "prefix": "corp:"}, "groups": {"claim": "roles"}}
    content = {
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": mappings}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    with Server(environment={"AUTHENTICATION_CONFIG": str(path), "LOG_LEVEL": "debug"}) as running:
        yield running


def review(server: Server, token: str) -> requests.Response:
    """Ask on a connection of its own, so that any of the processes answers."""
    with server.client(token) as session:
        return session.post(f"{server.url}{REVIEWS}", json={}, headers={"Connection": "close"})


def codes(server: Server, token: str) -> set[int]:
    return {review(server, token).status_code for _ in range(ROUND)}


def is_known(server: Server, token: str) -> bool:
    """Return whether every process knows a token, after no more than one that does not."""
    return all(review(server, token).status_code == 201 for _ in range(ROUND))


def given(server: Server, name: str = "default") -> str:
    with server.client() as session:
        answer = session.post(f"{server.url}{ACCOUNTS}/{name}/token", json={"spec": {}})
    token: str = answer.json()["status"]["token"]
    return token


def rotate(server: Server, *arguments: str) -> str:
    command = [sys.executable, "manage.py", "rotate-signing-key", "--data-dir", str(server.data_dir), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=server.environ, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def kid(token: str) -> str:
    found: str = jwt.get_unverified_header(token)["kid"]
    return found


def test_somebody_who_logged_in_elsewhere_is_known(trusting: Server, provider: OpenIDServer) -> None:
    token = provider.id_token("ann")

    answers = [review(trusting, token).json()["status"]["userInfo"] for _ in range(ROUND)]

    assert answers == [{"username": "corp:ann", "groups": ["developers", "testers", "system:authenticated"]}] * ROUND


def test_keys_of_the_provider_come_and_go(trusting: Server, provider: OpenIDServer) -> None:
    first = provider.signed()
    wait_until(lambda: is_known(trusting, first), seconds=40, what="every process knows the first key")

    provider.renew_key(keep=True)
    second = provider.signed()
    wait_until(lambda: is_known(trusting, second), seconds=40, what="every process knows the second key")
    kept = codes(trusting, first)
    provider.renew_key(keep=False)
    third = provider.signed()
    wait_until(lambda: is_known(trusting, third), seconds=40, what="every process knows the third key")

    assert kept == {201}
    assert (codes(trusting, first), codes(trusting, second)) == ({401}, {401})


def test_wrong_tokens_are_refused_and_never_written_down(trusting: Server, provider: OpenIDServer) -> None:
    good = provider.signed()
    wait_until(lambda: is_known(trusting, good), seconds=40, what="every process knows the key")
    wrong = [
        provider.signed(exp=1), provider.signed(aud="elsewhere"), provider.signed(iss="https://127.0.0.1:1"),
        provider.signed(headers={"kid": "unknown"}), f"{good.rpartition('.')[0]}.",
    ]  # fmt: skip

    answers = [review(trusting, token) for token in wrong]

    assert [answer.status_code for answer in answers] == [401] * len(wrong)
    assert {answer.json()["message"] for answer in answers} == {"Unauthorized"}
    written = trusting.log + "".join(answer.text for answer in answers)
    assert not [part for token in (*wrong, good) for part in token.split(".")[1:] if part and part in written]


def test_a_new_signing_key_ends_no_token_and_a_dropped_one_all_of_its_own(trusting: Server) -> None:
    old = given(trusting)
    rotate(trusting, "--now")
    new = given(trusting)
    both = codes(trusting, old) | codes(trusting, new)

    rotate(trusting, "--drop", kid(old))

    assert kid(old) != kid(new)
    assert (both, codes(trusting, old), codes(trusting, new)) == ({201}, {401}, {201})


def test_signing_keys_outlive_the_processes(trusting: Server) -> None:
    token = given(trusting)

    trusting.restart()

    assert codes(trusting, token) == {201}
    assert kid(given(trusting)) == kid(token)


def test_a_token_ends_in_every_process_with_its_account(trusting: Server) -> None:
    with trusting.client() as session:
        session.post(f"{trusting.url}{ACCOUNTS}", json={"metadata": {"name": "robot"}})
        token = given(trusting, "robot")
        before = codes(trusting, token)
        session.delete(f"{trusting.url}{ACCOUNTS}/robot")

    assert (before, codes(trusting, token)) == ({201}, {401})


def test_hosts_share_the_signing_keys(tmp_path: Path, postgres_server: Server) -> None:
    token = given(postgres_server)
    keys = {"SECRET_KEY": "secret.key", "ENCRYPTION_KEY": "encryption.key"}
    shared = {name: (postgres_server.data_dir / file).read_text().strip() for name, file in keys.items()}
    # Its worker takes messages of the other one, too.
    environment = {**shared, "PUBLIC_URL": postgres_server.url, "ALLOW_PRIVATE_NETWORKS": "true"}
    database_url, redis_url = (postgres_server.environ[name] for name in ("DATABASE_URL", "REDIS_URL"))

    with Server(environment=environment, database_url=database_url, redis_url=redis_url) as other:
        codes_there, shown_there = codes(other, token), rotate(other, "--list")

    assert codes_there == {201}
    assert shown_there == rotate(postgres_server, "--list")
