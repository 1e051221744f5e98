"""A connection to one Redis for commands that are answered at once, made when it is first asked for."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from wampgate.bridge.redis_connection import RedisConnection, RedisError, RedisRefused, hint_of
from wampgate.bridge.redis_link import RedisLink

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase

    from wampgate.bridge.redis_url import RedisAddress
    from wampgate.tls import TrustRoot

_WAIT_SECONDS: Final = 2.0
"""How long someone who asks waits for a connection."""


class RedisCommands:
    """A connection for whoever asks, kept from then on.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        address: where Redis is, with the database.
        trust_root: whose certificates to trust, for ``rediss``.
        ping_seconds: how often to ask whether Redis is alive; it has as long to answer.

    Raises:
        ValueError: the address can't be connected to with TLS.
    """

    def __init__(
        self, reactor: ReactorBase, name: str, address: RedisAddress, *, trust_root: TrustRoot, ping_seconds: float
    ) -> None:
        self._reactor = reactor
        self._database = address.database
        self._connection: RedisConnection | None = None
        self._waiting: list[Deferred[RedisConnection | None]] = []
        self._stopped = True
        self._link = RedisLink(
            reactor,
            name,
            address,
            self,
            what="asking",
            loss="Questions about older events are not answered meanwhile",
            trust_root=trust_root,
            ping_seconds=ping_seconds,
            # The reader's connection is the one that is counted.
            counters=Counter(),
        )

    async def get(self) -> RedisConnection | None:
        """The connection; None if there is none within 2 s."""
        if self._connection is not None or self._stopped:
            return self._connection
        self._link.start()
        waiting: Deferred[RedisConnection | None] = Deferred()
        self._waiting.append(waiting)
        late = self._reactor.callLater(_WAIT_SECONDS, self._give_up, waiting)
        try:
            return await waiting
        finally:
            with suppress(AlreadyCalled, AlreadyCancelled):
                late.cancel()

    def start(self) -> None:
        """Let :meth:`get` make the connection."""
        self._stopped = False

    async def stop(self) -> None:
        """Close it; nobody gets another one."""
        self._stopped = True
        self._hand_out(None)
        await self._link.stop()

    def connection(self) -> RedisConnection:
        """See :class:`wampgate.bridge.redis_link.User`."""
        return RedisConnection()

    async def prepare(self, connection: RedisConnection) -> None:
        """See :class:`wampgate.bridge.redis_link.User`.

        Raises:
            RedisRefused: Redis said no.
            ConnectionEnded: the connection was lost meanwhile.
        """
        try:
            await connection.execute("SELECT", str(self._database))
        except RedisError as error:
            raise RedisRefused(f"SELECT {self._database} refused: {hint_of(error)}") from None

    def came(self, connection: RedisConnection) -> None:
        """See :class:`wampgate.bridge.redis_link.User`."""
        self._connection = connection
        self._hand_out(connection)

    def went(self, connection: RedisConnection) -> None:  # noqa: ARG002 - the link's signature
        """See :class:`wampgate.bridge.redis_link.User`."""
        self._connection = None

    def _hand_out(self, connection: RedisConnection | None) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(connection)

    def _give_up(self, waiting: Any) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            waiting.callback(None)
