"""The transports that carry a connection's bytes as they are, so that its socket may be written to past them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet import tcp, unix

if TYPE_CHECKING:
    from collections.abc import Callable


class _Untold:
    """An attribute that is the same for all, whatever is assigned to it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __get__(self, owner: object, owners: type) -> str:
        return self._text

    def __set__(self, owner: object, value: object) -> None:
        """Keep nothing."""


class SlimServer(tcp.Server):
    """Twisted's, with slots for what it keeps of each connection, and without the texts for logs that nobody writes.

    A dictionary for each would take 800 bytes. What Twisted may add some day goes into one as ever.
    """

    __slots__ = (
        "_tempDataBuffer",
        "_tempDataLen",
        "client",
        "connected",
        "fileno",
        "producer",
        "protocol",
        "reactor",
        "server",
        "sessionno",
        "socket",
        "streamingProducer",
    )

    hostname: Any = _Untold("")
    logstr: Any = _Untold("connection")
    repstr: Any = _Untold("<a connection>")

    def __init__(self, *arguments: Any) -> None:
        # Twisted has these two as attributes of its class.
        self.producer = None
        self.streamingProducer = False
        super().__init__(*arguments)


DIRECT: Final = frozenset({tcp.Server, unix.Server, SlimServer})
"""Exactly these types, never by looking for attributes.

A TLS transport proxies its socket's methods; what was written there would leave unencrypted.
"""


def slimmed(listening: Any) -> Any:
    """A listening port that makes slim transports of its connections, where Twisted would make the usual ones.

    Args:
        listening: what Twisted's endpoints return; others than plain TCP are left as they are.
    """
    slim: Any = SlimServer
    if type(listening) is tcp.Port and listening.transport is tcp.Server:
        listening.transport = slim
    return listening


def sender_of(transport: Any) -> Callable[[bytes], int] | None:
    """What takes bytes at once, as many as the socket has room for; None where none may go past the transport."""
    return transport.socket.send if type(transport) in DIRECT else None
