"""A blocking WAMP client for tests that writes its own bytes: any message in any order, in three serializations.

Nothing of it comes from the router or from Autobahn, so that no mistake of theirs is shared.
"""

from __future__ import annotations

import json
import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import cbor2
import msgpack  # type: ignore[import-untyped]  # it ships no types
from raw_websocket import BINARY, TEXT, RawConnection, frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, EVENT = 16, 17, 32, 33, 34, 35, 36
CALL, CANCEL, RESULT, REGISTER, REGISTERED, UNREGISTER, UNREGISTERED, INVOCATION, INTERRUPT, YIELD = (
    48,
    49,
    50,
    64,
    65,
    66,
    67,
    68,
    69,
    70,
)

SERIALIZERS: Final = ("json", "msgpack", "cbor")
ROLES: Final[dict[str, dict[str, Any]]] = {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}

Message = list[Any]


class Aborted(Exception):
    """The router said ABORT."""

    def __init__(self, reason: str, details: dict[str, Any]) -> None:
        super().__init__(reason, details)
        self.reason = reason
        self.details = details


class WampError(Exception):
    """A request was answered with ERROR."""

    def __init__(self, uri: str, args: Sequence[Any], message: Message) -> None:
        super().__init__(uri, *args)
        self.uri = uri
        self.message = message


def encode(serializer: str, message: Any) -> bytes:
    """A WAMP message in one of the three serializations."""
    if serializer == "json":
        return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    if serializer == "msgpack":
        packed: bytes = msgpack.packb(message)
        return packed
    return cbor2.dumps(message)


def decode(serializer: str, data: bytes) -> Message:
    if serializer == "json":
        return list(json.loads(data))
    return list(msgpack.unpackb(data) if serializer == "msgpack" else cbor2.loads(data))


