"""One connection to Redis, as a subscriber: authenticate, subscribe, receive; on txredisapi's protocol.

txredisapi's own subscriber answers the wrong command when several subscriptions
are confirmed, logs what a server says about a refused password, and lets the
reader's exceptions through. So only its command and reply handling is used.

Importing txredisapi installs Twisted's default reactor: import this module only
when the reactor has been chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import txredisapi
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory

from wampgate.tls import why_tls_failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from wampgate.bridge.redis_url import RedisAddress


class Received(Protocol):
    """Takes the messages of a connection."""

    def __call__(self, name: bytes, pattern: bool, channel: bytes, message: bytes) -> None:
        """Take one message. Never raises.

        Args:
            name: the channel or pattern that was subscribed to.
            pattern: whether it is a pattern.
            channel: where the message was published.
            message: the payload.
        """


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


class RedisConnection(txredisapi.RedisProtocol):  # type: ignore[misc]  # txredisapi ships no types
    """A subscriber's connection.

    Attributes:
        heard: whether anything has come since this was last set to False.
    """

    def __init__(self, received: Received) -> None:
        # No charset and no numbers: payloads stay the bytes that they are.
        super().__init__(charset=None, convertNumbers=False)
        self.heard = False
        self._deliver = received
        self._unconfirmed = 0
        self._unread = 0
        self._reason = ""
        self._open = False
        self._closed: list[Deferred[str]] = []
        self._names: Sequence[str] = ()

    async def subscribe(self, address: RedisAddress, channels: Sequence[str], patterns: Sequence[str]) -> None:
        """Authenticate if the address says so, then subscribe; returns when Redis has confirmed all.

        Raises:
            RedisRefused: Redis said no.
            txredisapi.ConnectionError: the connection was lost meanwhile.
        """
        self._names = (*channels, *patterns)
        if address.password is not None:
            await self._authenticate(address.username, address.password)
        await self._confirmed("SUBSCRIBE", channels)
        await self._confirmed("PSUBSCRIBE", patterns)

    async def _authenticate(self, username: str | None, password: str) -> None:
        try:
            await self.auth(password, username)
        except txredisapi.ResponseError as error:
            # A server that doesn't know AUTH quotes its arguments: repeat the code only.
            code = str(error).partition(" ")[0]
            hint = _AUTHENTICATION_HINT.get(code, "it accepts no AUTH as the URL has it")
            raise RedisRefused(f"authentication refused: {hint}") from None

    async def _confirmed(self, command: str, names: Sequence[str]) -> None:
        if not names:
            return
        self._unconfirmed = len(names)
        try:
            await self.execute_command(command, *names)
        except txredisapi.ResponseError as error:
            code = str(error).partition(" ")[0]
            if code == "NOPERM":
                raise RedisRefused(
                    f"{command} refused: grant the user what the rules read, as "
                    f"ACL SETUSER <user> +subscribe +psubscribe +ping {' '.join('&' + name for name in self._names)}"
                ) from None
            raise RedisRefused(f"{command} refused: {_AUTHENTICATION_HINT.get(code, _shown(str(error)))}") from None

    def ask(self) -> None:
        """Send PING: whatever comes next says that Redis is alive."""
        self.heard = False
        # The answer is seen by dataReceived; if it never comes, connectionLost says so.
        self.ping().addErrback(lambda _: None)

    def abort(self, reason: str) -> None:
        """End the connection at once, for this reason."""
        if self._open:
            self._reason = self._reason or reason
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
        """See twisted.internet.protocol. txredisapi's would authenticate here, and log what it is told."""
        self._open = True

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        self.heard = True
        self._unread += len(data)
        try:
            super().dataReceived(data, unpause)
        except txredisapi.InvalidData:
            self.abort("what answers there does not speak as Redis does; is it another port, or one with TLS?")
        if self._unread > MAX_UNREAD:
            self.abort(f"it sent a message of more than {MAX_UNREAD >> 20} MiB")

    def replyReceived(self, reply: Any) -> None:  # noqa: N802 - txredisapi's name
        """See txredisapi: a message, a confirmation, or the answer to a command."""
        self._unread = 0
        match reply:
            case [b"message", channel, message]:
                self._message(channel, False, channel, message)
            case [b"pmessage", pattern, channel, message]:
                self._message(pattern, True, channel, message)
            case [b"subscribe" | b"psubscribe", *_]:
                self._unconfirmed -= 1
                if not self._unconfirmed:
                    self.replyQueue.put(reply)
            case _:
                self.replyQueue.put(reply)

    def _message(self, name: bytes, pattern: bool, channel: bytes, message: bytes) -> None:
        # Once the connection is given up, what was in the same read comes to nobody.
        if not self._reason:
            self._deliver(name, pattern, channel, message)

    def connectionLost(self, why: Failure) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        self._open = False
        self._reason = self._reason or _reason(why)
        super().connectionLost(why)
        closed, self._closed = self._closed, []
        for waiting in closed:
            waiting.callback(self._reason)


class OneConnection(Factory):
    """Hands out the connection that it was made for."""

    noisy = False

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> RedisConnection:  # noqa: ARG002, N802 - Twisted's signature
        """See twisted.internet.protocol."""
        return self._connection


def _reason(why: Failure) -> str:
    """Why a connection ended, in one sentence without secrets."""
    error = why.value
    if isinstance(error, ConnectionDone):
        return "it closed the connection"
    return why_tls_failed(error) or _shown(why.getErrorMessage())


def _shown(text: str) -> str:
    """What a server said, safe for a log line."""
    return repr(text[:200])[1:-1]
