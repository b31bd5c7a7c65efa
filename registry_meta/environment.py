"""Every setting of the server, read from environment variables into one frozen value."""

# ruff: noqa: RUF009  # `setting` is `dataclasses.field` with words

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

PREFIX = "REGISTRY_META_"
UNPREFIXED = frozenset({"database_url", "redis_url"})
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})

PLATFORM = re.compile(r"^[a-z0-9]+/[a-z0-9]+$")
CLOUD_ENDPOINT = re.compile(
    r"(ecr|ecr-public|sts|aws-metadata|google|google-metadata|entra|azure-metadata)=https?://[^\s/?#@]+[^\s?#]*"
)
# The last label of a name is no number, so that a mistyped address is no name.
NETWORK_NAME = re.compile(r"^(\*\.)?([A-Za-z0-9_-]+\.)*[A-Za-z][A-Za-z0-9-]*\.?$")
FERNET_KEY = re.compile(r"^[A-Za-z0-9_-]{43}=$")

# Kubernetes gives each container variables of the services beside it: `REGISTRY_META_PORT=tcp://…` and more.
SERVICE_LINK = re.compile(PREFIX + r"(SERVICE_|PORT_\d)")
LINKED_PORT = "tcp://"

Value = TypeVar("Value")


SIGN_OF_LIFE = "tasks.alive"
"""The file in the data directory that a worker touches when the clock asks it to."""


class SettingError(ValueError):
    """A setting that cannot be used; its message is one line that names the variable."""


