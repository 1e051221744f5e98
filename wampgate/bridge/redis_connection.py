"""One connection to Redis: authenticates, sends commands, hands on what comes; hiredis reads the replies."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any, Final

import hiredis
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone

from wampgate.tls import why_tls_failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from wampgate.bridge.redis_url import RedisAddress

MAX_UNREAD: Final = 64 << 20
"""How many bytes one reply may take before the connection is given up. Redis itself cuts
a subscriber off at 32 MiB by default, so whoever is beyond that is no friend."""

_AUTHENTICATION_HINT: Final = {
    "WRONGPASS": "user or password is wrong, or the user is off",
    "NOAUTH": "it wants a password; put one into the URL",
    "NOPERM": "the user may not do this",
}


class RedisRefused(Exception):
    """Redis answered a command with an error. Its text holds no secret."""


class ConnectionEnded(Exception):
    """The connection ended before Redis had answered. Its text says why, without secrets."""


class RedisError(Exception):
    """An error as Redis sent it. It may quote what was sent, secrets included: see :func:`hint_of`."""


class _NotRedis(Exception):
    """What came is not Redis' protocol."""


@dataclass(slots=True)
class Expected:
    """A reply that Redis owes.

    Attributes:
        answer: fires with it.
        word: what each of several replies begins with, if the command is answered so.
        count: how many of those are still to come.
    """

    answer: Deferred[Any]
    word: bytes = b""
    count: int = 0


class RedisConnection(Protocol):
    """A connection to Redis. Replies come in the order of their commands; pushed messages come in between.

    Attributes:
        heard: whether anything has come since this was last set to False.
        heard_at: when something came last, in seconds since 1970.
        given_up: why the connection was given up; empty as long as it was not.
    """

    # Twisted's own type knows its methods by zope.interface only.
    transport: Any

    def __init__(self) -> None:
        self.heard = False
        self.heard_at = time()
        self.given_up = ""
        self._reader = hiredis.Reader(protocolError=_NotRedis, replyError=RedisError)
        self._unread = 0
        self._open = False
        self._reason = ""
        self._closed: list[Deferred[str]] = []
        self._expected: deque[Expected] = deque()

    async def authenticate(self, address: RedisAddress) -> None:
        """Log in if the address says so.

        Raises:
            RedisRefused: Redis said no.
            ConnectionEnded: the connection was lost meanwhile.
        """
        if address.password is None:
            return
        user = () if address.username is None else (address.username,)
        try:
            await self.execute("AUTH", *user, address.password)
        except RedisError as error:
            # A server that doesn't know AUTH quotes its arguments: repeat the code only.
            hint = _AUTHENTICATION_HINT.get(code_of(error), "it accepts no AUTH as the URL has it")
            raise RedisRefused(f"authentication refused: {hint}") from None

    async def greet(self) -> None:
        """See that someone answers who lets us speak.

        Raises:
            RedisRefused: Redis wants a password.
            ConnectionEnded: the connection was lost meanwhile.
        """
        try:
            await self.execute("PING")
        except RedisError as error:
            # A user who may not ping is answered too.
            if code_of(error) != "NOPERM":
                raise RedisRefused(f"PING refused: {hint_of(error)}") from None

    def execute(self, *words: str | bytes) -> Deferred[Any]:
        """Send a command; fires with its reply, fails with :class:`RedisError` or :class:`ConnectionEnded`."""
        return self._expect(Expected(Deferred()), words)

    def _expect(self, expected: Expected, words: Sequence[str | bytes]) -> Deferred[Any]:
        if self._open:
            self._expected.append(expected)
            self.send(encoded(words))
        else:
            expected.answer.errback(ConnectionEnded(self._reason or "there is no connection"))
        return expected.answer

    def send(self, commands: bytes) -> None:
        """Send encoded commands whose replies :meth:`replied` takes; nothing happens once the connection is closed."""
        if self._open:
            self.transport.write(commands)

    def replied(self, reply: Any) -> None:
        """Take a reply or a pushed message: an answer to the oldest command, unless a subclass knows better."""
        if not self._expected:
            self.abort("it sent an answer to nothing: it does not speak as Redis does")
        elif isinstance(reply, RedisError):
            self._expected.popleft().answer.errback(reply)
        else:
            self._expected.popleft().answer.callback(reply)

    def ask(self) -> None:
        """Send PING: whatever comes next says that Redis is alive."""
        self.heard = False
        # The answer is seen by dataReceived; if it never comes, connectionLost says so.
        self.execute("PING").addErrback(lambda _: None)

    def abort(self, reason: str) -> None:
        """End the connection at once, for this reason."""
        if self._open:
            self.given_up = self.given_up or reason
            self.transport.abortConnection()

    def closed(self) -> Deferred[str]:
        """When the connection has ended, and why; at once if it has."""
        closed: Deferred[str] = Deferred()
        if self._open:
            self._closed.append(closed)
        else:
            closed.callback(self._reason)
        return closed

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        self._open = True

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        self.heard = True
        self.heard_at = time()
        self._unread += len(data)
        reader = self._reader
        try:
            reader.feed(data)
            # Once the connection is given up, what was in the same read comes to nobody.
            while not self.given_up and (reply := reader.gets()) is not False:
                self._unread = 0
                self.replied(reply)
        except _NotRedis:
            self.abort("what answers there does not speak as Redis does; is it another port, or one with TLS?")
        if self._unread > MAX_UNREAD:
            self.abort(f"it sent a message of more than {MAX_UNREAD >> 20} MiB")

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        self._open = False
        self._reason = self.given_up or _reason(reason)
        self.given_up = self._reason
        closed, self._closed = self._closed, []
        unanswered, self._expected = self._expected, deque()
        for expected in unanswered:
            expected.answer.errback(ConnectionEnded(self._reason))
        for listener in closed:
            listener.callback(self._reason)


class OneConnection(Factory):
    """Hands out the connection that it was made for."""

    noisy = False

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> RedisConnection:  # noqa: ARG002, N802 - Twisted's signature
        """See twisted.internet.protocol."""
        return self._connection


def encoded(words: Sequence[str | bytes]) -> bytes:
    """A command as Redis reads it: an array of byte strings."""
    # Any: hiredis' type says that a command is one word.
    pack: Any = hiredis.pack_command
    packed: bytes = pack(tuple(words))
    return packed


def code_of(error: RedisError) -> str:
    """The first word of an error, which names its kind."""
    return str(error).partition(" ")[0]


def hint_of(error: RedisError) -> str:
    """What an error means, safe for a log line; not for commands that hold secrets."""
    return _AUTHENTICATION_HINT.get(code_of(error), shown(str(error)))


def shown(text: str) -> str:
    """What a server said, safe for a log line."""
    return repr(text[:200])[1:-1]


def _reason(why: Failure) -> str:
    """Why a connection ended, in one sentence without secrets."""
    error = why.value
    if isinstance(error, ConnectionDone):
        return "it closed the connection"
    return why_tls_failed(error) or shown(why.getErrorMessage())
