"""One Postgres per test process, a shelf of every kind of store to put rows into, and a watch over the reactor."""

from __future__ import annotations

import gc
import json
import math
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest
import pytest_twisted
from postgres_server import PostgresServer
from twisted.internet import reactor
from twisted.internet.task import Clock, LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent, globalLogPublisher

from wampgate.core.interfaces import Change
from wampgate.stores.memory import MemoryTokenStore
from wampgate.stores.postgres import PostgresTokenStore
from wampgate.stores.preparing import prepare_postgres, prepare_sqlite
from wampgate.stores.questions import stored_form
from wampgate.stores.sqlite import SqliteTokenStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from wampgate.stores.questions import TokenHash

Ids = Literal["text", "integer", "uuid"]

# bshaffer's tables as they are met in the wild, once for each type that ids have there.
WILD_TABLES = (
    "CREATE TABLE oauth_access_tokens (access_token varchar(4000) PRIMARY KEY, client_id varchar(80) NOT NULL,"
    " user_id {type}, expires timestamp, scope varchar(4000))",
    "CREATE TABLE organization_members (organization_id {type} NOT NULL, user_id {type} NOT NULL, role varchar(20))",
    "CREATE INDEX members_by_user ON organization_members (user_id)",
)


class Store(Protocol):
    """What every store has."""

    @property
    def ready(self) -> bool: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def look_up(self, token: str) -> Any: ...
    async def memberships(self, user: str) -> Any: ...
    async def look_up_all(self, tokens: Any) -> Any: ...
    async def memberships_of(self, users: Any) -> Any: ...
    @property
    def hears(self) -> bool: ...
    def watch(self, changed: Callable[[Change], None]) -> None: ...


class MemoryShelf:
    """The memory store and how to fill it."""

    kind = "memory"

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryTokenStore(self.clock.seconds)

    def open(self, **_options: Any) -> Store:
        return self.store

    def put_token(self, token: str, user: str, seconds: float) -> None:
        self.store.add_token(token, user, seconds)

    def drop_token(self, token: str) -> None:
        self.store.remove_token(token)

    def change_life(self, token: str, user: str, seconds: float) -> None:
        self.store.add_token(token, user, seconds)

    def change_role(self, user: str, organization: str, role: str) -> None:
        self.store.add_membership(user, organization, role)

    def put_membership(self, user: str, organization: str, role: str = "") -> None:
        self.store.add_membership(user, organization, role)

    def drop_membership(self, user: str, organization: str) -> None:
        self.store.remove_membership(user, organization)

    def put_credentials(
        self,
        authmethod: str,
        authid: str,
        key: str = "",
        *,
        role: str | None = None,
        user: str | None = None,
        data: Any = None,
        seconds: float = math.inf,
    ) -> None:
        self.store.add_credentials(
            authmethod, authid, key, role=role or "", user=user, data=data or {}, seconds=seconds
        )

    def drop_credentials(self, authmethod: str, authid: str, key: str = "") -> None:
        self.store.remove_credentials(authmethod, authid, key)

    def change_credentials(self, authmethod: str, authid: str, column: str, value: Any) -> None:
        """Another role or data; "disabled" as if the row were not there."""
        role, user, data, expires = self.store._credentials[authmethod, authid, ""]
        seconds = expires - self.clock.seconds()
        if column == "disabled":
            self.store.remove_credentials(authmethod, authid)
            return
        changed = {"role": role, "user_id": user, "data": data} | {column: value}
        self.store.add_credentials(
            authmethod, authid, role=changed["role"], user=changed["user_id"], data=changed["data"], seconds=seconds
        )


