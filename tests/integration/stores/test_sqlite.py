"""What only SQLite has: a file that is missing, replaced, locked or no database, slow queries, texts for instants."""

from __future__ import annotations

import datetime
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.preparing import PreparationFailed, prepare_sqlite
from wampgate.stores.sqlite import SqliteTokenStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from .conftest import StallWatch

CANARY = "canary-5d1b7e"
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'alice', max(i) FROM n WHERE :token <> ''"
)


class Open:
    """Starts SQLite stores and stops them in the end."""

    def __init__(self) -> None:
        self.stores: list[SqliteTokenStore] = []

    async def __call__(self, path: Path, **options: Any) -> SqliteTokenStore:
        store = SqliteTokenStore(reactor, path=path, **({"timeout": 1.0, "token_hash": "plain"} | options))
        self.stores.append(store)
        await store.start()
        return store


@pytest_twisted.async_yield_fixture()
async def start() -> AsyncIterator[Open]:
    opened = Open()
    yield opened
    for store in opened.stores:
        await store.stop()


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(f"{formatEvent(event)} {event!r}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "odd #1 ?%20 ü" / "store.sqlite3"
    prepare_sqlite(path)
    return path


def put(path: Path, token: str, user: str, expires: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO oauth_access_tokens VALUES (?, 'app', ?, ?, NULL)", (token, user, expires))


async def until(condition: Callable[[], bool], seconds: float) -> None:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        await deferLater(reactor, 0.02)


def written(seconds: float, style: str) -> object:
    """The instant so many seconds from now, in a style; for Berlin where it names no zone."""
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    berlin = datetime.timezone(datetime.timedelta(hours=9))
    styles: dict[str, object] = {
        "number": then.timestamp(),
        "integer": int(then.timestamp()),
        "digits": str(int(then.timestamp())),
        "blank": then.strftime("%Y-%m-%d %H:%M:%S"),
        "T": then.strftime("%Y-%m-%dT%H:%M:%S"),
        "Z": then.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fraction": then.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "offset": then.astimezone(berlin).isoformat(),
    }
    return styles[style]


@pytest.mark.parametrize("style", ["number", "integer", "digits", "blank", "T", "Z", "fraction", "offset"])
@pytest_twisted.ensureDeferred
async def test_instants_as_they_are_written(path: Path, start: Open, style: str) -> None:
    put(path, "t", "alice", written(600, style))
    token = await (await start(path)).look_up("t")
    assert token is not None
    assert 595 < token.seconds_left <= 600.5


@pytest_twisted.ensureDeferred
async def test_naive_instants_are_in_the_configured_zone(path: Path, start: Open) -> None:
    put(path, "t", "alice", written(9 * 3600 + 600, "blank"))
    token = await (await start(path, timezone="Asia/Tokyo")).look_up("t")
    assert token is not None
    assert 595 < token.seconds_left <= 600.5


@pytest_twisted.ensureDeferred
async def test_the_databases_clock_counts_not_ours(path: Path, start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    put(path, "t", "alice", written(60, "Z"))
    store = await start(path)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_400)
    token = await store.look_up("t")
    assert token is not None
    assert 50 < token.seconds_left <= 60.5


@pytest_twisted.ensureDeferred
async def test_an_unreadable_instant_refuses_its_token_only(path: Path, start: Open, log_lines: list[str]) -> None:
    put(path, CANARY, "alice", f"tomorrow {CANARY}")
    put(path, "t", "alice", written(60, "Z"))
    store = await start(path)
    with pytest.raises(StoreUnavailable):
        await store.look_up(CANARY)
    assert await store.look_up("t") is not None
    assert [line for line in log_lines if "expires can't be read" in line]
    assert not [line for line in log_lines if CANARY in line]


@pytest_twisted.ensureDeferred
async def test_a_missing_file_is_waited_for(tmp_path: Path, start: Open, log_lines: list[str]) -> None:
    path = tmp_path / "later.sqlite3"
    store = await start(path)
    assert not store.ready
    with pytest.raises(StoreUnavailable):
        await store.look_up("t")
    assert not path.exists()
    prepare_sqlite(path)
    put(path, "t", "alice", written(60, "Z"))
    await until(lambda: store.ready, 3)
    assert await store.look_up("t") is not None
    assert len([line for line in log_lines if "trying again" in line]) == 1
    assert len([line for line in log_lines if "readable again" in line]) == 1


@pytest_twisted.ensureDeferred
async def test_a_replaced_file_is_opened_anew(path: Path, start: Open, tmp_path: Path) -> None:
    put(path, "old", "alice", written(60, "Z"))
    store = await start(path)
    assert await store.look_up("old") is not None
    other = tmp_path / "restored.sqlite3"
    prepare_sqlite(other)
    put(other, "new", "alice", written(60, "Z"))
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    other.replace(path)
    assert await store.look_up("old") is None
    assert await store.look_up("new") is not None
    shutil.rmtree(path.parent)
    with pytest.raises(StoreUnavailable):
        await store.look_up("new")
    assert not store.ready


@pytest_twisted.ensureDeferred
async def test_what_is_no_database_is_refused(tmp_path: Path, start: Open, log_lines: list[str]) -> None:
    path = tmp_path / "letter.txt"
    path.write_text(f"Dear {CANARY}, " * 100)
    store = await start(path)
    with pytest.raises(StoreUnavailable, match="can't be read"):
        await store.look_up("t")
    assert [line for line in log_lines if "file is not a database" in line]
    with pytest.raises(PreparationFailed, match="not a database"):
        prepare_sqlite(path)
    assert path.read_text().startswith("Dear")


@pytest_twisted.ensureDeferred
async def test_tables_that_are_missing_are_in_the_log(tmp_path: Path, start: Open, log_lines: list[str]) -> None:
    path = tmp_path / "empty.sqlite3"
    sqlite3.connect(path).close()
    store = await start(path)
    with pytest.raises(StoreUnavailable):
        await store.look_up(CANARY)
    assert len([line for line in log_lines if "no such table: oauth_access_tokens" in line]) == 1
    assert not [line for line in log_lines if CANARY in line]


@pytest_twisted.ensureDeferred
async def test_nothing_can_be_written(path: Path, start: Open) -> None:
    put(path, "t", "alice", written(60, "Z"))
    store = await start(
        path, token_query="DELETE FROM oauth_access_tokens WHERE access_token <> :token RETURNING 'a', 1"
    )
    with pytest.raises(StoreUnavailable):
        await store.look_up("x")
    assert await (await start(path)).look_up("t") is not None


@pytest_twisted.ensureDeferred
async def test_a_slow_query_is_ended_at_its_deadline_and_blocks_nothing(
    path: Path, start: Open, stall_watch: StallWatch
) -> None:
    store = SqliteTokenStore(reactor, path=path, timeout=0.5, token_query=ENDLESS, token_hash="plain")
    start.stores.append(store)
    stall_watch.start()
    begun = time.monotonic()
    await store.start()
    with pytest.raises(StoreUnavailable, match="in time"):
        await store.look_up("t")
    assert time.monotonic() - begun < 2 * 0.5 + 0.5
    assert await store.memberships("alice") == []
    assert store.ready
    stall_watch.stop()
    assert stall_watch.worst() < 0.1


@pytest_twisted.ensureDeferred
async def test_a_locked_database_is_refused_in_time(path: Path, start: Open) -> None:
    put(path, "t", "alice", written(60, "Z"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        store = await start(path, timeout=0.4)
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.look_up("t")
        assert time.monotonic() - begun < 0.4 + 0.4
        assert not store.ready
    await until(lambda: store.ready, 4)
    assert await store.look_up("t") is not None


@pytest_twisted.ensureDeferred
async def test_a_writer_does_not_keep_readers_waiting(path: Path, start: Open) -> None:
    put(path, "t", "alice", written(60, "Z"))
    store = await start(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM oauth_access_tokens")
        assert await store.look_up("t") is not None
        connection.execute("COMMIT")
    assert await store.look_up("t") is None


@pytest_twisted.ensureDeferred
async def test_a_full_queue_refuses_at_once(path: Path, start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await start(path)
    monkeypatch.setattr("wampgate.stores.single_flight.MAX_WAITING", 3)
    questions = [Deferred.fromCoroutine(store.memberships(f"user {number}")) for number in range(3)]
    with pytest.raises(StoreUnavailable, match="too many"):
        await store.memberships("one too many")
    assert await gatherResults(questions) == [[], [], []]


@pytest.mark.parametrize("busy", [False, True])
@pytest_twisted.ensureDeferred
async def test_nothing_is_left_after_stop(path: Path, busy: bool) -> None:
    before = (threading.active_count(), set(os.listdir("/proc/self/fd")), len(reactor.getDelayedCalls()))
    store = SqliteTokenStore(reactor, path=path, timeout=2.0, membership_query=ENDLESS.replace(":token", ":user"))
    starting = Deferred.fromCoroutine(store.start())
    if busy:
        await deferLater(reactor, 0.2)
        question = Deferred.fromCoroutine(store.look_up("t"))
        await deferLater(reactor, 0.05)  # questions leave in the next turn
        begun = time.monotonic()
        await store.stop()
        with pytest.raises(StoreUnavailable, match="stopped"):
            await question
        assert time.monotonic() - begun < 1.0
        await starting
    else:
        await starting
        await store.stop()
    await store.stop()
    await until(lambda: threading.active_count() == before[0], 1)
    assert set(os.listdir("/proc/self/fd")) == before[1]
    # What was to be done in the next turn may still be; a deadline may not.
    await until(lambda: len(reactor.getDelayedCalls()) <= before[2], 0.5)
    with pytest.raises(StoreUnavailable, match="not running"):
        await store.look_up("t")