class ImportMode(StrEnum):
    """What an import keeps of a multi-platform image (`spec.tags[].importPolicy.importMode`)."""

    LEGACY = "Legacy"
    PRESERVE_ORIGINAL = "PreserveOriginal"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def setting(
    default: Value, description: str, *, minimum: int = 0, maximum: int = 2**31 - 1, secret: bool = False
) -> Value:
    """Declare a setting: its default, its one-sentence description, and the bounds of a number."""
    metadata = {"description": description, "minimum": minimum, "maximum": maximum}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings of one process; the variable of `data_dir` is `REGISTRY_META_DATA_DIR`, and so on.

    Every variable may be given as `…_FILE` instead, the path of a file that holds the value.
    """

    data_dir: Path = setting(Path("data"), "The directory of the database, the keys and the queue.")
    bind: str = setting("127.0.0.1", "The address to listen on.")
    port: int = setting(8443, "The port to listen on.", minimum=1, maximum=65535)
    public_url: str = setting("", "The URL at which clients reach the server; empty for `https://127.0.0.1:PORT`.")
    former_urls: tuple[str, ...] = setting(
        (), "The URLs that the public one was before, separated by commas: tokens issued under them stay valid."
    )
    database_url: str = setting(
        "", "The PostgreSQL database, `postgres://user:password@host:port/name`; empty for SQLite.", secret=True
    )
    redis_url: str = setting(
        "",
        "The Redis server that carries messages between processes; empty for files in the data directory.",
        secret=True,
    )
    web_workers: int = setting(2, "The number of web processes.", minimum=1)
    web_threads: int = setting(6144, "The most requests, watches included, that one web process holds.", minimum=1)
    max_watches: int = setting(
        4096,
        "The most watches that one web process holds, and never more than three quarters of its threads.",
        minimum=1,
    )
    max_requests_inflight: int = setting(
        400, "The most requests, without watches and imports, that one web process has under way; 0 for no limit."
    )
    request_timeout: int = setting(
        60,
        "The most seconds that a request may take, watches and imports not counted; then it is answered 504.",
        minimum=1,
    )
    shutdown_delay: int = setting(
        0, "The seconds between the end of being ready and the end of listening, when the server is told to end."
    )
    shutdown_grace: int = setting(
        10, "The seconds that requests under way then have before they are cut; watches end at once.", minimum=1
    )
    worker_concurrency: int = setting(8, "The number of tasks that a worker process does at a time.", minimum=1)
    database_connections: int = setting(12, "The most connections that one process opens to PostgreSQL.", minimum=2)
    internal_registry_hostname: str = setting(
        "", "The host name and port of the integrated registry inside the cluster; empty for none."
    )
    external_registry_hostname: str = setting(
        "", "The host name and port of the integrated registry for clients outside; empty for none."
    )
    import_mode: ImportMode = setting(ImportMode.LEGACY, "The import mode of tags that name none.")
    default_platform: str = setting(
        "linux/amd64", "The platform that a Legacy import picks from a multi-platform image, `os/architecture`."
    )
    scheduled_import_interval: int = setting(
        900, "The seconds between two looks at a tag that is imported on schedule.", minimum=1
    )
    shortest_import_interval: int = setting(
        60, "The fewest seconds between two looks that the annotation of a tag may ask for.", minimum=1
    )
    max_images_bulk_imported_per_repository: int = setting(
        50, "The most tags that one import of a whole repository brings in; 0 for no limit."
    )
    allow_private_networks: bool = setting(
        False, "Whether imports and webhooks may reach loopback, link-local and private addresses."
    )
    upstream_allowed_networks: tuple[str, ...] = setting(
        (), "The private networks, addresses and host names (`*.` before some) that imports may reach all the same."
    )
    upstream_concurrency: int = setting(8, "The most requests at a time to one upstream registry.", minimum=1)
    upstream_connect_timeout: int = setting(
        15, "The most seconds that a connection to an upstream registry may take.", minimum=1
    )
    upstream_read_timeout: int = setting(
        30, "The most seconds that an upstream registry may pause within an answer.", minimum=1
    )
    upstream_timeout: int = setting(
        120, "The most seconds for one request to an upstream registry, with its repeats and redirects.", minimum=1
    )
    upstream_requests_per_second: int = setting(
        50, "The most requests a second to one upstream registry, of all processes that share Redis; 0 for no limit."
    )
    upstream_ca_bundle: Path | None = setting(
        None, "The PEM file of the authorities trusted for upstream registries; empty for the usual ones."
    )
    pull_secret: str = setting(
        "",
        "The credentials for upstream registries that imports may use, as a `config.json` of Docker.",
        secret=True,
    )
    pull_secret_namespaces: tuple[str, ...] = setting(
        (),
        "The namespaces whose imports may use these credentials, separated by commas, as names or globs such as"
        " `team-*`; empty for all, `none` for none.",
    )
    cloud_endpoints: tuple[str, ...] = setting(
        (), "The addresses that replace those of the token services of clouds, as `NAME=URL`, separated by commas."
    )
    cloud_metadata: bool = setting(
        False, "Whether the server's own identity at a cloud may come from the metadata service of its machine."
    )
    tls_cert: Path | None = setting(
        None, "The PEM file of the server's certificate chain; empty for one signed by an authority made here."
    )
    tls_key: Path | None = setting(None, "The PEM file of the key of that certificate, in PKCS#8.")
    tls_names: tuple[str, ...] = setting(
        (), "The further host names and addresses, separated by commas, that the certificate made here names."
    )
    identity_providers: Path | None = setting(
        None, "The YAML file of the OpenID Connect providers that people may log in with; empty for passwords alone."
    )
    authentication_config: Path | None = setting(
        None, "The YAML file of outside issuers whose tokens count, an `AuthenticationConfiguration` of Kubernetes."
    )
    secret_key: str = setting(
        "",
        "The key that signs what clients bring back, such as continue tokens; empty for one made at first.",
        secret=True,
    )
    encryption_key: str = setting(
        "",
        "The Fernet keys for secrets at rest, separated by commas, the newest first; empty for one made likewise.",
        secret=True,
    )
    project_request_message: str = setting(
        "", "What those are told who may not request a project; empty for OpenShift's own words."
    )
    change_retention: int = setting(
        3600, "The seconds for which changes are kept for watches and list continuations.", minimum=60
    )
    event_ttl: int = setting(3600, "The seconds for which Events are kept.", minimum=60)
    log_level: LogLevel = setting(LogLevel.INFO, "How much is logged: `debug`, `info`, `warning` or `error`.")

    requestheader_port: int = setting(
        0, "The port of the listener whose clients may say for whom they ask; 0 for none.", maximum=65535
    )
    requestheader_client_ca: Path | None = setting(
        None, "The PEM file of the authority whose certificates the clients of that listener must have."
    )
    requestheader_allowed_names: tuple[str, ...] = setting(
        (), "Must be empty: names in these certificates cannot be checked, so none may be relied on."
    )

    audit_log: str = setting("", "The absolute path of the file that says who changed what; empty for standard error.")

    @property
    def watch_limit(self) -> int:
        """Return how many watches one web process holds: a quarter of its threads, one at least, is for the rest."""
        return max(1, min(self.max_watches, self.web_threads * 3 // 4))

    @property
    def server_origin(self) -> str:
        """Return the scheme, the host and the port of that URL."""
        parts = urlsplit(self.server_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def server_url(self) -> str:
        """Return the URL that the kubeconfig made here names."""
        return self.public_url.rstrip("/") or f"https://{loopback(self.bind)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Variable:
    """What is declared of one environment variable."""

    name: str
    attribute: str
    kind: object
    default: object
    description: str
    minimum: int
    maximum: int


def loopback(bind: str) -> str:
    """Return the address at which this machine reaches a server bound to `bind`, in brackets if IPv6."""
    if bind in {"", "0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{bind}]" if ":" in bind else bind


def variables() -> tuple[Variable, ...]:
    """Return every variable in the order of its declaration."""
    kinds = typing.get_type_hints(Environment)
    return tuple(
        Variable(
            name=field.name.upper() if field.name in UNPREFIXED else PREFIX + field.name.upper(),
            attribute=field.name,
            kind=kinds[field.name],
            default=field.default,
            description=field.metadata["description"],
            minimum=field.metadata["minimum"],
            maximum=field.metadata["maximum"],
        )
        for field in dataclasses.fields(Environment)
    )


def read(environ: Mapping[str, str] = os.environ) -> Environment:
    """Return the settings that `environ` holds; raises SettingError for what cannot be used."""
    given = {variable: _given(variable, environ) for variable in variables()}
    values = {variable.attribute: _parsed(variable, text) for variable, text in given.items() if text}
    environment = Environment(**values)  # type: ignore[arg-type]  # each value is parsed by its own declared type
    _check(environment)
    return dataclasses.replace(environment, data_dir=environment.data_dir.absolute())


def _check(environment: Environment) -> None:
    """Raise SettingError for values that do not fit together or have a form of their own."""
    if (environment.tls_cert is None) != (environment.tls_key is None):
        raise SettingError(f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY: give both or neither")
    if not PLATFORM.match(environment.default_platform):
        raise SettingError(f"{PREFIX}DEFAULT_PLATFORM: {environment.default_platform!r} is not os/architecture")
    for endpoint in environment.cloud_endpoints:
        if not CLOUD_ENDPOINT.fullmatch(endpoint):
            raise SettingError(f"{PREFIX}CLOUD_ENDPOINTS: {endpoint!r} is not the name of a service, = and a URL")
    if not all(FERNET_KEY.match(key.strip()) for key in environment.encryption_key.split(",") if key.strip()):
        raise SettingError(f"{PREFIX}ENCRYPTION_KEY: this is not a Fernet key (32 bytes in URL-safe base64)")
    for place in environment.upstream_allowed_networks:
        if not NETWORK_NAME.match(place) and not _is_network(place):
            raise SettingError(f"{PREFIX}UPSTREAM_ALLOWED_NETWORKS: {place!r} is no network, address or host name")
    if (environment.requestheader_port == 0) != (environment.requestheader_client_ca is None):
        raise SettingError(f"{PREFIX}REQUESTHEADER_PORT and {PREFIX}REQUESTHEADER_CLIENT_CA: give both or neither")
    if environment.requestheader_allowed_names:
        raise SettingError(f"{PREFIX}REQUESTHEADER_ALLOWED_NAMES: names cannot be checked; use an authority of its own")
    if environment.audit_log:
        path = Path(environment.audit_log)
        if not path.is_absolute() or not path.parent.is_dir() or path.is_dir():
            raise SettingError(f"{PREFIX}AUDIT_LOG: {path} is no absolute path of a file in a directory that exists")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def unknown(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the variables that look like settings and are none, for a warning about misspellings."""
    names = {name for variable in variables() for name in (variable.name, f"{variable.name}_FILE")}
    return sorted(
        name for name in environ if name.startswith(PREFIX) and name not in names and not SERVICE_LINK.match(name)
    )


