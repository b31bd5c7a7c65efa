"""Authorities that tests make, and the certificates that servers get of them, as PEM files."""

from __future__ import annotations

import itertools
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from registry_meta import certificates

PEM, PLAIN = serialization.Encoding.PEM, serialization.NoEncryption()
LONG_AGO = timedelta(days=500)
"""Longer than a server's certificate lasts, and less than an authority does."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificate and the key of a server, as files."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return what a server speaks TLS by."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """An authority that nobody knows; `file` is what those need who are to trust it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = itertools.count(1)
        self._pair = certificates.new_authority(now=datetime.now(UTC) - LONG_AGO)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._pair.certificate.public_bytes(PEM))

    def identity(self, *names: str, expired: bool = False) -> Identity:
        """Return a new identity for names and addresses; 127.0.0.1 when none is given."""
        now = datetime.now(UTC) - (LONG_AGO if expired else timedelta())
        pair = certificates.new_server(self._pair, names=names or ("127.0.0.1",), now=now)
        stem = self._folder / f"server-{next(self._numbers)}"
        made = Identity(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        made.certificate.write_bytes(pair.certificate.public_bytes(PEM))
        made.key.write_bytes(pair.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, PLAIN))
        return made
