from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from examples.consumer import is_signed
from imagestreams.triggers import events, webhook
from imagestreams.triggers.webhook import Answer, Dialer, Refused, Unreachable, check_target, is_public, post
from registry_meta import certificates
from registry_meta.environment import Environment
from tests.imagestreams.triggers.builders import UID, consumer, dripping, move
from tests.processes import free_port

BODY = events.body(move(), trigger_uid=UID)


def test_the_body_arrives_as_it_was_signed() -> None:
    headers = {"Content-Type": events.CONTENT_TYPE, events.SIGNATURE_HEADER: events.signature(BODY, b"key")}

    with consumer() as listening:
        answer = post(listening.url, BODY, headers, allow_private=True)

    assert answer == Answer(204)
    assert listening.bodies == [BODY]
    assert listening.requests[0]["Content-Type"] == "application/cloudevents+json"
    assert is_signed(BODY, listening.requests[0]["X-Registry-Meta-Signature-256"], b"key")


@pytest.mark.parametrize("status", [200, 404, 410, 500])
def test_an_answer_is_an_answer_whatever_its_status(status: int) -> None:
    with consumer(status) as listening:
        assert post(listening.url, BODY, {}, allow_private=True) == Answer(status)


def test_the_seconds_that_the_consumer_wants_are_read() -> None:
    with consumer(429, headers={"Retry-After": "120"}) as listening:
        assert post(listening.url, BODY, {}, allow_private=True) == Answer(429, 120)


def test_the_date_that_the_consumer_names_is_read() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    with consumer(503, headers={"Retry-After": date}) as listening:
        answer = post(listening.url, BODY, {}, allow_private=True)

    assert 90 <= answer.retry_after <= 100


@pytest.mark.parametrize("text", ["soon", "-5", "1.5", "", "Wed, 99 Foo 2026 00:00:00 GMT", "٣"])
def test_nonsense_names_no_time(text: str) -> None:
    assert webhook._retry_after(text) == 0


def test_redirects_are_not_followed() -> None:
    with consumer() as other, consumer(302, headers={"Location": other.url}) as listening:
        answer = post(listening.url, BODY, {}, allow_private=True)

    assert answer.status == 302
    assert other.bodies == []


def test_a_slow_consumer_is_not_waited_for() -> None:
    with consumer(delay=1) as listening, pytest.raises(Unreachable, match=r"did not answer within 0\.3 seconds"):
        post(listening.url, BODY, {}, allow_private=True, seconds=0.3)


def test_a_consumer_that_drips_is_cut_off_in_time() -> None:
    started = time.monotonic()

    with dripping(0.05) as url, pytest.raises(Unreachable, match=r"did not answer within 0\.4 seconds"):
        post(url, BODY, {}, allow_private=True, seconds=0.4)

    assert time.monotonic() - started < 2


def test_a_closed_port_is_said_so() -> None:
    with pytest.raises(Unreachable, match=r"no connection to the consumer: Connection refused"):
        post(f"http://127.0.0.1:{free_port()}/secret-path", BODY, {}, allow_private=True)


def test_an_unknown_host_is_unreachable_and_not_refused() -> None:
    with pytest.raises(Unreachable):
        post("http://nowhere.invalid/", BODY, {}, allow_private=False)
    check_target("http://nowhere.invalid/", allow_private=False)


def test_speaking_tls_to_a_plain_server_tells_nothing_of_the_url() -> None:
    with consumer() as listening, pytest.raises(Unreachable) as caught:
        post(listening.url.replace("http:", "https:"), BODY, {}, allow_private=True)

    assert "team=shop" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_certificate_of_nobody_known_is_not_trusted(tmp_path: Path) -> None:
    files = certificates.ensure(Environment(data_dir=tmp_path), now=datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)

    with consumer(tls=context) as listening, pytest.raises(Unreachable, match="the consumer is not trusted"):
        post(listening.url, BODY, {}, allow_private=True)

    assert listening.bodies == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254", "2130706433"])
def test_private_targets_are_refused(host: str) -> None:
    with pytest.raises(Refused):
        check_target(f"http://{host}:9090/", allow_private=False)
    with pytest.raises(Refused):
        post(f"http://{host}:9090/", BODY, {}, allow_private=False)


def test_nothing_reaches_a_refused_target() -> None:
    with consumer() as listening, pytest.raises(Refused):
        post(listening.url, BODY, {}, allow_private=False)

    assert listening.bodies == []


def test_private_targets_may_be_allowed() -> None:
    check_target("http://127.0.0.1:9090/", allow_private=True)


def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    with consumer() as listening, Dialer(allow_private=True, seconds=5) as dialer:
        connection = dialer.connect("localhost", listening.port)
        peer = connection.getpeername()
        connection.close()

    assert peer == ("127.0.0.1", listening.port)


def test_nothing_is_connected_to_after_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, Dialer(allow_private=True, seconds=0.01) as dialer:
        time.sleep(0.1)
        with pytest.raises(OSError, match="time"):
            dialer.connect("127.0.0.1", listening.getsockname()[1])


PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
SPECIAL = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "2002:7f00:1::", "2001:db8::1", "::ffff:169.254.169.254",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)
