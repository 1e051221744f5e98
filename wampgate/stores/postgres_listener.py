"""Listens for what Postgres' triggers tell, over a connection of its own, and knows whether it would hear."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change
from wampgate.stores.backoff import delay_after
from wampgate.stores.deadlines import TooLate, within
from wampgate.stores.engine import QueryRefused
from wampgate.stores.notifications import CHANNEL, PayloadUnreadable, heartbeat, read
from wampgate.stores.postgres_address import HostNames, PostgresAddress
from wampgate.stores.postgres_batches import array_literal
from wampgate.stores.postgres_connection import ConnectionGone, PostgresConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.posixbase import PosixReactorBase
    from twisted.python.failure import Failure

    from wampgate.stores.engine import Engine

log = Logger()

HEARTBEAT_SECONDS: Final = 10.0
"""The connection is tried this often: a frozen or cut-off server says nothing by itself."""

LONGEST_DELAY: Final = 1.0
"""Seconds between attempts to connect to a server that is away, at most."""

LONGEST_DELAY_UNFIT: Final = 30.0
"""The same for a server that is there but can't be listened to: until somebody has changed something."""

_LISTEN: Final = f"LISTEN {CHANNEL}"
_UNLISTEN: Final = f"UNLISTEN {CHANNEL}"
_IS_REPLICA: Final = "SELECT pg_catalog.pg_is_in_recovery()"
_SEND: Final = f"SELECT pg_catalog.pg_notify('{CHANNEL}', %(payload)s)"
_TABLES: Final = """
SELECT pg_catalog.string_agg(DISTINCT t.tgrelid::pg_catalog.regclass::text, ', ')
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE p.proname = 'wampgate_tell' AND t.tgenabled IN ('O', 'A')
    AND t.tgrelid IS DISTINCT FROM pg_catalog.to_regclass('wampgate_credentials')
"""
"""Those that tell of tokens and memberships: the table of credentials always does, and says nothing about theirs."""

# Whether each table has all the triggers that a table of tokens needs: bits 8, 16 and 32 stand for DELETE, UPDATE and
# TRUNCATE. What is written to a partition or a child directly does not fire its parent's.
_TELLS_OF_ALL: Final = """
SELECT coalesce(pg_catalog.bool_and(events & 56 = 56), false) FROM (
    SELECT coalesce(pg_catalog.bit_or(t.tgtype), 0) AS events
    FROM pg_catalog.unnest(%(tables)s::text[]) AS wanted (name)
    LEFT JOIN pg_catalog.pg_class c
        ON c.oid = pg_catalog.to_regclass(wanted.name) AND c.relkind = 'r' AND NOT c.relhassubclass
    LEFT JOIN pg_catalog.pg_trigger t
        ON t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND t.tgattr::text = ''
        AND t.tgfoid IN (SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.proname = 'wampgate_tell')
    GROUP BY wanted.name
) AS tables
"""

CATCH_UP_SECONDS: Final = 0.05
"""So far apart, at least, are the notifications that :meth:`PostgresListener.catch_up` sends."""

_READ_ONLY: Final = "25006"
"""What a replica answers to NOTIFY."""

_DEAF: Final = "changes in the token store are not heard of now"

_NO_TRIGGERS: Final = "no table here has the triggers that tell of changes; docs/postgres.md shows how to install them"


class _Unfit(Exception):
    """The server is there, but what changes is not heard there; says why and what to do."""


