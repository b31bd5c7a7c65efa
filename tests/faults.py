"""What can go wrong with a request on its way to a registry: acts for `tests.fault_proxy`."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable, Mapping

from tests.fault_proxy import Act, Exchange
from tests.registries import Reply

JSON = {"Content-Type": "application/json"}
HTML = "<html><body>Come back later.</body></html>"
SLOWLY = 0.05
"""The seconds between two bytes of an answer that drips."""
BLOCK = 64 * 1024


# --- answers of the proxy's own


def answer(status: int, body: object = "", **headers: str) -> Act:
    """Answer with a status; a body that is no text is sent as JSON. `Retry_After="3"` is a header."""
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = (
        JSON if not isinstance(body, str) else {"Content-Type": "text/html" if body.startswith("<") else "text/plain"}
    )
    return lambda exchange: exchange.send(Reply(status, text, {**kind, **named}))


def refusal(status: int, code: str, message: str = "", **headers: str) -> Act:
    """Answer as registries do, with a list of one error."""
    return answer(status, {"errors": [{"code": code, "message": message or code.lower().replace("_", " ")}]}, **headers)


def limited_until_later(seconds: int) -> Act:
    """Answer 429 with the moment, as a date, from which on the registry may be asked again."""

    def act(exchange: Exchange) -> None:
        later = email.utils.formatdate(time.time() + seconds, usegmt=True)
        exchange.send(Reply(429, "slow down", {"Retry-After": later}))

    return act


def redirect(where: str) -> Act:
    """Redirect to a URL, in which `{path}` stands for that of the request."""

    def act(exchange: Exchange) -> None:
        exchange.send(Reply(307, "", {"Location": where.format(path=exchange.path)}))

    return act


def elsewhere(path: str) -> Act:
    """Ask the server for another path, with the same query."""
    return lambda exchange: exchange.send(exchange.ask(f"{path}?{exchange.path.partition('?')[2]}"))


# --- connections that end, or do not


def hang_up(exchange: Exchange) -> None:
    """End the connection without an answer."""


def reset(exchange: Exchange) -> None:
    """Reset the connection before the answer."""
    exchange.reset()


def reset_in_body(exchange: Exchange) -> None:
    """Reset the connection in the middle of the answer."""
    _half(exchange)
    time.sleep(SLOWLY)
    exchange.reset()


def truncate(exchange: Exchange) -> None:
    """End the connection in the middle of the answer."""
    _half(exchange)


def truncate_chunks(exchange: Exchange) -> None:
    """End the connection in the middle of a chunk of the answer."""
    reply = exchange.ask()
    exchange.begin(reply.status, reply.headers, length=None)
    data = _bytes(reply)
    exchange.wfile.write(f"{len(data):x}\r\n".encode() + data[: len(data) // 2])


def stall(exchange: Exchange) -> None:
    """Say nothing until the fault is mended."""
    exchange.wait()


def stall_in_body(exchange: Exchange) -> None:
    """Stop in the middle of the answer until the fault is mended."""
    _half(exchange)
    exchange.wfile.flush()
    exchange.wait()


def drip(exchange: Exchange) -> None:
    """Send the answer byte by byte, so slowly that no single pause is long."""
    reply = exchange.ask()
    exchange.begin(reply.status, reply.headers, length=len(_bytes(reply)))
    for byte in _bytes(reply) if exchange.command != "HEAD" else b"":
        exchange.wfile.write(bytes([byte]))
        exchange.wait(SLOWLY)


def endless(exchange: Exchange) -> None:
    """Send an answer that has no end."""
    exchange.begin(200, exchange.ask().headers, length=None)
    while exchange.command != "HEAD" and not exchange.proxy.mended.is_set():
        exchange.wfile.write(f"{BLOCK:x}\r\n".encode() + b" " * BLOCK + b"\r\n")


def _half(exchange: Exchange) -> None:
    reply = exchange.ask()
    data = _bytes(reply)
    exchange.begin(reply.status, reply.headers, length=len(data))
    if exchange.command != "HEAD":
        exchange.wfile.write(data[: len(data) // 2])
        exchange.wfile.flush()


# --- answers that are not what they should be


def altered(change: Callable[[Reply], Reply]) -> Act:
    """Change the real answer on its way."""
    return lambda exchange: exchange.send(change(exchange.ask()))


def with_body(change: Callable[[bytes], bytes]) -> Act:
    """Change the body of the real answer."""
    return altered(lambda reply: Reply(reply.status, change(_bytes(reply)), reply.headers))


def with_headers(**headers: str | None) -> Act:
    """Replace headers of the real answer; None takes one away."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def change(reply: Reply) -> Reply:
        kept = {name: value for name, value in reply.headers.items() if name.lower() not in {n.lower() for n in named}}
        return Reply(
            reply.status, reply.body, {**kept, **{n: value for n, value in named.items() if value is not None}}
        )

    return altered(change)


def spoil(body: bytes) -> bytes:
    """Return bytes of the same length of which one, in the middle, is another."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def with_tags(change: Callable[[list[str]], list[str]], **headers: str) -> Act:
    """Change the list of tags in the real answer."""

    def changed(reply: Reply) -> Reply:
        document = json.loads(_bytes(reply))
        document["tags"] = change(list(document.get("tags") or []))
        kept: Mapping[str, str | list[str]] = {name: value for name, value in reply.headers.items() if name != "Link"}
        return Reply(reply.status, json.dumps(document), {**kept, **headers})

    return altered(changed)


def _bytes(reply: Reply) -> bytes:
    return reply.body.encode() if isinstance(reply.body, str) else reply.body