def _given(variable: Variable, environ: Mapping[str, str]) -> str:
    """Return the text of a variable or of its `_FILE`; for a variable that is a file the two mean the same."""
    text = environ.get(variable.name, "").strip()
    if variable.kind is int and text.startswith(LINKED_PORT):
        text = ""
    path = environ.get(f"{variable.name}_FILE", "").strip()
    if not path:
        return text
    if text:
        raise SettingError(f"{variable.name} and {variable.name}_FILE: give one or the other")
    if variable.kind == Path | None:
        return path
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{variable.name}_FILE: {path} cannot be read ({_why(error)})") from error


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "unknown error") if isinstance(error, OSError) else "not UTF-8 text"


def _parsed(variable: Variable, text: str) -> object:
    """Return the value of a text, by the type of its variable."""
    kind = variable.kind
    if kind is bool:
        return _boolean(variable, text)
    if kind is int:
        return _integer(variable, text)
    if kind is Path:
        return Path(text)
    if isinstance(kind, types.UnionType):
        return _file(variable, Path(text))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _choice(variable, kind, text)
    if kind is str:
        return text
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _boolean(variable: Variable, text: str) -> bool:
    if text.lower() in TRUE | FALSE:
        return text.lower() in TRUE
    raise SettingError(f"{variable.name}: {text!r} is neither true nor false")


def _integer(variable: Variable, text: str) -> int:
    try:
        number = int(text)
    except ValueError as error:
        raise SettingError(f"{variable.name}: {text!r} is not a whole number") from error
    if number < variable.minimum:
        raise SettingError(f"{variable.name}: {number} is less than {variable.minimum}")
    if number > variable.maximum:
        raise SettingError(f"{variable.name}: {number} is more than {variable.maximum}")
    return number


def _file(variable: Variable, path: Path) -> Path:
    if not path.is_file():
        raise SettingError(f"{variable.name}: there is no file {path}")
    return path.absolute()


def _choice(variable: Variable, kind: type[StrEnum], text: str) -> StrEnum:
    for member in kind:
        if member.value.lower() == text.lower():
            return member
    listed = ", ".join(member.value for member in kind)
    raise SettingError(f"{variable.name}: {text!r} is none of {listed}")