class PostgresListener:
    """A :class:`wampgate.stores.engine.Ear` for Postgres.

    It hears once a notification that was sent over one of the connections that ask
    the questions has arrived here, and some table has our triggers. A notification that is
    sent here would also arrive through a PgBouncer in transaction mode, or in another database.

    Args:
        reactor: Twisted's.
        address: where the primary is.
        questions: what asks the store's questions.
        timeout: seconds for connecting, and for each answer and each notification.
        token_tables: the tables that decide about a token; none if it is not known which.
    """

    def __init__(
        self,
        reactor: PosixReactorBase,
        address: PostgresAddress,
        questions: Engine,
        *,
        timeout: float,
        token_tables: Sequence[str] = (),
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._questions = questions
        self._timeout = timeout
        self._names = HostNames(reactor)
        self._running = False
        self._listening: Deferred[None] | None = None
        self._proven = False
        self._tables = ""
        self._token_tables = array_literal(token_tables)
        self._tells_of_tokens = False
        self._complaint = ""
        self._failures = 0
        self._rotation = 0
        self._heartbeat = ""
        self._arrived = False
        self._lost = False
        self._waiting: Deferred[None] | None = None
        self._unreadable = False
        self._marks: dict[str, Deferred[None]] = {}
        self._next_mark = 0.0

    @property
    def hears(self) -> bool:
        """Whether it hears of changes at once, now."""
        return self._proven and bool(self._tables)

    @property
    def hears_tokens(self) -> bool:
        """See :class:`wampgate.stores.token_memory.Witness`."""
        return self._proven and self._tells_of_tokens

    async def catch_up(self, deadline: float) -> None:
        """See :class:`wampgate.stores.token_memory.Witness`.

        Postgres hands out notifications in the order of their transactions' commits. So
        when one arrives that was sent just now, all earlier ones have arrived.

        Raises:
            StoreUnavailable: it does not arrive in time, or nothing is heard.
        """
        await self._pause(deadline)
        mark = secrets.token_hex(8)
        arrived = self._marks[mark] = Deferred()
        try:
            if not self._proven:
                raise StoreUnavailable(_DEAF)
            await self._questions.ask(_SEND, {"payload": heartbeat(mark)}, deadline)
            if not arrived.called:
                await within(self._reactor, max(0.0, deadline - self._reactor.seconds()), arrived)
        except (TooLate, QueryRefused):
            raise StoreUnavailable(_DEAF) from None
        finally:
            self._marks.pop(mark, None)
        if not self._proven:
            raise StoreUnavailable(_DEAF)

    async def _pause(self, deadline: float) -> None:
        """Keep notifications apart: each wakes all who listen in this database."""
        now = self._reactor.seconds()
        due = max(now, self._next_mark)
        self._next_mark = due + CATCH_UP_SECONDS
        if due > now:
            await deferLater(self._reactor, max(0.0, min(due, deadline) - now))  # type: ignore[arg-type] # Twisted's own reactor

    def start(self, heard: Callable[[Change], None]) -> None:
        """Begin to listen, and go on whatever happens."""
        self._running = True
        self._heard = heard
        self._listening = Deferred.fromCoroutine(self._listen_on())
        self._listening.addErrback(self._ended)

    def stop(self) -> None:
        """Close the connection, whatever is under way."""
        self._running = False
        self._proven = False
        if self._listening is not None:
            self._listening.cancel()

    def _ended(self, failure: Failure) -> None:
        self._proven = False
        if self._running:
            log.failure("Postgres {address}: listening has stopped", failure, address=self._address)

    async def _listen_on(self) -> None:
        while self._running:
            longest = LONGEST_DELAY
            try:
                await self._listen()
            except CancelledError:
                return
            except ConnectionGone as gone:
                self._complain(str(gone))
            except QueryRefused as refused:
                longest = LONGEST_DELAY_UNFIT
                self._complain(f"it refuses what listening needs: {refused.reason}")
            except _Unfit as unfit:
                longest = LONGEST_DELAY_UNFIT
                self._complain(str(unfit))
            except Exception as error:  # noqa: BLE001 - whatever it is, listening goes on; its text may repeat a secret
                self._complain(f"an unexpected {type(error).__name__}")
            if self._running:
                self._failures += 1
                self._rotation += 1
                await deferLater(self._reactor, delay_after(self._failures, longest))  # type: ignore[arg-type] # Twisted's own reactor

    async def _listen(self) -> None:
        """Listen over one connection until it is gone."""
        self._lost = False
        connection = PostgresConnection(self._reactor, self._gone, self._notified)
        try:
            await connection.open_at(self._address, self._names, self._rotation, self._timeout)
            [(is_replica,)] = await connection.ask(_IS_REPLICA, {}, self._timeout)
            if is_replica:
                raise _Unfit("it is a replica, where nobody can listen; let listen_dsn lead to the primary")
            await connection.command(_LISTEN, self._timeout)
            await self._prove(connection)
            while True:
                await self._look_for_triggers(connection)
                await self._rest(HEARTBEAT_SECONDS)
                await self._beat(connection)
        finally:
            self._deaf()
            connection.close()

    def _deaf(self) -> None:
        """Nothing is heard any more: who waits for what was sent need not wait longer."""
        self._proven = self._tells_of_tokens = False
        self._tables = ""
        for arrived in self._marks.values():
            if not arrived.called:
                arrived.callback(None)

    async def _prove(self, connection: PostgresConnection) -> None:
        """See that a notification arrives that was sent where the questions are asked."""
        while not await self._sent_by_another():
            await self._rest(LONGEST_DELAY)
        if not await self._has_arrived():
            # A PgBouncer may keep this statement's server for the next one; let it not listen for nobody.
            await connection.command(_UNLISTEN, self._timeout)
            raise _Unfit(
                "what is sent does not arrive: this is a PgBouncer in transaction mode, or another database"
                " than the dsn's; let listen_dsn lead directly to the dsn's database on the primary"
            )
        self._failures = 0
        self._proven = True

    async def _sent_by_another(self) -> bool:
        """Send a heartbeat over a connection that asks questions; False if there is none now."""
        deadline = self._reactor.seconds() + self._timeout
        try:
            await self._questions.ask(_SEND, {"payload": self._new_heartbeat()}, deadline)
        except StoreUnavailable:
            return False
        except QueryRefused as refused:
            if refused.code == _READ_ONLY:
                raise _Unfit(
                    "the dsn leads to a replica, which answers with what was true a while ago;"
                    " let it lead to the primary"
                ) from None
            raise
        return True

    async def _beat(self, connection: PostgresConnection) -> None:
        """See that the connection still brings notifications."""
        await connection.ask(_SEND, {"payload": self._new_heartbeat()}, self._timeout)
        if not await self._has_arrived():
            raise ConnectionGone("notifications do not arrive any more")

    async def _look_for_triggers(self, connection: PostgresConnection) -> None:
        """Find out who would tell; if it is not known yet, say so and that changes may have been missed."""
        heard = self.hears
        [(tables,)] = await connection.ask(_TABLES, {}, self._timeout)
        [(self._tells_of_tokens,)] = await connection.ask(_TELLS_OF_ALL, {"tables": self._token_tables}, self._timeout)
        self._tables = tables or ""
        if not self._tables:
            self._complain(_NO_TRIGGERS)
        if self._tables and not heard:
            self._complaint = ""
            log.info("Postgres {address}: changes of {tables} are heard", address=self._address, tables=self._tables)
            self._heard(Change(everything=True))

    def _new_heartbeat(self) -> str:
        self._heartbeat = secrets.token_hex(8)
        self._arrived = False
        return heartbeat(self._heartbeat)

    async def _has_arrived(self) -> bool:
        """Whether the heartbeat that was sent last arrives in time.

        Raises:
            ConnectionGone: the connection is gone.
        """
        if not self._arrived:
            await self._wait(self._timeout)
        return self._arrived

    async def _rest(self, seconds: float) -> None:
        """Do nothing for so many seconds.

        Raises:
            ConnectionGone: the connection is gone.
        """
        self._heartbeat = ""
        await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        if not self._lost:
            self._waiting = Deferred()
            try:
                await within(self._reactor, seconds, self._waiting)
            except TooLate:
                pass
            finally:
                self._waiting = None
        if self._lost:
            raise ConnectionGone("the connection was lost")

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(None)

    def _gone(self) -> None:
        """The connection died while nothing was asked over it."""
        self._lost = True
        self._wake()

    def _notified(self, payload: str) -> None:
        try:
            notification = read(payload)
        except PayloadUnreadable:
            self._unreadable_arrived()
            return
        if notification.heartbeat:
            if notification.heartbeat in self._marks:
                self._marks.pop(notification.heartbeat).callback(None)
            elif notification.heartbeat == self._heartbeat:
                self._arrived = True
                self._wake()
        elif notification.users or notification.everything:
            self._heard(Change(users=notification.users, everything=notification.everything))

    def _unreadable_arrived(self) -> None:
        """What can't be read may have meant something."""
        if not self._unreadable:
            self._unreadable = True
            log.warn(
                "Postgres {address}: a notification on the channel {channel} can't be read: expected"
                ' {{"users": ["7"]}} or {{"everything": true}}; taken for the latter, said once',
                address=self._address,
                channel=CHANNEL,
            )
        self._heard(Change(everything=True))

    def _complain(self, reason: str) -> None:
        """Say why nothing is heard: once per reason, as long as nothing is."""
        reason = self._address.redacted(reason)
        if reason != self._complaint and self._running:
            self._complaint = reason
            log.warn(
                "Postgres {address}: changes are not heard at once, only found by asking again: {reason}",
                address=self._address,
                reason=reason,
            )