class Wamp:
    """What a WAMP client says and hears, whatever carries it: ``send`` and ``_next`` are the transport's.

    Attributes:
        serializer: ``json``, ``msgpack`` or ``cbor``.
        has_codes: whether the transport closes with a code.
        session: the session id; 0 before WELCOME.
        welcome: WELCOME's details.
    """

    serializer: str
    has_codes = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session = 0
        self.welcome: dict[str, Any] = {}
        self._last_request = 0
        self._waiting: deque[Message] = deque()

    def send_data(self, data: bytes) -> None:
        """Send one serialized message."""
        raise AssertionError("a transport does this")

    def receive_data(self) -> bytes:
        """The next serialized message."""
        raise AssertionError("a transport does this")

    def close(self) -> None:
        """Close the connection, if it is still open."""
        raise AssertionError("a transport does this")

    def closed(self) -> tuple[int | None, str]:
        """How the router closed the connection: the code, None where there are none, and the reason."""
        raise AssertionError("a transport does this")

    # --- messages ---

    def encoded(self, message: Any) -> bytes:
        return encode(self.serializer, message)

    def send(self, *elements: Any) -> None:
        """Send one message: its elements, type code first."""
        self.send_data(self.encoded(list(elements)))

    def receive(self) -> Message:
        """The next message.

        Raises:
            Closed, Ended, TimeoutError: there is none.
        """
        return self._waiting.popleft() if self._waiting else self._next()

    def next_request(self) -> int:
        self._last_request += 1
        return self._last_request

    def answer(self, code: int, request_code: int, request: int) -> Message:
        """The answer to a request; what comes before it is kept for :meth:`receive`.

        Raises:
            WampError: it is an ERROR.
            Aborted: the router ended the session.
        """
        while True:
            message = self._next()
            if message[0] == code and message[1] == request:
                return message
            if message[:3] == [ERROR, request_code, request]:
                raise WampError(message[4], message[5] if len(message) > 5 else [], message)
            if message[0] == ABORT:
                raise Aborted(message[2], message[1])
            self._waiting.append(message)

    # --- sessions ---

    def hello(self, realm: str = "realm1", **details: Any) -> None:
        self.send(HELLO, realm, {"roles": ROLES} | details)

    def join(self, ticket: str | None = None, *, realm: str = "realm1", **details: Any) -> Self:
        """Join a realm, with a ticket or as nobody.

        Raises:
            Aborted: the router refused.
        """
        if ticket is None:
            self.hello(realm, **details)
        else:
            self.hello(realm, **({"authmethods": ["ticket"]} | details))
            message = self._next()
            if message[0] == ABORT:
                raise Aborted(message[2], message[1])
            assert message[:2] == [CHALLENGE, "ticket"], message
            self.send(AUTHENTICATE, ticket, {})
        message = self._next()
        if message[0] == ABORT:
            raise Aborted(message[2], message[1])
        assert message[0] == WELCOME, message
        self.session, self.welcome = message[1], message[2]
        return self

    def leave(self) -> Message:
        """Say GOODBYE and return the router's."""
        self.send(GOODBYE, {}, "wamp.close.close_realm")
        while (message := self._next())[0] != GOODBYE:
            self._waiting.append(message)
        return message

    # --- requests ---

    def subscribe(self, topic: str, **options: Any) -> int:
        """Subscribe and return the subscription id; raises as :meth:`answer`."""
        request = self.next_request()
        self.send(SUBSCRIBE, request, options, topic)
        return int(self.answer(SUBSCRIBED, SUBSCRIBE, request)[2])

    def unsubscribe(self, subscription: int) -> None:
        request = self.next_request()
        self.send(UNSUBSCRIBE, request, subscription)
        self.answer(UNSUBSCRIBED, UNSUBSCRIBE, request)

    def publish(self, topic: str, *payload: Any, **options: Any) -> int:
        """Publish with acknowledgement; ``payload`` is args, or args and kwargs. Returns the publication id."""
        request = self.next_request()
        self.send(PUBLISH, request, {"acknowledge": True} | options, topic, *payload)
        return int(self.answer(PUBLISHED, PUBLISH, request)[2])

    def register(self, procedure: str, **options: Any) -> int:
        request = self.next_request()
        self.send(REGISTER, request, options, procedure)
        return int(self.answer(REGISTERED, REGISTER, request)[2])

    def unregister(self, registration: int) -> None:
        request = self.next_request()
        self.send(UNREGISTER, request, registration)
        self.answer(UNREGISTERED, UNREGISTER, request)

    def start_call(self, procedure: str, *payload: Any, **options: Any) -> int:
        """Call without waiting; the request id."""
        request = self.next_request()
        self.send(CALL, request, options, procedure, *payload)
        return request

    def result(self, request: int) -> Message:
        """The RESULT of a call; raises as :meth:`answer`."""
        return self.answer(RESULT, CALL, request)

    def call(self, procedure: str, *payload: Any, **options: Any) -> Any:
        """Call and return the first positional result; None if there is none."""
        result = self.result(self.start_call(procedure, *payload, **options))
        return result[3][0] if len(result) > 3 and result[3] else None

    def event(self) -> Message:
        """The next EVENT; nothing else may come before it."""
        message = self.receive()
        assert message[0] == EVENT, message
        return message

    def events(self) -> list[Message]:
        """All events that the router has sent up to now: it answers in order, so one round trip tells."""
        request = self.next_request()
        self.send(UNSUBSCRIBE, request, 2**53)
        with suppress(WampError):
            self.answer(UNSUBSCRIBED, UNSUBSCRIBE, request)
        events = [message for message in self._waiting if message[0] == EVENT]
        self._waiting = deque(message for message in self._waiting if message[0] != EVENT)
        return events

    def aborted(self) -> tuple[str, int | None]:
        """The reason of the ABORT that comes next and the code of the close frame after it."""
        message = self.receive()
        assert message[0] == ABORT, message
        assert isinstance(message[1], dict)
        return message[2], self.closed()[0]

    def violated(self) -> bool:
        """Whether the router ends the session because the protocol was broken, as the transport has it."""
        return self.aborted() == ("wamp.error.protocol_violation", 1002 if self.has_codes else None)

    def ended_with(self, code: int) -> bool:
        """Whether the router closes the connection, with this code where the transport has such."""
        return self.closed()[0] == (code if self.has_codes else None)

    def _next(self) -> Message:
        return decode(self.serializer, self.receive_data())


class Peer(Wamp, RawConnection):
    """A WAMP client on a WebSocket that is open already.

    Args:
        port: on 127.0.0.1.
        serializer: ``json``, ``msgpack`` or ``cbor``.
        headers: see :func:`upgrade_request`.
        path: where the WebSocket is opened, with its query string.
        connection: see :class:`RawConnection`.
    """

    def __init__(
        self,
        port: int,
        serializer: str = "json",
        *,
        headers: Iterable[tuple[str, str]] = (),
        path: str = "/ws",
        **connection: Any,
    ) -> None:
        super().__init__(port, **connection)
        self.serializer = serializer
        self.opcode = TEXT if serializer == "json" else BINARY
        try:
            response = self.upgrade(f"wamp.2.{serializer}", headers=headers, path=path)
        except BaseException:
            self.close()
            raise
        assert response.headers["sec-websocket-protocol"] == f"wamp.2.{serializer}"

    def framed(self, message: Any, **how: Any) -> bytes:
        return frame(self.opcode, self.encoded(message), **how)

    def send_data(self, data: bytes) -> None:
        """See :class:`Wamp`."""
        self.send_bytes(frame(self.opcode, data))

    def receive_data(self) -> bytes:
        """See :class:`Wamp`."""
        opcode, data = self.receive_message()
        assert opcode == self.opcode, "the router must use the serializer's kind of message"
        return data

    def close(self) -> None:
        """See :class:`Wamp`."""
        RawConnection.close(self)

    def closed(self) -> tuple[int | None, str]:
        """See :class:`Wamp`."""
        return RawConnection.closed(self)


def random_name(beginning: str = "com.example") -> str:
    """A URI that no other test uses."""
    return f"{beginning}.{os.urandom(6).hex()}"
