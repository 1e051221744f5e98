"""Where poison goes: entries that no rule can read, copied to a stream beside their own, once for all nodes.

A copy has the id of its original. Redis takes ids in rising order only, so that it
refuses a second copy, whichever node brings it and after whatever crash.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from twisted.logger import Logger

from wampgate.bridge.decoding import MAX_SIZE
from wampgate.bridge.redis_connection import ConnectionEnded, RedisError, hint_of

if TYPE_CHECKING:
    from collections import Counter

    from wampgate.bridge.redis_connection import RedisConnection
    from wampgate.bridge.rules import Dropped
    from wampgate.bridge.stream_entries import Entry

MAX_LENGTH: Final = 10_000
"""About so many dead letters of one stream are kept, the newest."""

_MAX_WAITING: Final = 1_000
_ALREADY_THERE: Final = "equal or smaller than the target stream top item"

log = Logger()


class DeadLetters:
    """Brings poison away.

    Args:
        name: the bridge's, for the log.
        suffix: what is appended to a stream's key to make the key of its dead letters; None to bring none away.
        counters: ``dead_letters``, ``dead_letter_failed`` and ``dead_letter_lost`` are counted here.
    """

    def __init__(self, name: str, suffix: str | None, counters: Counter[str]) -> None:
        self._name = name
        self._suffix = suffix
        self._counters = counters
        self._waiting: deque[tuple[Entry, Dropped]] = deque()
        self._complained: set[str] = set()

    def add(self, entry: Entry, dropped: Dropped) -> None:
        """Note an entry to be brought away by the next :meth:`send`."""
        if self._suffix is None:
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._waiting.popleft()
            self._counters["dead_letter_lost"] += 1
        self._waiting.append((entry, dropped))

    async def send(self, connection: RedisConnection) -> None:
        """Bring away what was noted.

        Raises:
            ConnectionEnded: the connection was lost; what was not brought away is kept for the next one.
        """
        while self._waiting:
            entry, dropped = self._waiting[0]
            try:
                await connection.execute(*self._command(entry, dropped))
            except ConnectionEnded:
                raise
            except RedisError as error:
                self._refused(entry, error)
            else:
                self._counters["dead_letters"] += 1
            self._waiting.popleft()

    def _command(self, entry: Entry, dropped: Dropped) -> tuple[str | bytes, ...]:
        key = f"{entry.stream}{self._suffix}"
        why = ("wampgate.stream", entry.stream, "wampgate.reason", dropped.kind, "wampgate.detail", dropped.detail)
        # Of what is too large the original has to do.
        fields = () if entry.size > MAX_SIZE else tuple(part for field in entry.fields.items() for part in field)
        return ("XADD", key, "MAXLEN", "~", str(MAX_LENGTH), str(entry.id), *why, *fields)

    def _refused(self, entry: Entry, error: RedisError) -> None:
        if _ALREADY_THERE in str(error):
            return
        self._counters["dead_letter_failed"] += 1
        if entry.stream not in self._complained:
            self._complained.add(entry.stream)
            log.warn(
                "bridge {name}: no dead letter can be written to {key}: {reason}. "
                "Poison of this stream is counted and left where it is.",
                name=self._name,
                key=f"{entry.stream}{self._suffix}",
                reason=hint_of(error),
            )
