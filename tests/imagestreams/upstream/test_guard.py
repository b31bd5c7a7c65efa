from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import pytest

from imagestreams.upstream import guard
from imagestreams.upstream.client import Limits, UpstreamClient
from imagestreams.upstream.errors import NotARegistry, Refused
from imagestreams.upstream.values import Repository
from tests.registries import Reply, Request, StandIn


@pytest.fixture
def careful() -> Iterator[UpstreamClient]:
    made = UpstreamClient(limits=Limits(), allow_private=False)
    yield made
    made.close()


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
    ],
)
def test_an_address_that_is_not_of_the_open_internet_is_not_public(text: str) -> None:
    assert not guard.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::1111", "2002:101:101::"])
def test_an_address_of_the_open_internet_is_public(text: str) -> None:
    assert guard.is_public(ipaddress.ip_address(text))


def test_the_public_addresses_of_a_host_are_kept() -> None:
    targets: list[guard.Target] = [
        (socket.AF_INET, ("10.0.0.1", 443)),
        (socket.AF_INET, ("1.1.1.1", 443)),
        (socket.AF_INET6, ("::1", 443, 0, 0)),
    ]

    assert guard.Guard().allowed("mixed.example", targets) == [targets[1]]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "127.1:{port}", "[::1]:{port}"])
@pytest.mark.parametrize("insecure", [False, True])
def test_this_machine_is_refused_under_any_name(careful: UpstreamClient, host: str, insecure: bool) -> None:
    with StandIn(lambda request: Reply(200, "{}")) as server:
        port = server.host.rpartition(":")[2]
        repository = careful.repository(Repository(host.format(port=port), "a/b"), insecure=insecure)

        with pytest.raises(Refused, match="private or local"):
            repository.manifest("latest")

        assert server.connections == 0


def test_the_connection_goes_to_the_address_that_was_judged(
    careful: UpstreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "1.1.1.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with StandIn(lambda request: Reply(200, "{}")) as server:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        repository = careful.repository(Repository(server.host.replace("127.0.0.1", "rebind.example"), "a/b"))

        with pytest.raises(Refused):
            repository.manifest("latest")

    assert asked == ["rebind.example"]
    assert server.connections == 0


@pytest.mark.parametrize(
    ("allowed", "address", "passes"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "192.168.1.1", False),
        ("10.0.0.7/8", "10.1.2.3", True),
        ("10.0.0.5", "10.0.0.5", True),
        ("10.0.0.5", "10.0.0.6", False),
        ("fd00::/8", "fd00::1", True),
        ("fd00::/8", "10.0.0.1", False),
        ("registry.corp", "10.0.0.1", True),
        ("REGISTRY.corp.", "10.0.0.1", True),
        ("*.corp", "10.0.0.1", True),
        ("*.registry.corp", "10.0.0.1", False),
        ("corp", "10.0.0.1", False),
    ],
)
def test_networks_and_names_may_be_allowed(allowed: str, address: str, passes: bool) -> None:
    made = guard.Guard.allowing([allowed])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    targets: list[guard.Target] = [(family, (address, 443))]

    if passes:
        assert made.allowed("registry.corp", targets) == targets
    else:
        with pytest.raises(Refused):
            made.allowed("registry.corp", targets)


@pytest.mark.parametrize("allowed", ["127.0.0.0/8", "127.0.0.1", "localhost"])
def test_a_registry_in_an_allowed_network_is_reached_and_no_other(allowed: str) -> None:
    body = Reply(200, "{}", {"Docker-Content-Digest": "sha256:1"})
    with StandIn(lambda request: body) as server:
        host = server.host.replace("127.0.0.1", "localhost") if allowed == "localhost" else server.host
        client = UpstreamClient(limits=Limits(), allow_private=False, allowed=[allowed])
        assert client.repository(Repository(host, "a/b"), insecure=True).head("v1") == "sha256:1"

        with pytest.raises(Refused):
            client.repository(Repository("[::1]:1", "a/b"), insecure=True).head("v1")
        client.close()


@pytest.mark.parametrize("way", ["redirect", "realm", "link"])
def test_what_a_registry_names_is_judged_as_well(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    with StandIn(lambda request: Reply(200, "{}")) as inner:
        aim = f"{inner.base}/secret"
        challenge = {"WWW-Authenticate": f'Bearer realm="{aim}",service="r"'}

        def answer(request: Request) -> Reply:
            if request.path == "/v2/" or way == "link":
                return Reply(200, '{"tags": ["a"]}', {"Link": f"<{aim}>"})
            return Reply(401, "{}", challenge) if way == "realm" else Reply(307, "", {"Location": aim})

        def resolved(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        with StandIn(answer) as server:
            monkeypatch.setattr(socket, "getaddrinfo", resolved)
            client = UpstreamClient(limits=Limits(), allow_private=False, allowed=["registry.example"])
            host = server.host.replace("127.0.0.1", "registry.example")
            with pytest.raises(Refused, match="private or local"):
                list(client.repository(Repository(host, "a/b"), insecure=True).tags())
            client.close()

        assert inner.connections == 0


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    def forward(request: Request) -> Reply:
        return Reply(404, "", {"X-Asked": request.path})

    with StandIn(forward) as server:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, server.base)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield server


def test_behind_a_proxy_a_local_host_is_refused(careful: UpstreamClient, proxy: StandIn) -> None:
    repository = careful.repository(Repository("127.1:1", "a/b"), insecure=True)

    with pytest.raises(Refused):
        repository.manifest("latest")

    assert proxy.connections == 0


def test_a_host_that_only_the_proxy_knows_is_left_to_it(careful: UpstreamClient, proxy: StandIn) -> None:
    repository = careful.repository(Repository("registry.invalid", "a/b"), insecure=True)

    with pytest.raises(NotARegistry):
        repository.manifest("latest")

    assert [request.headers["host"] for request in proxy.requests] == ["registry.invalid"]
