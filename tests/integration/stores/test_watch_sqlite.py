"""Changes in a SQLite file: whoever makes them, through a file that goes away, is replaced or is locked."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from wampgate.core.interfaces import Change
from wampgate.stores.hints import EVERYTHING_SECONDS
from wampgate.stores.preparing import prepare_sqlite
from wampgate.stores.sqlite import SqliteTokenStore

from .conftest import Heard, sleep, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .conftest import StallWatch

AT_ONCE = 1.0


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite3"
    prepare_sqlite(path)
    execute(path, "INSERT INTO organization_members VALUES ('org', '7', '')")
    return path


@pytest_twisted.async_yield_fixture()
async def store(path: Path) -> AsyncIterator[SqliteTokenStore]:
    store = SqliteTokenStore(reactor, path=path, token_hash="plain", timeout=1.0)
    yield store
    await store.stop()


async def watch(store: SqliteTokenStore, heard: Heard) -> None:
    store.watch(heard)
    await store.start()
    await until(lambda: store.hears, AT_ONCE)
    await sleep(0.1)
    assert heard.changes == [Change(everything=True)]
    heard.changes.clear()


@pytest_twisted.ensureDeferred
async def test_each_commit_is_heard_and_nothing_else(store: SqliteTokenStore, path: Path, heard: Heard) -> None:
    await watch(store, heard)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM organization_members")
        await sleep(0.6)
        assert not heard.changes
        assert len(await store.memberships("7")) == 1
        writer.execute("COMMIT")
        await until(lambda: heard.everything == 1, AT_ONCE)
        assert not await store.memberships("7")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO organization_members VALUES ('org', '7', '')")
        writer.execute("ROLLBACK")
        writer.execute("SELECT * FROM organization_members").fetchall()
        writer.execute("PRAGMA wal_checkpoint")
    await sleep(0.6)
    assert len(heard.changes) == 1


@pytest_twisted.ensureDeferred
async def test_a_storm_of_commits_makes_few_changes(
    store: SqliteTokenStore, path: Path, heard: Heard, stall_watch: StallWatch
) -> None:
    await watch(store, heard)
    stall_watch.start()
    for number in range(100):
        execute(path, f"INSERT INTO organization_members VALUES ('org', 'user-{number}', '')")
        await sleep(0.01)
    await sleep(1.2)
    stall_watch.stop()
    assert 2 <= heard.everything <= 10
    assert stall_watch.worst() < 0.1


@pytest_twisted.ensureDeferred
async def test_a_file_that_goes_away_makes_deaf_and_another_one_is_everything(
    store: SqliteTokenStore, path: Path, heard: Heard
) -> None:
    await watch(store, heard)
    away = path.with_name("away")
    os.rename(path, away)
    await until(lambda: not store.hears, AT_ONCE)
    assert not heard.changes
    os.rename(away, path)
    await until(lambda: store.hears and heard.everything == 1, AT_ONCE)
    other = path.with_name("other")
    prepare_sqlite(other)
    os.rename(other, path)
    await until(lambda: heard.everything == 2, AT_ONCE)
    assert not await store.memberships("7")


@pytest_twisted.ensureDeferred
async def test_started_before_the_file_it_hears_once_there_is_one(
    store: SqliteTokenStore, path: Path, heard: Heard
) -> None:
    away = path.with_name("away")
    os.rename(path, away)
    store.watch(heard)
    await store.start()
    await sleep(0.4)
    assert not store.hears
    os.rename(away, path)
    await until(lambda: store.hears and heard.everything == 1, AT_ONCE)


@pytest_twisted.ensureDeferred
async def test_an_answer_on_its_way_is_not_given_once_a_change_was_told(path: Path, heard: Heard) -> None:
    """A batch that is so long that the database changes meanwhile, between its values."""
    slow = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1500)"
        " SELECT organization_id FROM organization_members WHERE user_id = :user AND (SELECT max(i) FROM n) > 0"
    )
    store = SqliteTokenStore(reactor, path=path, timeout=5.0, membership_query=slow, poll_seconds=0.02)
    await watch(store, heard)
    await sleep(EVERYTHING_SECONDS)
    users = [f"u{number}" for number in range(1500)]
    try:
        for _ in range(10):
            execute(path, *(f"INSERT INTO organization_members VALUES ('org', '{user}', '')" for user in users))
            await sleep(EVERYTHING_SECONDS)
            heard.changes.clear()
            question: Deferred[Any] = Deferred.fromCoroutine(store.memberships_of(users))
            await sleep(0.03)
            execute(path, "DELETE FROM organization_members")
            await until(lambda: heard.everything, AT_ONCE)
            # On a busy machine the batch may be done before the change is noticed: then it was no overlap.
            overlapped = not question.called
            answer = await question
            if overlapped:
                assert not any(answer.values())
                return
        pytest.fail("the batch was done before the change was told, ten times")
    finally:
        await store.stop()


@pytest_twisted.ensureDeferred
async def test_nothing_is_left_after_stop_and_it_can_be_started_again(
    store: SqliteTokenStore, path: Path, heard: Heard
) -> None:
    before = len(reactor.getDelayedCalls())
    await watch(store, heard)
    execute(path, "DELETE FROM organization_members")
    await store.stop()
    assert len(reactor.getDelayedCalls()) == before
    assert not store.hears
    await sleep(0.4)
    assert not heard.changes
    await store.start()
    await until(lambda: store.hears and heard.everything, AT_ONCE)


@pytest.mark.usefixtures("young_heap")
@pytest_twisted.ensureDeferred
async def test_ten_thousand_users_do_not_stop_the_reactor(
    store: SqliteTokenStore, path: Path, stall_watch: StallWatch
) -> None:
    await store.start()
    execute(
        path,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000)"
        " INSERT INTO organization_members SELECT 'org', 'user-' || i, '' FROM n",
    )
    stall_watch.start()
    found = await store.memberships_of([f"user-{number}" for number in range(1, 10_001)])
    stall_watch.stop()
    assert all(len(rows) == 1 for rows in found.values())
    assert stall_watch.worst() < 0.1
