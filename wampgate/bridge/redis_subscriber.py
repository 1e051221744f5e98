"""A connection to Redis that subscribes: to channels, patterns and sharded channels, at any time, and hears of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.defer import Deferred

from wampgate.bridge.redis_connection import Expected, RedisConnection, RedisError, RedisRefused, code_of, hint_of
from wampgate.bridge.rules import RedisSubscription, SubscriptionKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

BATCH: Final = 500
"""So many channels are named in one command: Redis does nothing else while it works on one."""

# As module constants: looking an enumeration's member up costs as much as the rest of what is done with a message.
EXACT: Final = SubscriptionKind.EXACT
PATTERN: Final = SubscriptionKind.PATTERN
SHARDED: Final = SubscriptionKind.SHARDED

_SUBSCRIBE: Final = {PATTERN: "PSUBSCRIBE", EXACT: "SUBSCRIBE", SHARDED: "SSUBSCRIBE"}
_UNSUBSCRIBE: Final = {PATTERN: "PUNSUBSCRIBE", EXACT: "UNSUBSCRIBE", SHARDED: "SUNSUBSCRIBE"}
_CONFIRMATIONS: Final = {
    command.lower().encode(): (kind, begins)
    for commands, begins in ((_SUBSCRIBE, True), (_UNSUBSCRIBE, False))
    for kind, command in commands.items()
}

_THREE: Final = (bytes, bytes, bytes)
_FOUR: Final = (bytes, bytes, bytes, bytes)
_CONFIRMATION: Final = (bytes, bytes, int)


class Received(Protocol):
    """Takes the messages of a connection."""

    def __call__(self, kind: SubscriptionKind, name: bytes, channel: bytes, message: bytes) -> None:
        """Take one message. Never raises.

        Args:
            kind: of the subscription that it came by.
            name: the channel or pattern that was subscribed to.
            channel: where the message was published.
            message: the payload.
        """


class RedisSubscriber(RedisConnection):
    """A subscriber's connection.

    Args:
        received: takes each message.
        changed: told of each subscription as Redis confirms that it begins or ends. Redis sent what
            was received before that call without the change, and what comes after it with the change.
        granted: what to write into an ACL, for the text of a refusal.
    """

    def __init__(
        self, received: Received, changed: Callable[[RedisSubscription, bool], None], granted: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._received = received
        self._changed = changed
        self._granted = granted

    async def subscribe(self, subscriptions: Iterable[RedisSubscription]) -> None:
        """Subscribe; returns when Redis has confirmed all.

        Raises:
            RedisRefused: Redis said no.
            ConnectionEnded: the connection was lost meanwhile.
        """
        await self._all(_SUBSCRIBE, subscriptions)

    async def unsubscribe(self, subscriptions: Iterable[RedisSubscription]) -> None:
        """End subscriptions; returns when Redis has confirmed all. Raises what :meth:`subscribe` raises."""
        await self._all(_UNSUBSCRIBE, subscriptions)

    async def _all(self, commands: Mapping[SubscriptionKind, str], subscriptions: Iterable[RedisSubscription]) -> None:
        """Send the commands at once, then wait for all their answers."""
        sent = [(command, self._command(command, names)) for command, names in _batches(commands, subscriptions)]
        refused: RedisRefused | None = None
        ended: Exception | None = None
        for command, answer in sent:
            try:
                await answer
            except RedisError as error:
                refused = refused or self._refused(command, error)
            except Exception as error:  # noqa: BLE001 - every answer has to be waited for before one is judged
                ended = ended or error
        if refused or ended:
            raise refused or ended  # type: ignore[misc]  # one of them is an exception

    def _command(self, command: str, names: Sequence[str]) -> Deferred[Any]:
        return self._expect(Expected(Deferred(), command.lower().encode(), len(names)), (command, *names))

    def _refused(self, command: str, error: RedisError) -> RedisRefused:
        code = code_of(error)
        if code == "NOPERM":
            return RedisRefused(f"{command} refused: grant the user what the rules read, as {self._acl()}")
        if code in ("MOVED", "CROSSSLOT", "CLUSTERDOWN"):
            return RedisRefused(
                f"{command} refused: {hint_of(error)}: sharded channels are read from a Redis that serves all slots"
            )
        if code == "ERR" and command == "SSUBSCRIBE":
            return RedisRefused(f"SSUBSCRIBE refused: sharded pub/sub takes Redis 7 or later ({hint_of(error)})")
        return RedisRefused(f"{command} refused: {hint_of(error)}")

    def _acl(self) -> str:
        return f"ACL SETUSER <user> +subscribe +psubscribe +ssubscribe +ping {' '.join(self._granted)}"

    def replied(self, reply: Any) -> None:
        """See :meth:`RedisConnection.replied`: a message, a confirmation, or the answer to a command."""
        # By the types of its parts: this runs for every message, and structural matching takes twice as long.
        types = tuple(map(type, reply)) if type(reply) is list else ()
        if types == _FOUR and reply[0] == b"pmessage":
            self._received(PATTERN, reply[1], reply[2], reply[3])
        elif types == _THREE and reply[0] == b"message":
            self._received(EXACT, reply[1], reply[1], reply[2])
        elif types == _THREE and reply[0] == b"smessage":
            self._received(SHARDED, reply[1], reply[1], reply[2])
        elif types == _CONFIRMATION and reply[0] in _CONFIRMATIONS:
            self._confirmed(reply[0], reply[1])
        else:
            super().replied(reply)

    def _confirmed(self, word: bytes, name: bytes) -> None:
        expected = self._expected[0] if self._expected else None
        if expected is None or expected.word != word:
            # A cluster does so when it moves a slot to another node.
            self.abort("it ended subscriptions by itself" if word.endswith(b"unsubscribe") else "it confirmed nothing")
            return
        kind, begins = _CONFIRMATIONS[word]
        self._changed(RedisSubscription(name.decode(errors="surrogateescape"), kind), begins)
        expected.count -= 1
        if not expected.count:
            self._expected.popleft().answer.callback(None)


def _batches(
    commands: Mapping[SubscriptionKind, str], subscriptions: Iterable[RedisSubscription]
) -> Iterator[tuple[str, list[str]]]:
    """Commands and the names in each, patterns first: who reads all of a rule's channels needs no single one."""
    names_by_kind: dict[SubscriptionKind, list[str]] = {kind: [] for kind in commands}
    for name, kind in subscriptions:
        names_by_kind[kind].append(name)
    for kind, names in names_by_kind.items():
        # In a cluster, the channels of one command must share a slot.
        size = 1 if kind is SHARDED else BATCH
        for start in range(0, len(names), size):
            yield commands[kind], names[start : start + size]
