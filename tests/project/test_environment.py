"""Settings are read from variables, and what cannot be used is said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry_meta import environment, keys
from registry_meta.environment import Environment, ImportMode, LogLevel, SettingError
from tests.server import ROOT


def test_nothing_set_means_the_defaults() -> None:
    settings = environment.read({})

    assert settings == Environment(data_dir=Path("data").absolute())
    assert settings.server_url == "https://127.0.0.1:8443"


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("REGISTRY_META_PORT", "9443", "port", 9443),
        ("REGISTRY_META_DATA_DIR", "/srv/meta", "data_dir", Path("/srv/meta")),
        ("REGISTRY_META_ALLOW_PRIVATE_NETWORKS", "Yes", "allow_private_networks", True),
        ("REGISTRY_META_ALLOW_PRIVATE_NETWORKS", "0", "allow_private_networks", False),
        ("REGISTRY_META_IMPORT_MODE", "PreserveOriginal", "import_mode", ImportMode.PRESERVE_ORIGINAL),
        ("REGISTRY_META_LOG_LEVEL", "DEBUG", "log_level", LogLevel.DEBUG),
        ("REGISTRY_META_TLS_NAMES", "meta.example.com, 10.0.0.7,", "tls_names", ("meta.example.com", "10.0.0.7")),
        ("REGISTRY_META_UPSTREAM_CA_BUNDLE", __file__, "upstream_ca_bundle", Path(__file__)),
        (
            "REGISTRY_META_CLOUD_ENDPOINTS",
            "sts=https://sts.example.com, ecr=http://127.0.0.1:4566/ecr",
            "cloud_endpoints",
            ("sts=https://sts.example.com", "ecr=http://127.0.0.1:4566/ecr"),
        ),
        ("REGISTRY_META_PORT", " ", "port", 8443),
        ("REGISTRY_META_PORT", "tcp://10.96.0.12:8443", "port", 8443),  # the link of a Kubernetes service
        ("DATABASE_URL", "postgres://db/meta", "database_url", "postgres://db/meta"),
        ("REDIS_URL", "redis://cache", "redis_url", "redis://cache"),
    ],
)
def test_a_variable_is_read_by_its_type(name: str, text: str, attribute: str, value: object) -> None:
    assert getattr(environment.read({name: text}), attribute) == value


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"REGISTRY_META_PORT": "x"}, "REGISTRY_META_PORT: 'x' is not a whole number"),
        ({"REGISTRY_META_PORT": "0"}, "REGISTRY_META_PORT: 0 is less than 1"),
        ({"REGISTRY_META_PORT": "70000"}, "REGISTRY_META_PORT: 70000 is more than 65535"),
        ({"REGISTRY_META_ALLOW_PRIVATE_NETWORKS": "maybe"}, "'maybe' is neither true nor false"),
        ({"REGISTRY_META_IMPORT_MODE": "Best"}, "'Best' is none of Legacy, PreserveOriginal"),
        ({"REGISTRY_META_TLS_CERT": "/nowhere.pem"}, "REGISTRY_META_TLS_CERT: there is no file /nowhere.pem"),
        ({"REGISTRY_META_TLS_CERT": __file__}, "REGISTRY_META_TLS_CERT and REGISTRY_META_TLS_KEY: give both"),
        ({"REGISTRY_META_SECRET_KEY_FILE": "/nowhere"}, "REGISTRY_META_SECRET_KEY_FILE: /nowhere cannot be read"),
        ({"REDIS_URL": "redis://a", "REDIS_URL_FILE": "/b"}, "REDIS_URL and REDIS_URL_FILE: give one or the other"),
        ({"REGISTRY_META_DEFAULT_PLATFORM": "amd64"}, "REGISTRY_META_DEFAULT_PLATFORM: 'amd64' is not os/architecture"),
        (
            {"REGISTRY_META_CLOUD_ENDPOINTS": "sts=https://sts.example.com,s3=https://s3.example.com"},
            "REGISTRY_META_CLOUD_ENDPOINTS: 's3=https://s3.example.com' is not the name of a service, = and a URL",
        ),
        (
            {"REGISTRY_META_CLOUD_ENDPOINTS": "ecr=ftp://ecr.example.com"},
            "REGISTRY_META_CLOUD_ENDPOINTS: 'ecr=ftp://ecr.example.com' is not the name of a service",
        ),
        ({"REGISTRY_META_UPSTREAM_ALLOWED_NETWORKS": "10.0.0.0/8, 10.0.0"}, "'10.0.0' is no network, address or host"),
        ({"REGISTRY_META_ENCRYPTION_KEY": "short"}, "REGISTRY_META_ENCRYPTION_KEY: this is not a Fernet key"),
    ],
)
def test_what_cannot_be_used_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError, match=r"^REGISTRY_META|^REDIS") as caught:
        environment.read(environ)

    assert message in str(caught.value)


def test_every_variable_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "ca.pem").write_text("PEM")

    settings = environment.read(
        {
            "REGISTRY_META_SECRET_KEY_FILE": str(tmp_path / "key"),
            "REGISTRY_META_UPSTREAM_CA_BUNDLE_FILE": str(tmp_path / "ca.pem"),
        }
    )

    assert settings.secret_key == "s3cret"
    assert settings.upstream_ca_bundle == tmp_path / "ca.pem"


def test_what_is_secret_is_not_shown() -> None:
    key = keys.new_fernet_key()
    settings = environment.read(
        {
            "DATABASE_URL": "postgres://u:hidden@db/meta",
            "REDIS_URL": "redis://:hidden@cache",
            "REGISTRY_META_SECRET_KEY": "hidden",
            "REGISTRY_META_ENCRYPTION_KEY": key,
            "REGISTRY_META_PULL_SECRET": '{"auths":{"hidden":{}}}',
        }
    )

    assert "hidden" not in repr(settings)
    assert key not in repr(settings)


def test_networks_addresses_and_names_may_be_allowed() -> None:
    places = "10.0.0.0/8,fd00::/8,192.168.1.7,registry.corp,*.corp.example,registry"

    settings = environment.read({"REGISTRY_META_UPSTREAM_ALLOWED_NETWORKS": places})

    assert settings.upstream_allowed_networks == tuple(places.split(","))


def test_misspelt_settings_are_found() -> None:
    environ = {
        "REGISTRY_META_PROT": "1",
        "REGISTRY_META_PORT": "1",
        "REGISTRY_META_PORT_8443_TCP": "tcp://10.0.0.1:8443",
        "REGISTRY_META_SERVICE_HOST": "10.0.0.1",
        "PATH": "/bin",
    }

    assert environment.unknown(environ) == ["REGISTRY_META_PROT"]


def test_a_bad_setting_ends_a_command_with_one_line(tmp_path: Path) -> None:
    environ = {**os.environ, "REGISTRY_META_DATA_DIR": str(tmp_path), "REGISTRY_META_PORT": "none"}
    environ["DJANGO_SETTINGS_MODULE"] = "registry_meta.settings"

    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert done.stderr == "error: REGISTRY_META_PORT: 'none' is not a whole number\n"


@pytest.mark.parametrize(("threads", "watches", "limit"), [(6144, 4096, 4096), (8, 4096, 6), (100, 10, 10), (1, 1, 1)])
def test_watches_leave_threads_for_the_rest(threads: int, watches: int, limit: int) -> None:
    assert Environment(web_threads=threads, max_watches=watches).watch_limit == limit