@dataclass
class SqlShelf:
    """A store over SQL, and how to fill its tables from the side."""

    kind: str
    place: str
    token_hash: TokenHash

    def open(self, **options: Any) -> Store:
        options = {"token_hash": self.token_hash, "timeout": 5.0} | options
        if self.kind == "postgres":
            return PostgresTokenStore(reactor, dsn=self.place, **options)
        return SqliteTokenStore(reactor, path=self.place, **options)

    def put_token(self, token: str, user: str, seconds: float) -> None:
        self.put_raw(token, user, self._expires, seconds)

    @property
    def _expires(self) -> str:
        return {
            "postgres": "now() AT TIME ZONE 'UTC' + make_interval(secs => %s)",
            "sqlite": "datetime('now', ? || ' seconds')",
        }[self.kind]

    def change_life(self, token: str, user: str, seconds: float) -> None:
        self.execute(
            f"UPDATE oauth_access_tokens SET expires = {self._expires}"
            f" WHERE access_token = {self._slot} AND user_id = {self._slot}",
            *(seconds, stored_form(token, self.token_hash), user),
        )

    def change_role(self, user: str, organization: str, role: str) -> None:
        slot = self._slot
        self.execute(
            f"UPDATE organization_members SET role = {slot} WHERE user_id = {slot} AND organization_id = {slot}",
            *(role, user, organization),
        )

    def put_raw(self, token: str, user: str | None, expires_sql: str, *parameters: Any) -> None:
        """A token whose ``expires`` is an SQL expression."""
        slot = self._slot
        self.execute(
            "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires)"
            f" VALUES ({slot}, 'app', {slot}, {expires_sql})",
            stored_form(token, self.token_hash),
            user,
            *parameters,
        )

    def drop_token(self, token: str) -> None:
        slot = self._slot
        self.execute(
            f"DELETE FROM oauth_access_tokens WHERE access_token = {slot}", stored_form(token, self.token_hash)
        )

    def put_membership(self, user: str, organization: str, role: str = "") -> None:
        slot = self._slot
        self.execute(
            f"INSERT INTO organization_members (organization_id, user_id, role) VALUES ({slot}, {slot}, {slot})",
            *(organization, user, role),
        )

    def drop_membership(self, user: str, organization: str) -> None:
        slot = self._slot
        self.execute(
            f"DELETE FROM organization_members WHERE user_id = {slot} AND organization_id = {slot}", user, organization
        )

    def put_credentials(
        self,
        authmethod: str,
        authid: str,
        key: str = "",
        *,
        role: str | None = None,
        user: str | None = None,
        data: Any = None,
        seconds: float = math.inf,
    ) -> None:
        slots = ", ".join([self._slot] * 6)
        text = data if isinstance(data, str) else json.dumps(data or {})
        ends, more = ("NULL", ()) if math.isinf(seconds) else (self._expires, (seconds,))
        self.execute(
            "INSERT INTO wampgate_credentials (authmethod, authid, key, role, user_id, data, expires)"
            f" VALUES ({slots}, {ends})",
            *(authmethod, authid, key, role, user, text, *more),
        )

    def drop_credentials(self, authmethod: str, authid: str, key: str = "") -> None:
        slot = self._slot
        self.execute(
            f"DELETE FROM wampgate_credentials WHERE authmethod = {slot} AND authid = {slot} AND key = {slot}",
            *(authmethod, authid, key),
        )

    def change_credentials(self, authmethod: str, authid: str, column: str, value: Any) -> None:
        """Another value in one of a row's columns."""
        slot = self._slot
        self.execute(
            f"UPDATE wampgate_credentials SET {column} = {slot} WHERE authmethod = {slot} AND authid = {slot}",
            *(json.dumps(value) if column == "data" else value, authmethod, authid),
        )

    @property
    def _slot(self) -> str:
        return "%s" if self.kind == "postgres" else "?"

    def execute(self, statement: str, *parameters: Any) -> list[Any]:
        """Run one statement beside the store."""
        if self.kind == "postgres":
            return PostgresServer.execute(None, statement, dsn=self.place, parameters=parameters or None)  # type: ignore[arg-type] # uses no server
        with closing(sqlite3.connect(self.place, isolation_level=None)) as connection:
            return connection.execute(statement, parameters).fetchall()


