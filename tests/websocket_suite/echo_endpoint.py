"""An echo endpoint of the product's own port and WebSocket class, unchanged: what comes as a message is sent back.

Only the two things around them are not the product's: a serializer that takes any bytes for a message, and a
router that sends each message back to who sent it. A connection's subprotocol says of which kind its messages are,
as always: text with ``wamp.2.json``, binary with ``wamp.2.msgpack`` and ``wamp.2.cbor``.

Prints the port that it listens on.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher, textFileLogObserver

from wampgate.core.deadlines import Deadlines
from wampgate.core.guesses import Guesses
from wampgate.core.router import Router
from wampgate.http.site import make_site
from wampgate.transports.deflate import Compression
from wampgate.transports.origins import Origins
from wampgate.transports.outbox import OutboxLimits
from wampgate.transports.places import ConnectionLimits
from wampgate.transports.port import Port
from wampgate.transports.timer import DeadlineTimer
from wampgate.transports.turn import Turn
from wampgate.transports.websocket import WebSocketListener
from wampgate.wire.messages import NO_EVENT_DETAILS, Event
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from wampgate.core.session import Session
    from wampgate.wire.messages import Message
    from wampgate.wire.serializers import Serializer

MESSAGE_BYTES: Final = 16 << 20
"""The longest message that comes back."""

FRAGMENTS: Final = 1 << 17
"""In so many pieces a message may come: those of 4 MiB in pieces of 64 bytes are the most."""

SMALLEST: Final = 126
"""Messages of so many bytes come back compressed, where that was agreed on; the least that there may be."""

_AN_HOUR: Final = 3600.0
_SENT_BACK: Final = Event(1, 1, NO_EVENT_DETAILS)


class AnyBytes:
    """A serializer for which every bytes are a message: its payload's only argument.

    Args:
        like: has its name, its subprotocol and its kind.
    """

    def __init__(self, like: Serializer) -> None:
        self.name = like.name
        self.subprotocol = like.subprotocol
        self.binary = like.binary

    def decode(self, data: bytes) -> tuple[Message, Payload]:
        return _SENT_BACK, Payload((bytes(data),))

    def encode(self, message: Message, payload: Payload = NO_PAYLOAD) -> bytes:
        (data,) = payload.args
        assert isinstance(data, bytes)
        return data


class Echo(Router):
    """Sends each message back to who sent it, at the reactor turn's end as everything else that is sent."""

    def receive(self, session: Session, message: Message, payload: Payload) -> None:
        self._deliver(message, payload, (session,))


def echoing_port(running: Any) -> Port:
    """The port of a router, with limits that let everything in that the test suite sends."""
    deadlines = Deadlines(time.monotonic)
    turn = Turn(running)
    router = Echo(
        (),
        deliver=turn,
        record=lambda *_, **__: None,
        deadlines=deadlines,
        run=_run,
        guesses=Guesses(1, deadlines.now),
        # No one says HELLO here.
        hello_seconds=_AN_HOUR,
    )
    listener = WebSocketListener(
        router=router,
        turn=turn,
        deadlines=deadlines,
        outbox_limits=OutboxLimits(size=4 * MESSAGE_BYTES),
        message_bytes=MESSAGE_BYTES,
        fragments_per_message=FRAGMENTS,
        compression=Compression(smallest=SMALLEST),
    )
    for encoding in listener.encodings.values():
        encoding.serializer = AnyBytes(encoding.serializer)  # type: ignore[assignment]  # what no echo needs is left out
    DeadlineTimer(running, deadlines).start()
    return Port(
        websocket=listener,
        web=make_site(reactor=running),
        origins=Origins(),
        deadlines=deadlines,
        limits=ConnectionLimits(),
        joined=partial(int, 0),
    )


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    Deferred.fromCoroutine(coroutine)


class Warnings:
    """Writes what is logged, from warnings on, to standard error."""

    def __init__(self) -> None:
        self._write: Any = textFileLogObserver(sys.stderr)

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["log_level"] >= LogLevel.warn:
            self._write(event)


def main() -> None:
    """Listen on a free port of the loopback interface until the process is ended."""
    from twisted.internet import reactor

    publisher: Any = globalLogPublisher
    publisher.addObserver(Warnings())
    running: Any = reactor
    listening = running.listenTCP(0, echoing_port(running), interface="127.0.0.1", backlog=1024)
    print(listening.getHost().port, flush=True)  # noqa: T201 - who started it waits for this
    running.run()


if __name__ == "__main__":
    main()
