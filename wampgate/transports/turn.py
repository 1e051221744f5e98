"""What is sent within one reactor turn leaves at its end: encoded once, joined for each peer, in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.logger import Logger

from wampgate.core.slow_readers import PerishableEvent
from wampgate.wire.frames import as_binary, as_text
from wampgate.wire.messages import Event, Subscribed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wampgate.core.local import LocalLink
    from wampgate.core.session import Session
    from wampgate.transports.outbox import Outbox
    from wampgate.transports.waiting import Part
    from wampgate.wire.frames import Framing
    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload
    from wampgate.wire.serializers import Serializer

    _Delivery: TypeAlias = tuple[Message, Payload, Sequence[Session]]


_log = Logger()


class Encoding:
    """A serializer and a framing together; one shared instance for each pair."""

    __slots__ = ("_framing", "serializer")

    def __init__(self, serializer: Serializer, framing: Framing | None = None) -> None:
        """A serializer with a framing; None for that of a WebSocket."""
        self.serializer = serializer
        self._framing: Framing = framing or (as_binary if serializer.binary else as_text)

    def frame(self, message: Message, payload: Payload) -> bytes:
        """A message as the bytes that leave; nothing, and a line in the log, if there is no way to write it.

        What decoding lets in can be encoded. Should it ever not be so, the other
        messages of this turn must not be lost with it.
        """
        try:
            return self._framing(self.serializer.encode(message, payload))
        except Exception:  # noqa: BLE001 - see above
            _log.failure(
                "a {kind} message could not be encoded as {name}",
                kind=type(message).__name__,
                name=self.serializer.name,
            )
            return b""


class Turn:
    """Collects deliveries until the reactor has read everything that was there to read.

    A burst of messages then costs each receiver one send, and an event for a
    thousand is encoded once. Implements :class:`wampgate.core.interfaces.Deliver`.
    """

    def __init__(self, reactor: Any) -> None:
        self._call_later = reactor.callLater
        self._pending: list[_Delivery] = []
        self._retractions: list[tuple[int, Session, int]] = []
        self._local: deque[tuple[LocalLink, Message, Payload]] = deque()
        self._closes: list[tuple[Outbox, int, str]] = []
        self._scheduled = False

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        """Take a delivery; see :class:`wampgate.core.interfaces.Deliver`."""
        if not self._scheduled:
            self._scheduled = True
            self._call_later(0, self.flush)
        self._pending.append((message, payload, recipients if type(recipients) is tuple else tuple(recipients)))

    def retract(self, session: Session, subscription: int) -> None:
        """Take back what waits of a subscription's events for one session; see ``Deliver.retract``."""
        if self._pending:
            # Thousands may be taken back within one turn: they are looked through once, at its end.
            self._retractions.append((len(self._pending), session, subscription))
        link: Any = session.link
        link.retract(subscription)

    def close(self, outbox: Outbox, code: int, reason: str) -> None:
        """Close a connection at the end of the turn, after what was sent to it."""
        if not self._scheduled:
            self._scheduled = True
            self._call_later(0, self.flush)
        self._closes.append((outbox, code, reason))

    def flush(self) -> None:
        """Send everything. Sessions inside the router receive first, and what they send leaves too."""
        self._scheduled = False
        pending, self._pending = self._pending, []
        if self._retractions:
            retractions, self._retractions = self._retractions, []
            pending = _without(pending, retractions)
        if len(pending) == 1:
            self._send(*pending[0])
        elif pending:
            self._send_joined(pending)
        closes, self._closes = self._closes, []
        for outbox, code, reason in closes:
            outbox.finish(code, reason)
        while self._local:
            link, message, payload = self._local.popleft()
            link.receive(message, payload)

    def _send(self, message: Message, payload: Payload, recipients: Sequence[Session]) -> None:
        frames: dict[Encoding, tuple[bytes, tuple[Part, ...]]] = {}
        last = frame = parts = None
        for session in recipients:
            link: Any = session.link
            encoding = link.encoding
            # Neighbours mostly speak the same: a look-up for each would be a tenth of a send.
            if encoding is None:
                self._local.append((link, message, payload))
                continue
            if encoding is not last:
                if encoding not in frames:
                    frame = encoding.frame(message, payload)
                    frames[encoding] = (frame, (_part(message, frame),))
                frame, parts = frames[encoding]
                last = encoding
            link.write(frame, parts)

    def _send_joined(self, pending: list[_Delivery]) -> None:
        """Send several deliveries, each peer's in one piece."""
        crowd = _only_crowd(pending)
        if crowd is None:
            self._send_queues(pending)
            return
        # A burst for one topic's subscribers is joined once for all of them. Those who
        # are sent something of their own as well get theirs in order with it.
        apart = {session for _, _, recipients in pending if recipients is not crowd for session in recipients}
        both = tuple(session for session in crowd if session in apart) if apart else ()
        others = [session for session in crowd if session not in apart] if both else crowd
        own = [
            (message, payload, both if recipients is crowd else recipients) for message, payload, recipients in pending
        ]
        self._send_queues(own)
        self._send_crowd([delivery for delivery in pending if delivery[2] is crowd], others)

    def _send_crowd(self, deliveries: list[_Delivery], crowd: Sequence[Session]) -> None:
        """Send the same deliveries to each of many peers."""
        joined: dict[Encoding, tuple[bytes, list[Part]]] = {}
        last = data = parts = None
        for session in crowd:
            link: Any = session.link
            encoding = link.encoding
            if encoding is None:
                self._local.extend((link, message, payload) for message, payload, _ in deliveries)
                continue
            if encoding is not last:
                if encoding not in joined:
                    framed = [_part(message, encoding.frame(message, payload)) for message, payload, _ in deliveries]
                    joined[encoding] = (b"".join([frame for _, frame, _ in framed]), framed)
                data, parts = joined[encoding]
                last = encoding
            link.write(data, parts)

    def _send_queues(self, pending: list[_Delivery]) -> None:
        """Send each peer what there is for it."""
        queues: dict[Any, list[Part]] = {}
        for message, payload, recipients in pending:
            parts: dict[Encoding, Part] = {}
            for session in recipients:
                link: Any = session.link
                encoding = link.encoding
                part = parts.get(encoding)
                if part is None:
                    if encoding is None:
                        self._local.append((link, message, payload))
                        continue
                    part = parts[encoding] = _part(message, encoding.frame(message, payload))
                queue = queues.get(link)
                if queue is None:
                    queues[link] = [part]
                else:
                    queue.append(part)
        for link, queue in queues.items():
            link.write(queue[0][1] if len(queue) == 1 else b"".join([frame for _, frame, _ in queue]), queue)