Shelf = MemoryShelf | SqlShelf


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def databases() -> dict[str, str]:
    """The DSN of the database that holds a kind of tables; made when first asked for."""
    return {}


def postgres_shelf(server: PostgresServer, databases: dict[str, str], ids: Ids, token_hash: TokenHash) -> SqlShelf:
    if ids not in databases:
        if ids == "text":
            databases[ids] = server.create_database()
            prepare_postgres(databases[ids])
        else:
            databases[ids] = server.create_database(*(table.format(type=ids) for table in WILD_TABLES))
    shelf = SqlShelf("postgres", databases[ids], token_hash)
    shelf.execute("TRUNCATE oauth_access_tokens, organization_members")
    if ids == "text":
        shelf.execute("TRUNCATE wampgate_credentials, wampgate_cookies")
    return shelf


def sqlite_shelf(folder: Path, ids: Ids, token_hash: TokenHash) -> SqlShelf:
    path = folder / f"{ids}.sqlite3"
    shelf = SqlShelf("sqlite", str(path), token_hash)
    if ids == "text":
        prepare_sqlite(path)
    else:
        for table in WILD_TABLES:
            shelf.execute(table.format(type=ids))
    return shelf


@pytest.fixture(params=["sqlite", "postgres"])
def sql_shelf(request: pytest.FixtureRequest, tmp_path: Path) -> SqlShelf:
    """Our own tables, tokens hashed."""
    return make_sql_shelf(request, tmp_path, request.param, "text", "sha256")


def make_sql_shelf(
    request: pytest.FixtureRequest, folder: Path, kind: str, ids: Ids, token_hash: TokenHash
) -> SqlShelf:
    if kind == "sqlite":
        return sqlite_shelf(folder, ids, token_hash)
    server = request.getfixturevalue("postgres_server")
    return postgres_shelf(server, request.getfixturevalue("databases"), ids, token_hash)


@pytest.fixture(
    params=[
        "memory",
        *(
            f"{kind}-{ids}-{how}"
            for kind in ("sqlite", "postgres")
            for ids in ("text", "integer", "uuid")
            for how in ("sha256", "plain")
        ),
    ]
)
def any_shelf(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Shelf, Ids]:
    """Every kind of store with every type of ids, and which ids it takes."""
    if request.param == "memory":
        return MemoryShelf(), "text"
    kind, ids, how = request.param.split("-")
    return make_sql_shelf(request, tmp_path, kind, ids, how), ids


@pytest.fixture
def shelf_of_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Shelf]:
    """Makes a store of a kind, with our own tables."""

    def make(kind: str) -> Shelf:
        return MemoryShelf() if kind == "memory" else make_sql_shelf(request, tmp_path, kind, "text", "sha256")

    return make


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def shelf(request: pytest.FixtureRequest, shelf_of_kind: Callable[[str], Shelf]) -> Shelf:
    """Every kind of store, with our own tables."""
    return shelf_of_kind(request.param)


class Heard:
    """What a store told of changes, and what it answered from within."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.then: Callable[[], None] = lambda: None

    def __call__(self, change: Change) -> None:
        self.changes.append(change)
        self.then()

    @property
    def users(self) -> set[str]:
        return {user for change in self.changes for user in change.users}

    @property
    def everything(self) -> int:
        """How often everything was told of."""
        return sum(change.everything for change in self.changes)

    def of(self, user: str) -> bool:
        """Whether a change was told that concerns a user."""
        return any(change.everything or user in change.users for change in self.changes)


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def sleep(seconds: float) -> None:
    await deferLater(reactor, seconds)


async def until(condition: Callable[[], object], seconds: float) -> float:
    """Wait for a condition; how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        await sleep(0.01)
    return time.monotonic() - begun


