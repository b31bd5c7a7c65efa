"""The pools of connections below the client: TLS set up once, and every address judged when that is wanted."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import ProxyManager

from imagestreams.upstream import pools
from imagestreams.upstream.errors import Untrusted
from imagestreams.upstream.guard import Guard

POOLED_HOSTS = 64


class Session(requests.Session):
    """A session that threads may share: it keeps no cookies, reads no `.netrc`, and leaves redirects to its user."""

    def __init__(self, adapter: HTTPAdapter) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.clear()
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: requests would read the whole body of a redirect, however large, to prepare the next request."""
        return


class Adapter(HTTPAdapter):
    """Connection pools, one for each host and trust; `verify` of a request says whether certificates are verified."""

    def __init__(self, *, connections: int, guard: Guard, ca_bundle: Path | None) -> None:
        self._pools = pools.guarded(guard)
        self.authorities = Authorities(ca_bundle)
        self._trustful = blind_trust()
        super().__init__(pool_connections=POOLED_HOSTS, pool_maxsize=connections)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object) -> None:
        """Make the pools."""
        super().init_poolmanager(connections, maxsize, block)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> ProxyManager:
        """Return the pools behind a proxy, which is the administrator's choice and may have any address."""
        manager: ProxyManager = super().proxy_manager_for(proxy)
        manager.pool_classes_by_scheme = pools.guarded(Guard(anything=True))
        return manager

    def build_connection_pool_key_attributes(  # type: ignore[override]  # the stubs know no TLS context in the key
        self, request: requests.PreparedRequest, verify: object, cert: object = None
    ) -> tuple[Mapping[str, object], dict[str, object]]:
        """Return what tells pools apart: where they lead, and whether the certificate there is verified."""
        host, _ = super().build_connection_pool_key_attributes(request, True)
        return host, {"ssl_context": self.authorities.context(request.url or "") if verify else self._trustful}

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Leave the pool as it is: its TLS context says everything."""


class Authorities:
    """Whom to trust with which host: the usual authorities, and for some hosts others in addition."""

    def __init__(self, ca_bundle: Path | None) -> None:
        self._ca_bundle = ca_bundle
        self._usual = trust(ca_bundle)
        self._texts: Mapping[str, str] = {}
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    def add(self, texts: Mapping[str, str]) -> None:
        """Trust, from now on, the authorities (PEM) of a `host[:port]` with it, and no longer those that were added."""
        if texts != self._texts:
            self._texts = {host.lower().removesuffix(":443"): text for host, text in texts.items()}
            # Of those that are still trusted the connections go on.
            self._contexts = {key: made for key, made in self._contexts.items() if self._texts.get(key[0]) == key[1]}

    def context(self, url: str) -> ssl.SSLContext:
        """Return what verifies the host of a URL; raises Untrusted when what was added for it is no certificate."""
        host = urlsplit(url).netloc.rpartition("@")[2].lower().removesuffix(":443")
        text = self._texts.get(host)
        if text is None:
            return self._usual
        made = self._contexts.get((host, text))
        if made is None:
            made = self._contexts.setdefault((host, text), self._extended(host, text))
        return made

    def _extended(self, host: str, text: str) -> ssl.SSLContext:
        context = trust(self._ca_bundle)
        try:
            context.load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            words = f"tls: the authorities that are to be trusted for {host} in addition are no certificates"
            raise Untrusted(words) from error
        return context


def trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return what verifies certificates: by a bundle, else by the system's authorities, else by those of certifi."""
    if ca_bundle is not None:
        return ssl.create_default_context(cafile=str(ca_bundle))
    system = ssl.get_default_verify_paths()
    if system.cafile or (system.capath and any(Path(system.capath).iterdir())):
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


def blind_trust() -> ssl.SSLContext:
    """Return what accepts every certificate, for registries that are marked insecure."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
