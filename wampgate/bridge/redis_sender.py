"""Sends the realm's publications to one Redis, by rules; keeps them within bounds while it is away."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wampgate.bridge.out import OutQueue
from wampgate.bridge.redis_connection import RedisConnection, RedisError, code_of, encoded, hint_of
from wampgate.bridge.redis_link import RedisLink

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from twisted.internet.base import ReactorBase

    from wampgate.bridge.out import OutRule
    from wampgate.bridge.redis_url import RedisAddress
    from wampgate.core.session import Session
    from wampgate.tls import TrustRoot
    from wampgate.wire.payload import Payload

WINDOW: Final = 1_000
WINDOW_BYTES: Final = 1 << 20
"""So much may be without an answer: what is lost with a connection is no more than that."""

_FAREWELL_SECONDS: Final = 1.0
"""How long stopping waits for what is still to be sent."""

BRIDGE: Final = "bridge"
"""The authmethod of whoever publishes what came from elsewhere."""

log = Logger()


class RedisSending(RedisConnection):
    """A publisher's connection: commands go out without waiting for one another's answers.

    Args:
        answered: told of each answer to what :meth:`publish` sent.

    Attributes:
        unanswered_bytes: how many bytes of commands have no answer yet.
    """

    def __init__(self, answered: Callable[[int | RedisError], None]) -> None:
        super().__init__()
        self.unanswered_bytes = 0
        self._lengths: deque[int] = deque()
        self._answered = answered

    @property
    def unanswered(self) -> int:
        """How many commands have no answer yet."""
        return len(self._lengths)

    def publish(self, commands: Sequence[bytes]) -> None:
        """Send encoded PUBLISH commands."""
        self._lengths.extend(map(len, commands))
        self.unanswered_bytes += sum(map(len, commands))
        self.send(b"".join(commands))

    def replied(self, reply: Any) -> None:
        """See :meth:`RedisConnection.replied`. Of all commands here, only PUBLISH is answered by a number."""
        if self._lengths and isinstance(reply, int | RedisError):
            self.unanswered_bytes -= self._lengths.popleft()
            self._answered(reply)
        else:
            super().replied(reply)


class RedisSender:
    """Publications on their way to one Redis. Each leaves once at most.

    Args:
        reactor: Twisted's.
        name: the bridge's, for the log.
        address: where Redis is.
        rules: what leaves.
        trust_root: whose certificates to trust, for ``rediss``.
        ping_seconds: how often to ask whether Redis is alive; it has as long to answer.
        counters: what happens is counted here; the names stand in ``docs/redis.md``.
        queue: holds what waits.

    Raises:
        ValueError: the address can't be connected to with TLS.
    """

    def __init__(
        self,
        reactor: ReactorBase,
        name: str,
        address: RedisAddress,
        rules: Sequence[OutRule],
        *,
        trust_root: TrustRoot,
        ping_seconds: float,
        counters: Counter[str],
        queue: OutQueue | None = None,
    ) -> None:
        self._reactor = reactor
        self._clock: Any = reactor
        self._name = name
        self._rules = tuple(rules)
        self._counters = counters
        self._queue = queue or OutQueue()
        self._link = RedisLink(
            reactor,
            name,
            address,
            self,
            what="sending to",
            loss="What is to be sent there waits, within bounds",
            trust_root=trust_root,
            ping_seconds=ping_seconds,
            counters=counters,
        )
        self._connection: RedisSending | None = None
        self._scheduled = False
        self._running = False
        self._full = False
        self._logged: set[str] = set()

    @property
    def ready(self) -> bool:
        """Whether what is published leaves at once, now."""
        return self._link.ready

    def start(self) -> None:
        """Begin to send. Does nothing if that was done."""
        self._running = True
        self._link.start()

    def stop(self) -> Deferred[None]:
        """Send what waits, if Redis takes it soon, and no more; fires when all is at rest."""
        self._running = False
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        deadline = self._reactor.seconds() + _FAREWELL_SECONDS
        while self._connection is not None and (len(self._queue) or self._connection.unanswered):
            self._flush()
            if self._reactor.seconds() >= deadline:
                break
            await deferLater(self._clock, 0.01)
        await self._link.stop()

    # --- what is to be sent ---

    def take(self, publisher: Session, topic: str, publication: int, payload: Payload, disclosed: bool) -> None:
        """Queue a publication; see :class:`wampgate.core.interfaces.Outlet`."""
        # What came by a bridge does not go out by one: so nothing goes in circles, nor over several routers.
        if not self._running or publisher.principal.authmethod == BRIDGE:
            return
        for rule in self._rules:
            try:
                words = rule.command(publisher if disclosed else None, topic, publication, payload)
            except ValueError as error:
                self._counters["not_plain"] += 1
                self._log_once(rule.label, str(error))
            except Exception:  # noqa: BLE001 - our own fault; publishing must go on
                self._counters["failed"] += 1
                log.failure("bridge {name}: {rule}: a publication could not be sent", name=self._name, rule=rule.label)
            else:
                if words is not None:
                    self._put(encoded(words))

    def _put(self, command: bytes) -> None:
        if self._queue.put(command):
            self._schedule()
            return
        self._counters["out_dropped"] += 1
        if not self._full:
            self._full = True
            log.warn(
                "bridge {name}: what is to be sent to Redis fills its queue; more is dropped and counted (out_dropped)",
                name=self._name,
            )

    def _schedule(self) -> None:
        # What is published in one turn leaves in one piece.
        if not self._scheduled and self._connection is not None:
            self._scheduled = True
            self._reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        connection = self._connection
        if connection is None:
            return
        commands = self._queue.take(WINDOW - connection.unanswered, WINDOW_BYTES - connection.unanswered_bytes)
        if commands:
            connection.publish(commands)
        if not len(self._queue):
            self._full = False

    def _answer(self, reply: int | RedisError) -> None:
        if isinstance(reply, RedisError):
            self._counters["out_refused"] += 1
            self._log_once(code_of(reply), _advice(reply, self._rules))
        else:
            self._counters["sent"] += 1
            if not reply:
                self._counters["sent_unheard"] += 1
        if len(self._queue):
            self._schedule()

    def _log_once(self, key: str, text: str) -> None:
        if key not in self._logged:
            self._logged.add(key)
            log.warn(
                "bridge {name}: a publication was not sent: {text}. More of this kind are counted, not logged.",
                name=self._name,
                text=text,
            )

    # --- the connection's user ---

    def connection(self) -> RedisSending:
        """See :meth:`wampgate.bridge.redis_link.User.connection`."""
        return RedisSending(self._answer)

    async def prepare(self, connection: RedisSending) -> None:
        """See :meth:`wampgate.bridge.redis_link.User.prepare`."""
        await connection.greet()

    def came(self, connection: RedisSending) -> None:
        """See :meth:`wampgate.bridge.redis_link.User.came`."""
        self._connection = connection
        self._flush()

    def went(self, connection: RedisSending) -> None:
        """See :meth:`wampgate.bridge.redis_link.User.went`."""
        self._connection = None
        # Redis may have published them or not: to send them again could be once too often.
        self._counters["unconfirmed"] += connection.unanswered


def _advice(error: RedisError, rules: Sequence[OutRule]) -> str:
    if code_of(error) == "NOPERM":
        channels = " ".join(dict.fromkeys(f"&{rule.channel.glob()}" for rule in rules))
        return f"grant the user what the rules send, as ACL SETUSER <user> +publish +spublish +ping {channels}"
    return hint_of(error)
