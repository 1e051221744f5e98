"""One connection's way out: straight to the socket when it takes data, in a bounded queue when it doesn't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from wampgate.core.gaps import Missed
from wampgate.transports.waiting import Part, Waiting
from wampgate.wire.frames import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.deadlines import Deadline, Deadlines
    from wampgate.core.session import Session
    from wampgate.transports.turn import Encoding, Turn

DIRECT: Final = frozenset({tcp.Server, unix.Server})
"""Transports whose socket may be written to past them: exactly these types, never by looking for attributes.

A TLS transport proxies its socket's methods; what was written there would leave unencrypted.
"""

_UNTOLD: Final = "it can't be told of a gap: it has no subscription to wampgate.gap"
"""Why a reader is cut off though events of its topics may be dropped: never in silence."""

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
    """What an outbox belongs to: one connection of any transport.

    Attributes:
        session: who is sent to; None before there is one, and when it is over.
    """

    session: Session | None

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
    A reader for which too much waits is cut off, unless enough of it may be
    dropped and it can be told of that: see docs/slow-readers.md.

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
        "_strict",
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
        self._waiting: Waiting | None = None
        self._full = False
        # Whether the transport holds anything that is not of the kind that may be lost.
        self._strict = True
        self._closing: tuple[int, str] | None = None
        self._deadline: Deadline | None = None
        self._progress: object = None
        self.gone = False
        direct = type(transport) in DIRECT
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
            self._strict = any(map(_is_strict, parts or ((0, data, None),)))
            self.pauseProducing()
            self._transport.write(data[sent:])

    def _write_otherwise(self, data: bytes, parts: Sequence[Part]) -> None:
        """Send what can't go straight to the socket now."""
        if self._full:
            for part in parts or ((0, data, None),):
                self._wait(part)
        elif not self.gone:
            self._transport.write(data)
            if self._full:
                self._strict = any(map(_is_strict, parts or ((0, data, None),)))

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
        if self._waiting is not None:
            self._waiting.retract(subscription)

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
        waiting = self._waiting
        if waiting is not None and not self.gone:
            told = self._tell(waiting)
            self._waiting = None
            self._transport.write(told + b"".join([frame for _, frame, _ in waiting.parts()]))

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
        if self._waiting is not None:
            self._go_on(self._waiting)
        if not self._full and self._closing is not None and not self.gone:
            closing, self._closing = self._closing, None
            self._peer.end(*closing)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone."""
        self.gone = True
        self._waiting = None
        self._deadlines.cancel(self._deadline)
        self._deadline = None

    # --- inside ---

    def _wait(self, part: Part) -> None:
        if self.gone:
            return
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = Waiting()
        if waiting.append(part):
            self._count("slow_reader_replaced", 1)
        # One message always has a place, whatever its size.
        if waiting.size > self._limits.size and len(waiting) > 1:
            self._make_room(waiting)

    def _make_room(self, waiting: Waiting) -> None:
        """Drop what may be dropped; cut the reader off if that is not enough or can't be told."""
        why = f"more than {self._limits.size} bytes waited for it"
        if not waiting.droppable:
            self._cut(why)
            return
        told = self._drop(waiting, self._limits.size, self._limits.size // 2, why)
        if told and waiting.size > self._limits.size and len(waiting) > 1:
            self._cut(f"{why} that may not be dropped")

    def _drop(self, waiting: Waiting, limit: int, enough: int, why: str) -> bool:
        """Drop events, oldest first, as :meth:`Waiting.drop` does; False if the reader was cut off instead."""
        if waiting.missed is None:
            if not self._can_be_told(waiting):
                self._cut(f"{why}, and {_UNTOLD}")
                return False
            waiting.missed = Missed()
        dropped = waiting.drop(limit, enough)
        for perishable in dropped:
            waiting.missed.add(perishable)
        self._count("slow_reader_dropped", len(dropped))
        return True

    def _can_be_told(self, waiting: Waiting) -> bool:
        """Whether the reader knows the subscription by which it would be told of a gap."""
        session = self._peer.session
        if session is None or not session.established:
            # What is over misses nothing.
            return True
        subscription = session.realm.gaps.subscription_of(session)
        return subscription is not None and not waiting.confirms(subscription)

    def _tell(self, waiting: Waiting) -> bytes:
        """What tells the reader of all that was dropped for it since it was last told; it is taken as told."""
        session = self._peer.session
        missed, waiting.missed = waiting.missed, None
        if missed is None or session is None or not session.established:
            return b""
        announcements = [session.realm.gaps.announcement(session, gap) for gap in missed.gaps()]
        self._count("slow_reader_gaps", len(announcements))
        return b"".join([self.encoding.frame(*announcement) for announcement in announcements if announcement])

    def _go_on(self, waiting: Waiting) -> None:
        """Send what waits until the transport is full again; before all else, what is missing of it."""
        if waiting.missed is not None:
            if not self._can_be_told(waiting):
                self._cut(f"events were dropped, and {_UNTOLD}")
                return
            self.write(self._tell(waiting))
            self._strict = False
        while len(waiting) and not self._full and not self.gone:
            parts = waiting.take(_BATCH)
            self.write(b"".join([frame for _, frame, _ in parts]), parts)
        if not len(waiting):
            self._waiting = None

    def _count(self, counter: str, number: int) -> None:
        session = self._peer.session
        if session is not None and session.established:
            session.realm.counters[counter] += number

    def _watch(self) -> None:
        """Look later whether the reader has read something."""
        self._progress = self._mark()
        self._deadlines.cancel(self._deadline)
        self._deadline = self._deadlines.after(self._limits.stalled, self._check_progress)

    def _check_progress(self) -> None:
        if self._mark() != self._progress:
            self._watch()
            return
        why = f"it read nothing for {self._limits.stalled:g} s"
        waiting = self._waiting
        strict = self._strict or self._closing is not None
        if strict or (waiting is not None and any(map(_is_strict, waiting.parts()))):
            self._cut(why, "limit_stalled_seconds")
        elif waiting is None or not waiting.droppable or self._drop(waiting, 0, 0, why):
            # Whether anyone is there at all, pings tell.
            self._watch()

    def _mark(self) -> object:
        """Something that changes when the socket takes data: Twisted's place in its buffer."""
        transport = getattr(self._transport, "transport", self._transport)
        return getattr(transport, "offset", 0), len(getattr(transport, "dataBuffer", b""))

    def _cut(self, why: str, counter: str = "limit_outbox_bytes") -> None:
        self._count(counter, 1)
        self._waiting = None
        self.gone = True
        self._deadlines.cancel(self._deadline)
        self._deadline = None
        self._peer.cut(why)


def _is_strict(part: Part) -> bool:
    """Whether a reader that takes nothing must not keep this waiting; control frames may wait (RFC 6455, 5.5)."""
    _, frame, perishable = part
    return perishable is None and not (frame and frame[0] in CONTROL)
