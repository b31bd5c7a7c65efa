"""The examples are run as their readers run them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import yaml

from imagestreams.api.imagetrigger import ImageTrigger, source_problems, webhook_problems
from imagestreams.triggers import events
from imagestreams.triggers.webhook import post
from tests.imagestreams.triggers.builders import UID, move
from tests.processes import Program, free_port, wait_until
from tests.server import ROOT

KEY = b"not-a-secret-any-more"
BODY = events.body(move("b", ""), trigger_uid=UID)


@contextmanager
def example(tmp_path: Path) -> Iterator[tuple[str, Program]]:
    """Run the example; yields its URL and the program."""
    port = free_port()
    command: list[str | Path] = [sys.executable, ROOT / "examples" / "consumer.py", "--port", str(port)]
    program = Program(
        [*command, "--seen", tmp_path / "seen"],
        log=tmp_path / f"{port}.log",
        environ={**os.environ, "REGISTRY_META_KEY": KEY.decode()},
    )
    try:
        program.wait_ready(lambda: "listening" in program.tail())
        yield f"http://127.0.0.1:{port}/", program
    finally:
        program.stop()


def send(url: str, body: bytes, key: bytes = KEY) -> int:
    headers = {"Content-Type": events.CONTENT_TYPE, events.SIGNATURE_HEADER: events.signature(body, key)}
    return post(url, body, headers, allow_private=True).status


def test_the_consumer_prints_what_moved_once_and_remembers_it(tmp_path: Path) -> None:
    with example(tmp_path) as (url, program):
        assert [send(url, BODY), send(url, BODY)] == [204, 204]
        wait_until(lambda: "moved from nothing to" in program.tail(), seconds=5, what="the move is printed")
    with example(tmp_path) as (url, program):
        assert send(url, BODY) == 204
        assert "moved" not in program.tail()


def test_the_consumer_believes_nobody_without_the_key(tmp_path: Path) -> None:
    with example(tmp_path) as (url, program):
        assert send(url, BODY, b"another key") == 401
        assert post(url, BODY, {}, allow_private=True).status == 401
        assert [send(url, b"{}"), send(url, b"nonsense")] == [400, 400]
        assert "moved" not in program.tail()


def test_the_demonstration_fits_together() -> None:
    documents = list(yaml.safe_load_all((ROOT / "examples" / "demo.yaml").read_text()))
    secret, stream, demonstrated = documents
    trigger = msgspec.convert(
        {key: value for key, value in demonstrated.items() if key not in ("apiVersion", "kind")}, ImageTrigger
    )

    assert [document["kind"] for document in documents] == ["Secret", "ImageStream", "ImageTrigger"]
    assert source_problems(trigger.spec.from_) + webhook_problems(trigger.spec.webhook) == []
    name, _, tag = trigger.spec.from_.name.partition(":")
    assert name == stream["metadata"]["name"]
    assert tag in [each["name"] for each in stream["spec"]["tags"]]
    assert trigger.spec.webhook is not None
    assert trigger.spec.webhook.secret_ref is not None
    assert trigger.spec.webhook.secret_ref.name == secret["metadata"]["name"]
    assert secret["stringData"][trigger.spec.webhook.secret_ref.key] == KEY.decode()
