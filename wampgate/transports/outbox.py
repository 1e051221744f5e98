"""One connection's way out: straight to the socket when it takes data, in a bounded queue when it doesn't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.deadlines import Deadline, Deadlines
    from wampgate.transports.turn import Encoding, Turn

_DIRECT: Final = frozenset({tcp.Server, unix.Server})
"""Transports whose socket may be written to past them: exactly these types, never by looking for attributes.

A TLS transport proxies its socket's methods; what was written there would leave unencrypted.
"""

Part: TypeAlias = tuple[int, bytes]
"""A frame and the subscription whose event it is; 0 for what is no event."""

_BATCH: Final = 65536
"""How many bytes go to a transport that was full, before it has to say again that it has drained."""


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """What a reader that is too slow may cost.

    Attributes:
        size: bytes that may wait for it.
        stalled: seconds without progress.
    """

    size: int = 1 << 20
    stalled: float = 10.0


class Peer(Protocol):
    """What an outbox belongs to: one connection of any transport."""

    def end(self, code: int, reason: str) -> None:
        """Close the connection as its protocol prescribes."""

    def cut(self, why: str) -> None:
        """Drop the connection now: its reader is too slow."""


@implementer(IPushProducer)
class Outbox:
    """Takes what is sent to one peer; implements :class:`wampgate.core.interfaces.Link`.

    The socket is tried first. What it didn't take goes to the transport at once;
    whole frames after that wait here until the transport has drained. Everything
    that is written to the connection comes through here, control frames too.

    Attributes:
        encoding: how messages become this peer's bytes.
        gone: whether the connection has ended.
    """

    __slots__ = (
        "_closing",
        "_deadline",
        "_deadlines",
        "_full",
        "_limits",
        "_peer",
        "_progress",
        "_ready",
        "_send",
        "_size",
        "_transport",
        "_turn",
        "_waiting",
        "encoding",
        "gone",
    )

    def __init__(
        self, peer: Peer, transport: Any, encoding: Encoding, *, turn: Turn, deadlines: Deadlines, limits: OutboxLimits
    ) -> None:
        self._peer = peer
        self._transport = transport
        self.encoding = encoding
        self._turn = turn
        self._deadlines = deadlines
        self._limits = limits
        self._waiting: list[Part] | None = None
        self._size = 0
        self._full = False
        self._closing: tuple[int, str] | None = None
        self._deadline: Deadline | None = None
        self._progress: object = None
        self.gone = False
        direct = type(transport) in _DIRECT
        self._send: Callable[[bytes], int] | None = transport.socket.send if direct else None
        # A pull producer is asked for more whenever nothing is left to write, which is
        # all that the direct path has to know. Other transports say themselves when
        # they are full.
        transport.registerProducer(self, not direct)
        # The handshake's answer has just gone to the transport: what follows stays behind it.
        self._full = direct
        # What takes data at once: the socket while it is not full, of the transports that allow it.
        self._ready: Callable[[bytes], int] | None = None

    def write(self, data: bytes, parts: Sequence[Part] = ()) -> None:
        """Send whole frames. Never raises, and never keeps more than its limit.

        Args:
            data: one frame or several.
            parts: the same frames one by one, each with the subscription whose
                event it is; what is not given can't be retracted while it waits.
        """
        send = self._ready
        if send is None:
            self._write_otherwise(data, parts)
            return
        try:
            sent = send(data)
        except OSError:
            # Either the socket is full, or the transport meets the same error and ends the connection.
            sent = 0
        if sent != len(data) and not self.gone:
            # At once, so that nothing can come between the halves of a frame.
            self.pauseProducing()
            self._transport.write(data[sent:])

    def _write_otherwise(self, data: bytes, parts: Sequence[Part]) -> None:
        """Send what can't go straight to the socket now."""
        if self._full:
            for part in parts or ((0, data),):
                self._wait(part)
        elif not self.gone:
            self._transport.write(data)

    # --- Link ---

    def close(self, code: int, reason: str) -> None:
        """See :meth:`wampgate.core.interfaces.Link.close`."""
        self._turn.close(self, code, reason)

    def pause(self) -> None:
        """See :meth:`wampgate.core.interfaces.Link.pause`."""
        if not self.gone:
            self._transport.pauseProducing()

    def resume(self) -> None:
        """See :meth:`wampgate.core.interfaces.Link.resume`."""
        if not self.gone:
            self._transport.resumeProducing()

    def retract(self, subscription: int) -> None:
        """Drop the events of a subscription that wait here; what has gone to the transport is gone."""
        if self._waiting:
            self._waiting = [part for part in self._waiting if part[0] != subscription]
            self._size = sum(len(frame) for _, frame in self._waiting)

    def finish(self, code: int, reason: str) -> None:
        """Close once nothing waits any more."""
        if self.gone:
            return
        if self._full:
            self._closing = (code, reason)
        else:
            self._peer.end(code, reason)

    def release(self) -> None:
        """Hand what waits to the transport, which is to close behind it."""
        waiting, self._waiting = self._waiting, None
        self._size = 0
        if waiting and not self.gone:
            self._transport.write(b"".join([frame for _, frame in waiting]))

    # --- producer: how the transport and this outbox tell each other that data is kept or gone ---

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The transport holds data that the socket didn't take."""
        if not self._full:
            self._full = True
            self._ready = None
            self._watch()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The transport has drained."""
        self._full = False
        self._ready = self._send
        self._deadlines.cancel(self._deadline)
        self._deadline = None
        while self._waiting and not self._full:
            self._next_batch()
        if not self._full and self._closing is not None:
            closing, self._closing = self._closing, None
            self._peer.end(*closing)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone."""
        self.gone = True
        self._waiting = None
        self._size = 0
        self._deadlines.cancel(self._deadline)
        self._deadline = None

    # --- inside ---

    def _wait(self, part: Part) -> None:
        if self.gone:
            return
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(part)
        self._size += len(part[1])
        # One message always has a place, whatever its size.
        if self._size > self._limits.size and len(self._waiting) > 1:
            self._cut(f"more than {self._limits.size} bytes waited for it")

    def _next_batch(self) -> None:
        """Send some of what waits."""
        waiting = self._waiting or []
        count = size = 0
        while count < len(waiting) and size < _BATCH:
            size += len(waiting[count][1])
            count += 1
        batch = b"".join([frame for _, frame in waiting[:count]])
        del waiting[:count]
        self._size -= size
        self.write(batch)

    def _watch(self) -> None:
        """Look later whether the reader has read something."""
        self._progress = self._mark()
        self._deadlines.cancel(self._deadline)
        self._deadline = self._deadlines.after(self._limits.stalled, self._check_progress)

    def _check_progress(self) -> None:
        if self._mark() == self._progress:
            self._cut(f"it read nothing for {self._limits.stalled:g} s")
        else:
            self._watch()

    def _mark(self) -> object:
        """Something that changes when the socket takes data: Twisted's place in its buffer."""
        transport = getattr(self._transport, "transport", self._transport)
        return getattr(transport, "offset", 0), len(getattr(transport, "dataBuffer", b""))

    def _cut(self, why: str) -> None:
        self._waiting = None
        self._size = 0
        self.gone = True
        self._deadlines.cancel(self._deadline)
        self._deadline = None
        self._peer.cut(why)