class Opener:
    """Starts stores and sees that they are stopped."""

    def __init__(self) -> None:
        self.opened: list[Store] = []
        self.shelf: Shelf | None = None

    async def __call__(self, shelf: Shelf, heard: Heard | None = None, **options: Any) -> Store:
        """Start a store; with ``heard``, watch its changes, and wait until it hears of them."""
        store = shelf.open(**options)
        if heard is not None:
            store.watch(heard)
        await store.start()
        if heard is not None:
            await until(lambda: store.hears, 5)
            await sleep(0.1)
            heard.changes.clear()
        self.opened.append(store)
        return store


@pytest_twisted.async_yield_fixture()
async def opened() -> AsyncIterator[Opener]:
    opener = Opener()
    yield opener
    for store in opener.opened:
        await store.stop()


@pytest.fixture
def young_heap() -> Iterator[None]:
    """Keeps Python's collector from going through what a thousand tests before have left, which takes it 0.1 s."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class StallWatch:
    """Measures for how long the reactor did not come round.

    Where the kernel tells how long this thread was ready to run but had no
    processor, that is subtracted: it is the machine's doing, not the reactor's.
    """

    def __init__(self) -> None:
        self._last = (0.0, 0.0)
        self._stalls = [0.0]
        self._loop = LoopingCall(self._beat)

    def start(self) -> None:
        self._last = (time.monotonic(), seconds_without_processor())
        self._loop.start(0.005, now=False)

    def stop(self) -> None:
        self.close()
        self._beat()

    def close(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def worst(self) -> float:
        """The longest stall in seconds."""
        return max(self._stalls)

    def _beat(self) -> None:
        now, waited = time.monotonic(), seconds_without_processor()
        self._stalls.append(now - self._last[0] - (waited - self._last[1]))
        self._last = (now, waited)


def seconds_without_processor() -> float:
    """How long this thread has waited for a processor so far, if the kernel keeps count of it; else 0."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


@pytest.fixture
def stall_watch() -> Iterator[StallWatch]:
    watch = StallWatch()
    try:
        yield watch
    finally:
        watch.close()


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(f"{formatEvent(event)} {event!r}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wampgate.stores.postgres_listener.HEARTBEAT_SECONDS", 0.5)


class Watched:
    """Starts stores that are watched, and stops them in the end."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.stores: list[PostgresTokenStore] = []

    async def __call__(self, dsn: str, *, hears: bool = True, **options: Any) -> PostgresTokenStore:
        store = PostgresTokenStore(reactor, dsn=dsn, **({"timeout": 1.0, "token_hash": "plain"} | options))
        self.stores.append(store)
        store.watch(self.heard)
        await store.start()
        if hears:
            await until(lambda: store.hears, 5)
            await sleep(0.1)
            assert self.heard.changes == [Change(everything=True)]
            self.heard.changes.clear()
        return store


@pytest_twisted.async_yield_fixture()
async def watch() -> AsyncIterator[Watched]:
    watched = Watched()
    yield watched
    for store in watched.stores:
        await store.stop()


def fill(server: PostgresServer, dsn: str, users: int = 20) -> None:
    prepare_postgres(dsn)
    server.execute(
        "INSERT INTO oauth_access_tokens SELECT 'token-' || n, 'app', n::text, now() + interval '1 hour', ''"
        f" FROM generate_series(1, {users}) n",
        f"INSERT INTO organization_members SELECT 'org-' || n % 100, n::text FROM generate_series(1, {users}) n",
        dsn=dsn,
    )


@pytest.fixture
def dsn(postgres_server: PostgresServer) -> str:
    dsn = postgres_server.create_database()
    fill(postgres_server, dsn)
    return dsn


@pytest_twisted.async_yield_fixture()
async def server() -> AsyncIterator[PostgresServer]:
    """A server of the test's own, to be harmed."""
    server = PostgresServer()
    await deferToThread(server.__enter__)
    try:
        fill(server, server.dsn)
        yield server
    finally:
        server.thaw()
        await deferToThread(server.__exit__, None, None, None)
