"""What is sent within one reactor turn leaves at its end: encoded once, joined for each peer, in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from twisted.logger import Logger

from wampgate.core.slow_readers import PerishableEvent
from wampgate.transports.reactor_turns import at_end_of_turn
from wampgate.wire.frames import as_binary, as_text
from wampgate.wire.messages import Event, Subscribed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    """A serializer and a framing together; one shared instance for each pair.

    Attributes:
        serializer: how messages become bytes.
        plain: the encoding of whose frames this one makes its own; None for most.
    """

    __slots__ = ("_framing", "plain", "serializer")

    def __init__(self, serializer: Serializer, framing: Framing | None = None) -> None:
        """A serializer with a framing; None for that of a WebSocket."""
        self.serializer = serializer
        self.plain: Encoding | None = None
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

    def remade(self, message: Message, frame: bytes) -> bytes:  # noqa: ARG002 - for those that inherit
        """A message as the bytes that leave, made of its plain frame: what both share is made once."""
        return frame


_Queues: TypeAlias = "dict[Any, tuple[Part, ...] | list[Part]]"
"""What each peer is to be sent, in order."""

_Made: TypeAlias = "dict[Encoding, Part]"
"""What was made of one delivery, by the encoding: for each once."""


class Turn:
    """Collects deliveries until the reactor has read everything that was there to read.

    A burst of messages then costs each receiver one send, and an event for a
    thousand is encoded once. Implements :class:`wampgate.core.interfaces.Deliver`.
    """

    def __init__(self, reactor: Any) -> None:
        self._at_end = at_end_of_turn(reactor)
        self._pending: list[_Delivery] = []
        # Whether what waits is for one recipient each, as it is while there are only calls.
        self._each_for_one = True
        self._retractions: list[tuple[int, Session, int]] = []
        self._local: deque[tuple[LocalLink, Message, Payload]] = deque()
        self._closes: list[tuple[Outbox, int, str]] = []
        self._scheduled = False

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        """Take a delivery; see :class:`wampgate.core.interfaces.Deliver`."""
        if not self._scheduled:
            self._scheduled = True
            self._at_end(self.flush)
        if type(recipients) is not tuple:
            recipients = tuple(recipients)
        if len(recipients) != 1:
            self._each_for_one = False
        self._pending.append((message, payload, recipients))

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
            self._at_end(self.flush)
        self._closes.append((outbox, code, reason))

    def flush(self) -> None:
        """Send everything. Sessions inside the router receive first, and what they send leaves too."""
        self._scheduled = False
        pending, self._pending = self._pending, []
        each_for_one, self._each_for_one = self._each_for_one, True
        if self._retractions:
            retractions, self._retractions = self._retractions, []
            pending = _without(pending, retractions)
            each_for_one = False
        if each_for_one:
            self._send_each(pending)
        elif len(pending) == 1:
            self._send(*pending[0])
        elif pending:
            self._send_joined(pending)
        closes, self._closes = self._closes, []
        for outbox, code, reason in closes:
            outbox.finish(code, reason)
        while self._local:
            link, message, payload = self._local.popleft()
            link.receive(message, payload)

    def _send_each(self, pending: list[_Delivery]) -> None:
        """Send deliveries for one recipient each: there is nothing to be made once for many."""
        queues: dict[Any, list[Part]] = {}
        for message, payload, (session,) in pending:
            link: Any = session.link
            encoding = link.encoding
            if encoding is None:
                self._local.append((link, message, payload))
                continue
            frame = encoding.frame(message, payload)
            part = _part_of(message, frame) if type(message) in _WITH_SUBSCRIPTION else (0, frame, None)
            if link in queues:
                queues[link].append(part)
            elif len(pending) == 1:
                link.write(frame, (part,))
            else:
                queues[link] = [part]
        _write(queues)

    def _send(self, message: Message, payload: Payload, recipients: Sequence[Session]) -> None:
        made: _Made = {}
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
                    part = made.get(encoding) or _part(encoding, message, payload, made)
                    frames[encoding] = (part[1], (part,))
                frame, parts = frames[encoding]
                last = encoding
            link.write(frame, parts)

    def _send_joined(self, pending: list[_Delivery]) -> None:
        """Send several deliveries, each peer's in one piece."""
        crowd = _only_crowd(pending)
        if crowd is None:
            self._send_queues(pending)
            return
        made: list[_Made] = [{} for _ in pending]
        # A burst for one topic's subscribers is joined once for all of them. Those who
        # are sent something of their own as well get theirs in order with it.
        apart = {session for _, _, recipients in pending if recipients is not crowd for session in recipients}
        both = tuple(session for session in crowd if session in apart) if apart else ()
        others = [session for session in crowd if session not in apart] if both else crowd
        own = [
            (message, payload, both if recipients is crowd else recipients) for message, payload, recipients in pending
        ]
        self._send_queues(own, iter(made))
        theirs = [place for place, delivery in enumerate(pending) if delivery[2] is crowd]
        self._send_crowd([pending[place] for place in theirs], [made[place] for place in theirs], others)

    def _send_crowd(self, deliveries: list[_Delivery], made: list[_Made], crowd: Sequence[Session]) -> None:
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
                    framed = [
                        parts_made.get(encoding) or _part(encoding, message, payload, parts_made)
                        for (message, payload, _), parts_made in zip(deliveries, made, strict=True)
                    ]
                    joined[encoding] = (b"".join([frame for _, frame, _ in framed]), framed)
                data, parts = joined[encoding]
                last = encoding
            link.write(data, parts)

    def _send_queues(self, pending: list[_Delivery], made: Iterator[_Made] | None = None) -> None:
        """Send each peer what there is for it; what is made of each delivery is left in ``made``."""
        queues: _Queues = {}
        for message, payload, recipients in pending:
            parts: _Made = {} if made is None else next(made)
            last = None
            alone: tuple[Part, ...] = ()
            for session in recipients:
                link: Any = session.link
                encoding = link.encoding
                if encoding is None:
                    self._local.append((link, message, payload))
                    continue
                if encoding is not last:
                    alone = (parts.get(encoding) or _part(encoding, message, payload, parts),)
                    last = encoding
                # Most get one event: all of them share one tuple of it.
                queue = queues.get(link)
                if queue is None:
                    queues[link] = alone
                elif type(queue) is list:
                    queue += alone
                else:
                    queues[link] = [*queue, *alone]
        _write(queues)


