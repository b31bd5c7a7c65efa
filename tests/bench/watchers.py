"""Many watches in one process, read through raw sockets so that reading them costs next to nothing.

    python -m tests.bench.watchers HOST PORT CA TOKEN-FILE PATH COUNT

Prints `open` once every watch is established. Then, for each line on standard input, which is a text that a frame will
hold: waits until every watch has received it, and prints the times (seconds of the monotonic clock of the machine) as
one JSON list.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CONNECTING = 16
PATIENCE = 60.0


def connect(host: str, port: int, context: ssl.SSLContext, request: bytes) -> ssl.SSLSocket:
    """Open a watch and read its headers."""
    sock = context.wrap_socket(socket.create_connection((host, port), timeout=PATIENCE), server_hostname=host)
    sock.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        block = sock.recv(4096)
        if not block:
            raise ConnectionError(f"the watch was not opened: {received[:200]!r}")
        received += block
    status = received.split(b"\r\n", 1)[0]
    if b" 200" not in status:
        raise ConnectionError(f"the watch was refused: {received[:500]!r}")
    sock.setblocking(False)
    return sock


def arrivals(sockets: list[ssl.SSLSocket], selector: selectors.BaseSelector, marker: bytes) -> list[float]:
    """Return when each watch had received a text."""
    pending = dict.fromkeys(sockets, b"")
    times: list[float] = []
    deadline = time.monotonic() + PATIENCE
    while pending:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(pending)} of {len(sockets)} watches did not receive the change")
        for key, _ in selector.select(1.0):
            sock = key.fileobj
            assert isinstance(sock, ssl.SSLSocket)
            data = received(sock)
            if sock in pending and marker in (held := pending[sock] + data):
                times.append(time.monotonic())
                del pending[sock]
            elif sock in pending:
                pending[sock] = held[-65536:]
    return times


def received(sock: ssl.SSLSocket) -> bytes:
    """Return everything that a socket has now."""
    data = b""
    while True:
        try:
            block = sock.recv(65536)
        except ssl.SSLWantReadError:
            return data
        if not block:
            raise ConnectionError("the server ended a watch")
        data += block
        if not sock.pending():
            return data


def main(host: str, port: str, authority: str, token_file: str, path: str, count: str) -> None:
    """Open the watches and report arrivals until standard input ends."""
    context = ssl.create_default_context(cafile=authority)
    token = Path(token_file).read_text().strip()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: application/json\r\nUser-Agent: watchers\r\n\r\n"
    ).encode()
    with ThreadPoolExecutor(CONNECTING) as pool:
        sockets = list(pool.map(lambda _: connect(host, int(port), context, request), range(int(count))))
    selector = selectors.DefaultSelector()
    for sock in sockets:
        selector.register(sock, selectors.EVENT_READ)
    print("open", flush=True)
    for line in sys.stdin:
        print(json.dumps(arrivals(sockets, selector, line.strip().encode())), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
