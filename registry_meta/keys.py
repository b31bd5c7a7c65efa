"""Keys and tokens that are made on first use and kept in the data directory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from registry_meta.environment import FERNET_KEY, PREFIX, Environment, SettingError

SECRET_KEY_FILE = "secret.key"  # noqa: S105  # a file's name
ENCRYPTION_KEY_FILE = "encryption.key"


def secret_key(environment: Environment) -> str:
    """Return the key that signs what clients bring back: as set, or made once and kept."""
    return environment.secret_key or kept(environment.data_dir / SECRET_KEY_FILE, lambda: secrets.token_urlsafe(48))


def encryption_keys(environment: Environment) -> tuple[str, ...]:
    """Return the Fernet keys for secrets at rest, the one that encrypts first; there is at least one."""
    path = environment.data_dir / ENCRYPTION_KEY_FILE
    text = environment.encryption_key or kept(path, new_fernet_key)
    found = tuple(key.strip() for key in text.split(",") if key.strip())
    if not found or not all(FERNET_KEY.match(key) for key in found):
        where = f"{PREFIX}ENCRYPTION_KEY: this" if environment.encryption_key else f"{PREFIX}DATA_DIR: {path}"
        raise SettingError(f"{where} is not a Fernet key (32 bytes in URL-safe base64)")
    return found


def new_fernet_key() -> str:
    """Return a fresh Fernet key: 32 random bytes in padded URL-safe base64."""
    return secrets.token_urlsafe(32) + "="


def kept(path: Path, make: Callable[[], str]) -> str:
    """Return the text of the file `path`, made by `make` when it does not exist; safe among many processes."""
    try:
        if not path.exists():
            make_private_directory(path.parent)
            _place(path, make())
        return path.read_text().strip()
    except OSError as error:
        raise SettingError(f"REGISTRY_META_DATA_DIR: {path} cannot be used ({error.strerror})") from error


def make_private_directory(path: Path) -> None:
    """Make a directory that only its owner can enter, unless it exists."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: readers see the old text or the new."""
    draft = _draft(path, text)
    draft.replace(path)


def _place(path: Path, text: str) -> None:
    """Write a private file unless another process was first."""
    draft = _draft(path, text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  # a descriptor
        file.write(text if text.endswith("\n") else text + "\n")
    return draft
