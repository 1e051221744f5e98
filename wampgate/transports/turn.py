"""What is sent within one reactor turn leaves at its end: encoded once, joined for each peer, in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from wampgate.wire.frames import BINARY, TEXT, websocket_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wampgate.core.local import LocalLink
    from wampgate.core.session import Session
    from wampgate.transports.outbox import Outbox
    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload
    from wampgate.wire.serializers import Serializer


class Encoding:
    """A serializer and a framing together; one shared instance for each pair."""

    __slots__ = ("_first", "serializer")

    def __init__(self, serializer: Serializer) -> None:
        self.serializer = serializer
        self._first = BINARY if serializer.binary else TEXT

    def frame(self, message: Message, payload: Payload) -> bytes:
        """A message as the bytes that leave."""
        return websocket_frame(self._first, self.serializer.encode(message, payload))


class Turn:
    """Collects deliveries until the reactor has read everything that was there to read.

    A burst of messages then costs each receiver one send, and an event for a
    thousand is encoded once. Implements :class:`wampgate.core.interfaces.Deliver`.
    """

    def __init__(self, reactor: Any) -> None:
        self._call_later = reactor.callLater
        self._pending: list[tuple[Message, Payload, Sequence[Session]]] = []
        self._local: deque[tuple[LocalLink, Message, Payload]] = deque()
        self._closes: list[tuple[Outbox, int, str]] = []
        self._scheduled = False

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        """Take a delivery; see :class:`wampgate.core.interfaces.Deliver`."""
        if not self._scheduled:
            self._scheduled = True
            self._call_later(0, self.flush)
        self._pending.append((message, payload, recipients if type(recipients) is tuple else tuple(recipients)))

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
        frames: dict[Encoding, bytes] = {}
        for session in recipients:
            link: Any = session.link
            encoding = link.encoding
            frame = frames.get(encoding)
            if frame is None:
                if encoding is None:
                    self._local.append((link, message, payload))
                    continue
                frame = frames[encoding] = encoding.frame(message, payload)
            link.write(frame)

    def _send_joined(self, pending: list[tuple[Message, Payload, Sequence[Session]]]) -> None:
        queues: dict[Any, list[bytes]] = {}
        for message, payload, recipients in pending:
            frames: dict[Encoding, bytes] = {}
            for session in recipients:
                link: Any = session.link
                encoding = link.encoding
                frame = frames.get(encoding)
                if frame is None:
                    if encoding is None:
                        self._local.append((link, message, payload))
                        continue
                    frame = frames[encoding] = encoding.frame(message, payload)
                queue = queues.get(link)
                if queue is None:
                    queues[link] = [frame]
                else:
                    queue.append(frame)
        for link, queue in queues.items():
            link.write(queue[0] if len(queue) == 1 else b"".join(queue))
