"""Takes the time from a server's exec to the first connection that it answers, and its memory at that moment."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.load import Outcome, RunFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.servers.interface import Running

_DEADLINE: Final = 30.0
_REQUEST: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{subprotocol}\r\n"
)
_SUBPROTOCOL: Final = "Sec-WebSocket-Protocol: wamp.2.json\r\n"


def run(server: Running, arguments: Sequence[str]) -> Outcome:  # noqa: ARG001 - the generator isn't asked here
    """How long ago a server's first process began, once it has answered an upgrade.

    The kernel notes when a process begins in steps of 10 ms. The rest of a
    server's processes are part of the memory.

    Raises:
        RunFailed: it doesn't answer, or refuses.
    """
    try:
        _upgrade(server)
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - _began(server.processes[0])
        resident = sum(_resident_bytes(process) for process in server.processes)
    except OSError as error:
        raise RunFailed(f"no answer to the first connection: {error}") from None
    return Outcome.of_start(seconds, resident)


def _upgrade(server: Running) -> None:
    foreign = "--protocol" in server.options
    request = _REQUEST.format(path=server.path, port=server.port, subprotocol="" if foreign else _SUBPROTOCOL)
    with socket.create_connection(("127.0.0.1", server.port), timeout=_DEADLINE) as connection:
        connection.sendall(request.encode())
        answer = b""
        while b"\r\n" not in answer:
            received = connection.recv(4096)
            if not received:
                raise RunFailed("the first connection was closed without an answer")
            answer += received
    status = answer.partition(b"\r\n")[0].decode(errors="replace")
    if " 101" not in status:
        raise RunFailed(f"the first connection was refused: {status}")


def _began(process: int) -> float:
    """When a process began, by the clock that runs since the machine was started, in seconds."""
    # The name, in parentheses, may contain anything; the 22nd field is the 20th behind it.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))
