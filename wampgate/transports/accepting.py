"""How a listening socket ends and refuses nobody: who waits is let in, and who comes then goes to the next one."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
from contextlib import suppress
from typing import Any, Final

from twisted.internet.task import deferLater

_MOST: Final = 100_000
"""So many connections are let in at most: a flood must not keep the socket from closing."""

_STEER: Final = getattr(socket, "SO_ATTACH_REUSEPORT_CBPF", 51)
_STEER_NO_MORE: Final = getattr(socket, "SO_DETACH_REUSEPORT_BPF", 68)
"""Linux' numbers, which Python's socket module has no names for."""

_TO_THE_SECOND: Final = struct.pack("=HBBI", 0x06, 0, 0, 1)
"""One instruction of the classic packet filter, ``return 1``: of the sockets that share a port, the second one."""

_ON_THEIR_WAY_SECONDS: Final = 0.5
"""So long the handshakes may take that had begun before connections went elsewhere."""


def accept_all(listening: Any) -> None:
    """Let everyone in who waits to be accepted; what would be left would be reset when the socket closes.

    Args:
        listening: a listening port of Twisted's.
    """
    try:
        waits = select.poll()
        waits.register(listening.fileno(), select.POLLIN)
    except (OSError, ValueError):  # it is closed already
        return
    for _ in range(_MOST):
        if not waits.poll(0):
            return
        listening.doRead()


async def give_way(reactor: Any, listening: Any) -> None:
    """Have new connections go to another process that listens on the same port, as it may with ``reuse_port``.

    Linux spreads connections over the sockets that share a port, and resets those that wait on one that closes. So
    the one that is to close, the older of two, asks that all go to the other; then it waits for the handshakes that
    had begun with itself. Where this can't be had, or nobody else listens there, nothing is done.

    Args:
        reactor: whose clock counts.
        listening: a listening port of Twisted's; it goes on to accept meanwhile.
    """
    shared = getattr(listening, "socket", None)
    if shared is None or not _is_shared(shared) or not _steer(shared):
        return
    await deferLater(reactor, _ON_THEIR_WAY_SECONDS)
    accept_all(listening)
    with suppress(OSError):
        shared.setsockopt(socket.SOL_SOCKET, _STEER_NO_MORE, 0)


def _is_shared(listening: socket.socket) -> bool:
    with suppress(OSError, AttributeError):
        inet = listening.family in (socket.AF_INET, socket.AF_INET6)
        return inet and bool(listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
    return False


def _steer(listening: socket.socket) -> bool:
    program = ctypes.create_string_buffer(_TO_THE_SECOND, len(_TO_THE_SECOND))
    try:
        listening.setsockopt(socket.SOL_SOCKET, _STEER, struct.pack("@HP", 1, ctypes.addressof(program)))
    except OSError:
        return False
    return True
