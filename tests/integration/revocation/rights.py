"""A router on a real store whose rows the tests change from outside, as an application does: Postgres or SQLite."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from conftest import principal, rule, static_configuration, ticket_of
from raw_wamp import EVENT, GOODBYE, Message, Peer
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_postgres, prepare_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from postgres_server import PostgresServer

AT_ONCE = 1.0
"""Seconds within which a change in the store has reached the sessions."""

REVOKED = "wampgate.revoked"
CHANGED = "wampgate.organizations.changed"

MEMBERS: Mapping[str, tuple[str, ...]] = {"anna": ("7", "8"), "bert": ("7",), "cleo": ("8",)}


def token_of(user: str, number: int = 0) -> str:
    """A user's token; some have several."""
    return f"canary-token-{number}-of-{user}"


def stored(token: str) -> str:
    """A token as the table has it."""
    return sha256(token.encode()).hexdigest()


class Rows:
    """The store's two tables, as another process writes them."""

    kind: str

    def configuration(self) -> dict[str, Any]:
        """The router's section ``store``."""
        raise AssertionError("a kind of store says this")

    def execute(self, *statements: str) -> list[Any]:
        """Run statements, each in a transaction of its own; the rows of the last one."""
        raise AssertionError("a kind of store says this")

    def instant(self, seconds: float) -> str:
        """SQL for a time so many seconds from now."""
        raise AssertionError("a kind of store says this")

    def add_token(self, token: str, user: str, seconds: float = 3600) -> None:
        self.execute(
            "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires)"
            f" VALUES ('{stored(token)}', 'test', '{user}', {self.instant(seconds)})"
        )

    def drop_token(self, token: str) -> None:
        self.execute(f"DELETE FROM oauth_access_tokens WHERE access_token = '{stored(token)}'")

    def change_life(self, token: str, seconds: float) -> None:
        self.execute(
            f"UPDATE oauth_access_tokens SET expires = {self.instant(seconds)} WHERE access_token = '{stored(token)}'"
        )

    def add_member(self, organization: str, user: str) -> None:
        self.execute(f"INSERT INTO organization_members VALUES ('{organization}', '{user}', '')")

    def drop_member(self, organization: str, user: str) -> None:
        self.execute(
            f"DELETE FROM organization_members WHERE organization_id = '{organization}' AND user_id = '{user}'"
        )

    def empty(self, table: str) -> None:
        """Remove all rows in the fastest way there is."""
        self.execute(f"DELETE FROM {table}")

    def rolled_back(self, statement: str) -> None:
        """Run a statement in a transaction that is then taken back."""
        self.execute(f"BEGIN; {statement}; ROLLBACK")


class PostgresRows(Rows):
    """In a database of its own on a Postgres that tests share."""

    kind = "postgres"

    def __init__(self, server: PostgresServer, timeout: float = 1) -> None:
        self.server = server
        self._timeout = timeout
        self.dsn = server.create_database()
        prepare_postgres(self.dsn)

    def configuration(self) -> dict[str, Any]:
        return {"type": "postgres", "dsn": self.dsn, "timeout_seconds": self._timeout}

    def execute(self, *statements: str) -> list[Any]:
        return self.server.execute(*statements, dsn=self.dsn)

    def instant(self, seconds: float) -> str:
        return f"clock_timestamp() + interval '{seconds} seconds'"

    def empty(self, table: str) -> None:
        self.execute(f"TRUNCATE {table}")


class SqliteRows(Rows):
    """In a file of its own, written from this process and read by the router's."""

    kind = "sqlite"

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / "rights.sqlite"
        prepare_sqlite(self._path)

    def configuration(self) -> dict[str, Any]:
        return {"type": "sqlite", "path": str(self._path)}

    def execute(self, *statements: str) -> list[Any]:
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=5)) as connection:
            rows: list[Any] = []
            for statement in statements:
                for single in statement.split(";"):
                    rows = connection.execute(single).fetchall()
            return rows

    def instant(self, seconds: float) -> str:
        return f"(julianday('now') - 2440587.5) * 86400.0 + {seconds}"


class Door:
    """A router on a store, with members of two organizations. A context manager.

    Args:
        rows: makes the store's tables; the folder is its own.
        authorization: more for the realm's section ``authorization``.
        limits: the router's.
        environ: more for the router's environment.
    """

    def __init__(
        self,
        rows: Callable[[str], Rows],
        *,
        authorization: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        members: Mapping[str, tuple[str, ...]] = MEMBERS,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._stack = ExitStack()
        self._make_rows = rows
        self._authorization = dict(authorization or {})
        self._limits = dict(limits or {})
        self._members = members
        self._environ = environ
        self.rows: Rows
        self.router: RouterProcess

    def __enter__(self) -> Self:
        with self._stack:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wampgate-rights-"))
            self.rows = self._make_rows(folder)
            for user, organizations in self._members.items():
                self.rows.add_token(token_of(user), user)
                for organization in organizations:
                    self.rows.add_member(organization, user)
            self.router = self._stack.enter_context(RouterProcess(self._configuration(), environ=self._environ))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def wait_until_it_hears(self) -> None:
        """Postgres' listener connects by itself after the start, and says so."""
        if self.rows.kind == "postgres":
            self.router.wait_for_log("are heard")

    def join(self, user: str, number: int = 0, **details: Any) -> Peer:
        """A session of a user, with one of the user's tokens."""
        return self._stack.enter_context(Peer(self.router.port)).join(token_of(user, number), **details)

    def backend(self) -> Peer:
        """A session that may publish anywhere below ``organization.``."""
        return self._stack.enter_context(Peer(self.router.port)).join(ticket_of("backend"))

    def member(self, user: str, *topics: str, number: int = 0) -> Peer:
        """A session that has subscribed to topics, the private ones among them."""
        peer = self.join(user, number)
        for topic in (REVOKED, CHANGED, *topics):
            peer.subscribe(topic)
        return peer

    def _configuration(self) -> dict[str, Any]:
        realm = {
            "name": "realm1",
            "store": self.rows.configuration(),
            "authentication": {"principals": [principal("backend", "backend")]},
            "authorization": {
                "rules": [
                    rule("backend", ["publish", "subscribe"], "organization.", "prefix"),
                    rule("backend", ["call"], "wampgate.publish"),
                ],
                **self._authorization,
            },
        }
        return static_configuration(limits=self._limits, realms=[realm])


class News:
    """Publishes to topics without a pause; each event holds the moment in which it was sent."""

    def __init__(self, backend: Peer, *topics: str) -> None:
        self._backend = backend
        self._topics = topics
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            for topic in self._topics:
                self._backend.publish(topic, [topic, time.monotonic()])


def next_private(peer: Peer, seconds: float = AT_ONCE) -> Message:
    """The next event that has kwargs, as the private ones have and the news don't; within so many seconds."""
    until = time.monotonic() + seconds
    while True:
        message = peer.receive()
        assert time.monotonic() < until, f"nothing was told within {seconds} s; at last came {message}"
        if message[0] == EVENT and len(message) > 5:
            return message


def farewell(peer: Peer, seconds: float = AT_ONCE) -> str:
    """The reason of the GOODBYE that comes within so many seconds."""
    start = time.monotonic()
    while (message := peer.receive())[0] != GOODBYE:
        pass
    taken = time.monotonic() - start
    assert taken < seconds, f"GOODBYE came only after {taken:.2f} s"
    return str(message[2])


def topics_of(events: list[Message]) -> list[Any]:
    """The first argument of each of the news."""
    return [event[4][0] for event in events if event[4]]