def _write(queues: Mapping[Any, Sequence[Part]]) -> None:
    """Write what there is for each peer in one piece."""
    for link, queue in queues.items():
        link.write(queue[0][1] if len(queue) == 1 else b"".join([frame for _, frame, _ in queue]), queue)


def _part(encoding: Encoding, message: Message, payload: Payload, made: _Made) -> Part:
    """A message's frame with what becomes of it where it waits; it is put to the others that were made of it."""
    plain = encoding.plain
    if plain is None:
        frame = encoding.frame(message, payload)
    else:
        frame = encoding.remade(message, (made.get(plain) or _part(plain, message, payload, made))[1])
    part = made[encoding] = _part_of(message, frame)
    return part


def _part_of(message: Message, frame: bytes) -> Part:
    """A frame with what becomes of it where it waits."""
    kind: Any = type(message)
    told: Any = message
    # Most are events that may not be lost.
    if kind is Event:
        return (told.subscription, frame, None)
    if kind is PerishableEvent:
        return (told.subscription, frame, told.perishable)
    if kind is Subscribed:
        return (-told.subscription, frame, None)
    return (0, frame, None)


_WITH_SUBSCRIPTION: Final = frozenset((Event, PerishableEvent, Subscribed))
"""The messages that are no part without their subscription."""


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