def _part(message: Message, frame: bytes) -> Part:
    """A message's frame with what becomes of it where it waits; most are events that may not be lost."""
    kind = type(message)
    if kind is Event:
        return message.subscription, frame, None  # type: ignore[attr-defined]  # see above
    if kind is PerishableEvent:
        return message.subscription, frame, message.perishable  # type: ignore[attr-defined]  # see above
    if kind is Subscribed:
        return -message.subscription, frame, None  # type: ignore[attr-defined]  # see above
    return 0, frame, None


def _subscription_of(message: Message) -> int:
    return message.subscription if isinstance(message, Event) else 0


def _without(pending: list[_Delivery], retractions: list[tuple[int, Session, int]]) -> list[_Delivery]:
    """Deliveries without what was taken back after they were made: (how many there were, from whom, what) each."""
    left = list(pending)
    gone_by_subscription: dict[int, set[Session]] = {}
    kept: dict[tuple[int, int, int], tuple[Session, ...]] = {}
    # From the last one to the first, so that each meets those retractions only that came after it.
    for place in range(len(pending) - 1, -1, -1):
        while retractions and retractions[-1][0] > place:
            _, session, subscription = retractions.pop()
            gone_by_subscription.setdefault(subscription, set()).add(session)
        message, payload, recipients = pending[place]
        subscription = _subscription_of(message)
        gone = gone_by_subscription.get(subscription) if subscription else None
        if gone:
            # The same recipients stay one object, by which a crowd is known.
            key = (id(recipients), subscription, len(gone))
            if key not in kept:
                kept[key] = tuple(session for session in recipients if session not in gone)
            left[place] = (message, payload, kept[key])
    return left


def _only_crowd(pending: list[_Delivery]) -> Sequence[Session] | None:
    """The one set of many recipients among deliveries; None if there is none or more than one."""
    crowd = None
    for _, _, recipients in pending:
        if len(recipients) > 1 and recipients is not crowd:
            if crowd is not None:
                return None
            crowd = recipients
    return crowd
