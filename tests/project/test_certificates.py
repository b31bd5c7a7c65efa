"""The server's certificate is made, kept, and renewed in time."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from registry_meta import certificates
from registry_meta.environment import Environment

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def ensure(data_dir: Path, *, now: datetime = NOW, **settings: str) -> certificates.Files:
    names = tuple(settings.get("names", "").split())
    bind = settings.get("bind", "127.0.0.1")
    return certificates.ensure(Environment(data_dir=data_dir, bind=bind, tls_names=names), now=now)


def load(path: Path | None) -> x509.Certificate:
    assert path is not None
    return x509.load_pem_x509_certificate(path.read_bytes())


def verify(files: certificates.Files, name: str, *, now: datetime = NOW) -> None:
    store = Store([load(files.authority)])
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(name))
    verifier.verify(load(files.certificate), [])


def test_a_strict_verifier_accepts_it(tmp_path: Path) -> None:
    files = ensure(tmp_path, names="meta.example.com")

    verify(files, "localhost")
    verify(files, "meta.example.com")


def test_the_keys_are_small_and_private(tmp_path: Path) -> None:
    files = ensure(tmp_path)

    key = load(files.certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").glob("*.key")} == {0o600}
    assert files.key.read_text().startswith("-----BEGIN PRIVATE KEY-----")  # PKCS#8


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.7", "meta.internal"])
def test_it_names_what_the_server_is_bound_to(tmp_path: Path, bind: str) -> None:
    files = ensure(tmp_path, bind=bind, names="10.0.0.9 meta.example.com")

    named = load(files.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = named.get_values_for_type(x509.DNSName)
    addresses = [str(address) for address in named.get_values_for_type(x509.IPAddress)]
    assert {"localhost", "meta.example.com"} <= set(dns)
    assert {"127.0.0.1", "::1", "10.0.0.9"} <= set(addresses)
    assert (bind in [*dns, *addresses]) == (bind not in {"0.0.0.0", "::"})


def test_a_good_certificate_is_kept(tmp_path: Path) -> None:
    before = load(ensure(tmp_path).certificate)

    after = load(ensure(tmp_path, now=NOW + timedelta(days=300)).certificate)

    assert after == before


@pytest.mark.parametrize(
    ("days", "names"), [(370, ""), (500, ""), (1, "another.example.com")], ids=["soon over", "over", "another name"]
)
def test_the_server_certificate_is_renewed_and_the_authority_stays(tmp_path: Path, days: int, names: str) -> None:
    files = ensure(tmp_path)
    authority, certificate = load(files.authority), load(files.certificate)
    later = NOW + timedelta(days=days)

    files = ensure(tmp_path, now=later, names=names)

    assert load(files.authority) == authority
    assert load(files.certificate) != certificate
    verify(files, "localhost", now=later)


def test_an_authority_that_would_end_first_is_replaced(tmp_path: Path) -> None:
    authority = load(ensure(tmp_path).authority)
    later = NOW + timedelta(days=3300)

    files = ensure(tmp_path, now=later)

    assert load(files.authority) != authority
    verify(files, "localhost", now=later)


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "server.crt", "server.key"])
def test_a_lost_or_broken_file_is_mended(tmp_path: Path, name: str) -> None:
    ensure(tmp_path)
    (tmp_path / "tls" / name).write_text("broken")

    files = ensure(tmp_path)

    verify(files, "localhost")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


def test_a_certificate_of_ones_own_is_left_alone(tmp_path: Path) -> None:
    own = Environment(data_dir=tmp_path, tls_cert=tmp_path / "a.crt", tls_key=tmp_path / "a.key")

    files = certificates.ensure(own, now=NOW)

    assert files == certificates.Files(tmp_path / "a.crt", tmp_path / "a.key", None)
    assert list(tmp_path.iterdir()) == []
