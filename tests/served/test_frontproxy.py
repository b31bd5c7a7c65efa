"""Proxies that say for whom they ask: believed with a certificate of their authority, on their own port alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.processes import answers, free_port, wait_until
from tests.served.wire import send
from tests.server import Server

PATIENCE = 20
WHO = "apis/authentication.k8s.io/v1/selfsubjectreviews"
NAMESPACES = "api/v1/namespaces"
MASTER = {"X-Remote-User": "jane", "X-Remote-Group": "system:masters"}


Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certificate(directory: Path, name: str, issuer: Pair | None) -> Pair:
    """Write a certificate and its key, of an authority where there is no issuer, and return them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    signed = made.sign(issuer[1] if issuer else key, hashes.SHA256())
    (directory / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / f"{name}.key").write_bytes(private)
    return signed, key


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, each with a client that it trusts."""
    made = tmp_path_factory.mktemp("proxies")
    for authority, client in (("authority", "proxy"), ("stranger", "intruder")):
        certificate(made, client, certificate(made, authority, None))
    return made


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def fronted(directory: Path, port: int) -> Iterator[Server]:
    """A server that trusts proxies of the one authority."""
    environment = {
        "REQUESTHEADER_PORT": str(port),
        "REQUESTHEADER_CLIENT_CA": str(directory / "authority.crt"),
        "WEB_WORKERS": "1",
        "AUDIT_LOG": str(directory / "audit.log"),
    }
    with Server(environment=environment) as running:
        wait_until(lambda: answers(port), seconds=PATIENCE, what="the listener of proxies answers")
        yield running


def through(server: Server, port: int, directory: Path, client: str = "proxy") -> requests.Session:
    """Return a session of a proxy, with a certificate unless its name is empty."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(server.ca)
    session.cert = (str(directory / f"{client}.crt"), str(directory / f"{client}.key")) if client else None
    session.headers["Host"] = f"127.0.0.1:{port}"
    return session


def test_a_trusted_proxy_is_believed(fronted: Server, port: int, directory: Path) -> None:
    url = f"https://127.0.0.1:{port}"
    with through(fronted, port, directory) as proxy:
        headers = {
            "X-Remote-User": "jane", "X-Remote-Uid": "7", "X-Remote-Group": "a,b",
            "X-Remote-Extra-Example.com%2Fkey": "v", "X_Remote_User": "root", "X_Remote_Group": "system:masters",
        }  # fmt: skip
        answer = proxy.post(f"{url}/{WHO}", json={}, headers=headers, timeout=PATIENCE)
        nobody = proxy.get(f"{url}/{NAMESPACES}", timeout=PATIENCE)
        bearer = {"Authorization": f"Bearer {fronted.token}"}
        administrator = proxy.get(f"{url}/{NAMESPACES}", headers=bearer, timeout=PATIENCE)
        master = proxy.get(f"{url}/{NAMESPACES}", headers=MASTER, timeout=PATIENCE)

    assert answer.status_code == 201, answer.text
    assert answer.json()["status"]["userInfo"] == {
        "username": "jane", "uid": "7", "groups": ["a,b", "system:authenticated"], "extra": {"example.com/key": ["v"]},
    }  # fmt: skip
    assert (nobody.status_code, administrator.status_code, master.status_code) == (403, 200, 200)


def test_who_is_believed_may_act_for_others_if_allowed(fronted: Server, port: int, directory: Path) -> None:
    url = f"https://127.0.0.1:{port}/{WHO}"
    with through(fronted, port, directory) as proxy:
        joe = {"Impersonate-User": "joe"}
        allowed = proxy.post(url, json={}, headers={**MASTER, **joe}, timeout=PATIENCE)
        refused = proxy.post(url, json={}, headers={"X-Remote-User": "ann", **joe}, timeout=PATIENCE)

    assert allowed.json()["status"]["userInfo"]["username"] == "joe"
    assert refused.status_code == 403
    assert 'User "ann" cannot impersonate' in refused.json()["message"]


@pytest.mark.parametrize("client", ["intruder", ""])
def test_a_client_without_a_certificate_of_the_authority_is_let_go(
    fronted: Server, port: int, directory: Path, client: str
) -> None:
    with through(fronted, port, directory, client) as stranger, pytest.raises(requests.ConnectionError):
        stranger.get(f"https://127.0.0.1:{port}/livez", headers=MASTER, timeout=PATIENCE)


@pytest.mark.parametrize("name", ["X-Remote-User", "X_Remote_User", "Registry_Meta.Front_Proxy"])
def test_nobody_is_believed_on_the_port_of_all(fronted: Server, name: str) -> None:
    head = f"GET /{NAMESPACES} HTTP/1.1\r\nHost: x\r\n{name}: system:admin\r\nX-Remote-Group: system:masters\r\n\r\n"

    answer = send(fronted, head.encode())

    assert answer.code == 403
    assert "system:anonymous" in json.loads(answer.body)["message"]


def test_what_is_done_through_a_proxy_is_audited_and_watched(fronted: Server, port: int, directory: Path) -> None:
    url = f"https://127.0.0.1:{port}/{NAMESPACES}"
    with through(fronted, port, directory) as proxy:
        query = {"watch": "1", "timeoutSeconds": "3", "fieldSelector": "metadata.name=fronted"}
        watch = proxy.get(url, params=query, headers=MASTER, stream=True, timeout=PATIENCE)
        with through(fronted, port, directory) as other:
            made = other.post(url, json={"metadata": {"name": "fronted"}}, headers=MASTER, timeout=PATIENCE)
        frames = [json.loads(line) for line in watch.iter_lines() if line.strip()]

    assert made.status_code == 201
    assert (frames[0]["type"], frames[0]["object"]["metadata"]["name"]) == ("ADDED", "fronted")
    told = [json.loads(line) for line in (directory / "audit.log").read_text().splitlines()]
    told = [line for line in told if line["objectRef"].get("name") == "fronted" and line["verb"] == "create"]
    assert told[0]["user"]["username"] == "jane"
