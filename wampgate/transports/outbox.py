"""One connection's way out: straight to the socket when it takes data, in a bounded queue when it doesn't."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from wampgate.core.gaps import Missed
from wampgate.transports.plain_transports import sender_of
from wampgate.transports.waiting import Part, Waiting
from wampgate.wire.frames import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.deadlines import Deadline, Deadlines
    from wampgate.core.session import Session
    from wampgate.transports.turn import Encoding, Turn

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


class Surroundings(Protocol):
    """What the outboxes of one listener share."""

    @property
    def turn(self) -> Turn:
        """When what is sent leaves."""

    @property
    def deadlines(self) -> Deadlines:
        """The one heap of deadlines."""

    @property
    def outbox_limits(self) -> OutboxLimits:
        """What a slow reader may cost."""


class _Congestion:
    """What has to be known of an outbox whose reader is behind; the others, which are nearly all, go without.

    Attributes:
        full: whether the transport still holds data.
        strict: whether it holds anything that is not of the kind that may be lost.
        waiting: what waits behind that; None for nothing.
        closing: with what the connection is to be closed once nothing waits.
        deadline: when it is looked whether the reader has read something.
        progress: the transport's state when that was looked at last.
    """

    __slots__ = ("closing", "deadline", "full", "progress", "strict", "waiting")

    def __init__(self) -> None:
        self.full = True
        self.strict = True
        self.waiting: Waiting | None = None
        self.closing: tuple[int, str] | None = None
        self.deadline: Deadline | None = None
        self.progress: object = None


@implementer(IPushProducer)
class Outbox(ABC):
    """Takes what is sent to one peer; implements :class:`wampgate.core.interfaces.Link`.

    The socket is tried first. What it didn't take goes to the transport at once;
    whole frames after that wait here until the transport has drained. Everything
    that is written to the connection comes through here, control frames too.
    A reader for which too much waits is cut off, unless enough of it may be
    dropped and it can be told of that: see docs/slow-readers.md.

    Whoever inherits is the peer itself, or knows it: there are tens of thousands of
    these, and one object for both is the cheapest. Nothing leaves before :meth:`attach`.

    Attributes:
        factory: what it shares with others.
        encoding: how messages become this peer's bytes.
        gone: whether the connection has ended.
        transport: Twisted's; None before :meth:`attach`.
    """

    __slots__ = ("_congestion", "_ready", "encoding", "factory", "gone", "transport")

    encoding: Encoding
    factory: Any

    def __init__(self, factory: Surroundings) -> None:
        self.factory = factory
        self.gone = False
        self.transport: Any = None
        self._congestion: _Congestion | None = None
        # What takes data at once: the socket while it is not full, of the transports that allow it.
        self._ready: Callable[[bytes], int] | None = None

    def attach(self, transport: Any, encoding: Encoding, *, fresh: bool = False) -> None:
        """Begin to send.

        Args:
            transport: Twisted's.
            encoding: how messages become this peer's bytes.
            fresh: whether nothing was ever written to the transport. Where something was, such as
                the handshake's answer, all that follows stays behind it.
        """
        self.encoding = encoding
        self.transport = transport
        direct = sender_of(transport) is not None
        # A pull producer is asked for more whenever nothing is left to write, which is
        # all that the direct path has to know. Other transports say themselves when
        # they are full.
        transport.registerProducer(self, not direct)
        if direct and not fresh:
            self._ready = None
            self._congestion = _Congestion()

    # --- the peer ---

    @property
    @abstractmethod
    def session(self) -> Session | None:
        """Who is sent to; None before there is one, and when it is over."""

    @abstractmethod
    def end(self, code: int, reason: str) -> None:
        """Close the connection as its protocol prescribes."""

    @abstractmethod
    def cut(self, why: str) -> None:
        """Drop the connection now: its reader is too slow."""

    # --- sending ---

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
            self._block().strict = any(map(_is_strict, parts or ((0, data, None),)))
            self.transport.write(data[sent:])

    def _write_otherwise(self, data: bytes, parts: Sequence[Part]) -> None:
        """Send what can't go straight to the socket now."""
        if self.full:
            for part in parts or ((0, data, None),):
                self._wait(part)
        elif not self.gone:
            self.transport.write(data)
            # It may have said meanwhile that it is full.
            if (congestion := self._congestion) is not None and congestion.full:
                congestion.strict = any(map(_is_strict, parts or ((0, data, None),)))

    @property
    def full(self) -> bool:
        """Whether the transport holds data that the socket didn't take, so that all else has to wait."""
        return self._congestion is not None and self._congestion.full

    @property
    def waiting(self) -> Waiting | None:
        """What waits until the transport has drained; None for nothing."""
        return None if self._congestion is None else self._congestion.waiting

    @property
    def queued(self) -> int:
        """How many bytes wait for the reader, here and in the transport."""
        congestion = self._congestion
        if congestion is None:
            return 0
        waiting = congestion.waiting
        transport = getattr(self.transport, "transport", self.transport)
        held = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
        return held + getattr(transport, "_tempDataLen", 0) + (0 if waiting is None else waiting.size)

    # --- Link ---

    def close(self, code: int, reason: str) -> None:
        """See :meth:`wampgate.core.interfaces.Link.close`."""
        self.factory.turn.close(self, code, reason)

    def pause(self) -> None:
        """See :meth:`wampgate.core.interfaces.Link.pause`."""
        if not self.gone:
            self.transport.pauseProducing()

    def resume(self) -> None:
        """See :meth:`wampgate.core.interfaces.Link.resume`."""
        if not self.gone:
            self.transport.resumeProducing()

    def retract(self, subscription: int) -> None:
        """Drop the events of a subscription that wait here; what has gone to the transport is gone."""
        if self._congestion is not None and self._congestion.waiting is not None:
            self._congestion.waiting.retract(subscription)

    def finish(self, code: int, reason: str) -> None:
        """Close once nothing waits any more."""
        if self.gone:
            return
        if self._congestion is not None and self._congestion.full:
            self._congestion.closing = (code, reason)
        else:
            self.end(code, reason)

    def release(self) -> None:
        """Hand what waits to the transport, which is to close behind it."""
        congestion = self._congestion
        if congestion is not None and congestion.waiting is not None and not self.gone:
            waiting, congestion.waiting = congestion.waiting, None
            self.transport.write(self._tell(waiting) + b"".join([frame for _, frame, _ in waiting.parts()]))

    # --- producer: how the transport and this outbox tell each other that data is kept or gone ---

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The transport holds data that the socket didn't take."""
        self._block()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The transport has drained."""
        self._ready = sender_of(self.transport)
        congestion = self._congestion
        if congestion is None:
            return
        congestion.full = False
        self._look_no_more(congestion)
        if congestion.waiting is not None:
            self._go_on(congestion)
        if not congestion.full:
            self._congestion = None
            if congestion.closing is not None and not self.gone:
                self.end(*congestion.closing)

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone."""
        self.gone = True
        if self._congestion is not None:
            self._congestion.waiting = None
            self._look_no_more(self._congestion)

    # --- inside ---

    def _block(self) -> _Congestion:
        """Let everything wait from now on; what is known of it."""
        congestion = self._congestion
        if congestion is None:
            congestion = self._congestion = _Congestion()
        elif congestion.full:
            return congestion
        congestion.full = True
        self._ready = None
        self._watch(congestion)
        return congestion

    def _wait(self, part: Part) -> None:
        congestion = self._congestion
        if self.gone or congestion is None:
            return
        waiting = congestion.waiting
        if waiting is None:
            waiting = congestion.waiting = Waiting()
        if waiting.append(part):
            self._count("slow_reader_replaced", 1)
        # One message always has a place, whatever its size.
        if waiting.size > self.factory.outbox_limits.size and len(waiting) > 1:
            self._make_room(waiting)

    def _make_room(self, waiting: Waiting) -> None:
        """Drop what may be dropped; cut the reader off if that is not enough or can't be told."""
        limit = self.factory.outbox_limits.size
        why = f"more than {limit} bytes waited for it"
        if not waiting.droppable:
            self._cut(why)
            return
        told = self._drop(waiting, limit, limit // 2, why)
        if told and waiting.size > limit and len(waiting) > 1:
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
        session = self.session
        if session is None or not session.established:
            # What is over misses nothing.
            return True
        subscription = session.realm.gaps.subscription_of(session)
        return subscription is not None and not waiting.confirms(subscription)

    def _tell(self, waiting: Waiting) -> bytes:
        """What tells the reader of all that was dropped for it since it was last told; it is taken as told."""
        session = self.session
        missed, waiting.missed = waiting.missed, None
        if missed is None or session is None or not session.established:
            return b""
        announcements = [session.realm.gaps.announcement(session, gap) for gap in missed.gaps()]
        self._count("slow_reader_gaps", len(announcements))
        return b"".join([self.encoding.frame(*announcement) for announcement in announcements if announcement])

    def _go_on(self, congestion: _Congestion) -> None:
        """Send what waits until the transport is full again; before all else, what is missing of it."""
        waiting = congestion.waiting
        if waiting is None:
            return
        if waiting.missed is not None:
            if not self._can_be_told(waiting):
                self._cut(f"events were dropped, and {_UNTOLD}")
                return
            self.write(self._tell(waiting))
            congestion.strict = False
        while len(waiting) and not congestion.full and not self.gone:
            parts = waiting.take(_BATCH)
            self.write(b"".join([frame for _, frame, _ in parts]), parts)
        if not len(waiting):
            congestion.waiting = None

    def _count(self, counter: str, number: int) -> None:
        session = self.session
        if session is not None and session.established:
            session.realm.counters[counter] += number

    def _watch(self, congestion: _Congestion) -> None:
        """Look later whether the reader has read something."""
        congestion.progress = self._mark()
        self._look_no_more(congestion)
        congestion.deadline = self.factory.deadlines.after(self.factory.outbox_limits.stalled, self._check_progress)

    def _look_no_more(self, congestion: _Congestion) -> None:
        """Look no more."""
        self.factory.deadlines.cancel(congestion.deadline)
        congestion.deadline = None

    def _check_progress(self) -> None:
        congestion = self._congestion
        if congestion is None:
            return
        if self._mark() != congestion.progress:
            self._watch(congestion)
            return
        why = f"it read nothing for {self.factory.outbox_limits.stalled:g} s"
        waiting = congestion.waiting
        strict = congestion.strict or congestion.closing is not None
        if strict or (waiting is not None and any(map(_is_strict, waiting.parts()))):
            self._cut(why, "limit_stalled_seconds")
        elif waiting is None or not waiting.droppable or self._drop(waiting, 0, 0, why):
            # Whether anyone is there at all, pings tell.
            self._watch(congestion)

    def _mark(self) -> object:
        """Something that changes when the socket takes data: Twisted's place in its buffer."""
        transport = getattr(self.transport, "transport", self.transport)
        return getattr(transport, "offset", 0), len(getattr(transport, "dataBuffer", b""))

    def _cut(self, why: str, counter: str = "limit_outbox_bytes") -> None:
        self._count(counter, 1)
        self.stopProducing()
        self.cut(why)


class Peer(Protocol):
    """What an outbox belongs to that is an object of its own.

    Attributes:
        session: who is sent to; None before there is one, and when it is over.
    """

    session: Session | None

    def end(self, code: int, reason: str) -> None:
        """See :meth:`Outbox.end`."""

    def cut(self, why: str) -> None:
        """See :meth:`Outbox.cut`."""


class PeerOutbox(Outbox):
    """An outbox beside its peer, attached to a transport that has just been given the handshake's answer."""

    __slots__ = ("_peer",)

    def __init__(self, peer: Peer, transport: Any, encoding: Encoding, factory: Surroundings) -> None:
        super().__init__(factory)
        self._peer = peer
        self.attach(transport, encoding)

    @property
    def session(self) -> Session | None:
        """See :attr:`Outbox.session`."""
        return self._peer.session

    def end(self, code: int, reason: str) -> None:
        """See :meth:`Outbox.end`."""
        self._peer.end(code, reason)

    def cut(self, why: str) -> None:
        """See :meth:`Outbox.cut`."""
        self._peer.cut(why)


def _is_strict(part: Part) -> bool:
    """Whether a reader that takes nothing must not keep this waiting; control frames may wait (RFC 6455, 5.5)."""
    _, frame, perishable = part
    return perishable is None and not (frame and frame[0] in CONTROL)
