"""Keys are made once, by one process, for nobody else to read."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from registry_meta import keys
from registry_meta.environment import Environment, SettingError


def test_a_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Environment(data_dir=tmp_path / "data")

    first, second = keys.secret_key(settings), keys.secret_key(settings)

    path = tmp_path / "data" / keys.SECRET_KEY_FILE
    assert first == second
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_that_is_set_is_not_kept(tmp_path: Path) -> None:
    assert keys.secret_key(Environment(data_dir=tmp_path, secret_key="set")) == "set"
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_agree(tmp_path: Path) -> None:
    path = tmp_path / "key"

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: keys.kept(path, keys.new_fernet_key), range(32)))

    assert found == {path.read_text().strip()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_encryption_keys_encrypt(tmp_path: Path) -> None:
    old, new = keys.new_fernet_key(), keys.new_fernet_key()

    made = keys.encryption_keys(Environment(data_dir=tmp_path))
    given = keys.encryption_keys(Environment(data_dir=tmp_path, encryption_key=f"{new}, {old}"))

    assert [Fernet(key).decrypt(Fernet(key).encrypt(b"text")) for key in made] == [b"text"]
    assert given == (new, old)


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingError, match=r"^REGISTRY_META_DATA_DIR: .* cannot be used"):
        keys.secret_key(Environment(data_dir=tmp_path / "file" / "data"))
