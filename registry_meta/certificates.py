"""The self-signed authority and the server certificate that are made on first start and renewed in time."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from registry_meta import environment as environments
from registry_meta.environment import Environment
from registry_meta.keys import make_private_directory, write_private

AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)  # more is refused by some clients
RENEW_BEFORE = timedelta(days=30)
BACKDATE = timedelta(hours=1)  # for clients whose clock is behind
ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")
UNSPECIFIED = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared, not bound


@dataclass(frozen=True, slots=True)
class Files:
    """Where the certificate and key of the server are, and the authority that clients should trust, if known."""

    certificate: Path
    key: Path
    authority: Path | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def locate(environment: Environment) -> Files:
    """Return where the files are, whether or not they exist."""
    if environment.tls_cert is not None and environment.tls_key is not None:
        return Files(environment.tls_cert, environment.tls_key, None)
    directory = environment.data_dir / "tls"
    return Files(directory / "server.crt", directory / "server.key", directory / "ca.crt")


def ensure(environment: Environment, *, now: datetime) -> Files:
    """Return the server's TLS files, made or renewed where needed; files of one's own are only located."""
    files = locate(environment)
    if files.authority is None:
        return files
    directory = files.authority.parent
    make_private_directory(directory)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        authority = _authority(files.authority, directory / "ca.key", now=now)
        _server(files, authority, names=server_names(environment), now=now)
    return files


def server_names(environment: Environment) -> tuple[str, ...]:
    """Return the names and addresses that the server's certificate is for, in order, each once."""
    bind = () if environment.bind in UNSPECIFIED else (environment.bind,)
    return tuple(dict.fromkeys((*ALWAYS_NAMED, socket.gethostname(), *bind, *environment.tls_names)))


def new_authority(*, now: datetime) -> Pair:
    """Return a fresh authority, self-signed, that may sign servers' certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Two authorities of one name and different keys confuse clients that trust both.
    name = _name(f"Registry Meta authority {now:%Y-%m-%d}")
    certificate = (
        _builder(name, name, key.public_key(), now=now, life=AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def new_server(authority: Pair, *, names: Iterable[str], now: datetime) -> Pair:
    """Return a fresh server certificate for `names`, signed by `authority`."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.subject
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(_name("registry-meta"), issuer, key.public_key(), now=now, life=SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(authority_id, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(certificate, key)


def serves(certificate: x509.Certificate, authority: Pair, *, names: Iterable[str], now: datetime) -> bool:
    """Return whether a certificate is still good for a while, for all of `names`, and from this authority."""
    try:
        certificate.verify_directly_issued_by(authority.certificate)
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return _lasts(certificate, now=now) and {_general_name(name) for name in names} <= set(named)


def _authority(certificate: Path, key: Path, *, now: datetime) -> Pair:
    kept = _load(certificate, key)
    # A server certificate may not outlive its authority.
    if kept is not None and _lasts(kept.certificate, now=now + SERVER_LIFE):
        return kept
    fresh = new_authority(now=now)
    _save(fresh, certificate, key)
    return fresh


def _server(files: Files, authority: Pair, *, names: tuple[str, ...], now: datetime) -> None:
    kept = _load(files.certificate, files.key)
    if kept is not None and serves(kept.certificate, authority, names=names, now=now):
        return
    _save(new_server(authority, names=names, now=now), files.certificate, files.key)


def _lasts(certificate: x509.Certificate, *, now: datetime) -> bool:
    return now + RENEW_BEFORE < certificate.not_valid_after_utc


def _load(certificate: Path, key: Path) -> Pair | None:
    """Return a kept pair, or None when there is none that fits together."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    fits = isinstance(private, ec.EllipticCurvePrivateKey) and private.public_key() == loaded.public_key()
    return Pair(loaded, private) if fits and isinstance(private, ec.EllipticCurvePrivateKey) else None


def _save(pair: Pair, certificate: Path, key: Path) -> None:
    """Write the key before the certificate: the web processes reload when the certificate changes."""
    private = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(key, private.decode())
    write_private(certificate, pair.certificate.public_bytes(serialization.Encoding.PEM).decode())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def main() -> None:
    """Renew the certificates where needed; the supervisor runs this once a day."""
    ensure(environments.read(), now=datetime.now(UTC))


if __name__ == "__main__":
    main()
