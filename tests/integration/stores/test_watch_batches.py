"""Queries of the operator's own, asked of Postgres for many at once: the same answers as one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import formatEvent, globalLogPublisher

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.postgres import PostgresTokenStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from postgres_server import PostgresServer

    from .conftest import StallWatch

TABLES = (
    "CREATE TABLE sessions (key char(10) PRIMARY KEY, owner integer, ends_at timestamptz NOT NULL)",
    "CREATE TABLE team_users (team_id uuid NOT NULL, user_id integer NOT NULL)",
    "CREATE INDEX ON team_users (user_id)",
    "INSERT INTO sessions SELECT 'key-' || n, n, now() + n * interval '1 minute' FROM generate_series(1, 1000) n",
    "INSERT INTO team_users SELECT md5(t::text)::uuid, n FROM generate_series(1, 1000) n, generate_series(1, 3) t",
    "ANALYZE",
)
TOKEN_QUERIES = {
    "plain": "SELECT owner, extract(epoch FROM ends_at - now()) FROM sessions WHERE key = %(token)s",
    "twice": "SELECT owner, 60 FROM sessions WHERE key = %(token)s AND key = %(token)s",
    "semicolon": "SELECT owner, 60 FROM sessions WHERE key = %(token)s ;  ",
    "comment": "SELECT owner, 60 FROM sessions WHERE key = %(token)s -- that is all",
    "with": "WITH s AS (SELECT * FROM sessions WHERE key = %(token)s) SELECT owner, 60 FROM s",
    "ordered": "SELECT owner, 60 FROM sessions WHERE key = %(token)s ORDER BY ends_at DESC LIMIT 1",
    "zone": "SELECT owner, 60 FROM sessions WHERE key = %(token)s AND %(timezone)s = 'UTC'",
    "percent": "SELECT owner, 60 FROM sessions WHERE key = %(token)s AND 'a%%(token)s' LIKE 'a%%'",
    "same names": "SELECT owner AS x, 60 AS x FROM sessions WHERE key = %(token)s",
    "both queries": "SELECT owner, 60 FROM sessions WHERE key = %(token)s UNION ALL SELECT 0, 0 WHERE false",
}
MEMBERSHIP_QUERIES = {
    "plain": "SELECT team_id, 'member' FROM team_users WHERE user_id = %(user)s",
    "no role": "SELECT team_id FROM team_users WHERE user_id = %(user)s AND user_id::text = %(user)s",
    "null role": "SELECT team_id, NULL FROM team_users WHERE user_id = %(user)s",
}
# Not to be put into another query.
SINGLE_QUERIES = {
    "writing": "WITH s AS (UPDATE sessions SET key = key WHERE key = %(token)s RETURNING owner)"
    " SELECT owner, 60 FROM s",
    "two statements": "SELECT owner, 60 FROM sessions WHERE key = %(token)s; SELECT owner, 60 FROM sessions"
    " WHERE key = %(token)s",
}


class Open:
    """Starts stores and stops them in the end."""

    def __init__(self, server: PostgresServer) -> None:
        self.dsn = server.create_database(*TABLES)
        self.stores: list[PostgresTokenStore] = []

    async def __call__(self, **options: Any) -> PostgresTokenStore:
        queries = {"token_query": TOKEN_QUERIES["plain"], "membership_query": MEMBERSHIP_QUERIES["plain"]}
        store = PostgresTokenStore(reactor, dsn=self.dsn, token_hash="plain", **(queries | options))
        self.stores.append(store)
        await store.start()
        return store


@pytest_twisted.async_yield_fixture()
async def start(postgres_server: PostgresServer) -> AsyncIterator[Open]:
    opened = Open(postgres_server)
    yield opened
    for store in opened.stores:
        await store.stop()


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


async def singly(store: PostgresTokenStore, keys: list[str]) -> dict[str, Any]:
    found = await gatherResults([Deferred.fromCoroutine(store.look_up(key)) for key in keys])
    return {key: row.user for key, row in zip(keys, found, strict=True) if row is not None}


@pytest.mark.parametrize("query", TOKEN_QUERIES.values(), ids=TOKEN_QUERIES)
@pytest_twisted.ensureDeferred
async def test_tokens(start: Open, log_lines: list[str], query: str) -> None:
    store = await start(token_query=query)
    # A char(10) takes blanks at the end for nothing: whatever the query finds alone it finds among others.
    keys = [*(f"key-{number}" for number in range(950, 1200)), "key-7   ", "KEY-7", "", "\x00", "x" * 5000, "key-7"]
    found = await store.look_up_all(keys)
    assert {key: row.user for key, row in found.items()} == await singly(store, keys)
    assert found["key-7   "].user == "7"
    assert len(found) == 53
    assert not [line for line in log_lines if "can't be asked for many" in line or "does not work" in line]


@pytest.mark.parametrize("query", MEMBERSHIP_QUERIES.values(), ids=MEMBERSHIP_QUERIES)
@pytest_twisted.ensureDeferred
async def test_memberships(start: Open, log_lines: list[str], query: str) -> None:
    store = await start(membership_query=query)
    users = [str(number) for number in range(901, 1101)]
    found = await store.memberships_of(users)
    assert [len(found[user]) for user in users] == [3] * 100 + [0] * 100
    for user in users[::20]:
        assert sorted(found[user], key=str) == sorted(await store.memberships(user), key=str)
    assert not [line for line in log_lines if "can't be asked for many" in line]


@pytest_twisted.ensureDeferred
async def test_who_fits_no_column_keeps_no_other_from_the_answer(start: Open, log_lines: list[str]) -> None:
    store = await start()
    found = await store.memberships_of(["7", "seven", "99999999999999999999", "8"])
    assert [len(found[user]) for user in ("7", "seven", "99999999999999999999", "8")] == [3, 0, 0, 3]
    assert not log_lines


@pytest.mark.parametrize("query", SINGLE_QUERIES.values(), ids=SINGLE_QUERIES)
@pytest_twisted.ensureDeferred
async def test_what_can_not_stand_in_another_query_is_asked_one_by_one(
    start: Open, log_lines: list[str], query: str
) -> None:
    store = await start(token_query=query)
    keys = [f"key-{number}" for number in range(900, 1100)]
    for _ in range(2):
        found = await store.look_up_all(keys)
        assert {key: row.user for key, row in found.items()} == {f"key-{n}": str(n) for n in range(900, 1001)}
    said = [line for line in log_lines if "the token_query can't be asked for many at once" in line]
    assert len(said) == 1
    assert "key-9" not in said[0]


@pytest_twisted.ensureDeferred
async def test_a_query_that_does_not_work_at_all_is_a_fault(start: Open, log_lines: list[str]) -> None:
    store = await start(membership_query="SELECT team FROM team_users WHERE user_id = %(user)s")
    with pytest.raises(StoreUnavailable, match="the membership_query of the token store does not work"):
        await store.memberships_of(["7", "8"])
    assert [line for line in log_lines if "does not work: undefined_column" in line]
    assert not [line for line in log_lines if "can't be asked for many" in line]


@pytest_twisted.ensureDeferred
async def test_a_question_that_is_cancelled_once_is_asked_together_again(start: Open, log_lines: list[str]) -> None:
    """A server that is slow for a moment must not be asked 100 times as often from then on."""
    store = await start(
        membership_query="SELECT team_id FROM team_users, LATERAL (SELECT pg_sleep(0.02)) AS slowly"
        " WHERE user_id = %(user)s",
        timeout=10.0,
    )
    name = (await store._engine.ask("SELECT current_database()", {}, reactor.seconds() + 5))[0][0]
    await store._engine.ask(f"ALTER DATABASE {name} SET statement_timeout = '1s'; SELECT 1", {}, reactor.seconds() + 5)
    slow = await start(membership_query=store._membership_query.sql, timeout=10.0)
    found = await slow.memberships_of([str(number) for number in range(1, 61)])
    assert all(len(rows) == 3 for rows in found.values())
    assert not [line for line in log_lines if "can't be asked for many" in line]


@pytest.mark.usefixtures("young_heap")
@pytest_twisted.ensureDeferred
async def test_ten_thousand_users_by_an_own_query_do_not_stop_the_reactor(start: Open, stall_watch: StallWatch) -> None:
    store = await start(timeout=10.0)
    stall_watch.start()
    found = await store.memberships_of([str(number) for number in range(10_000)])
    stall_watch.stop()
    assert sum(map(len, found.values())) == 3000
    assert stall_watch.worst() < 0.1


@pytest.mark.usefixtures("young_heap")
@pytest_twisted.ensureDeferred
async def test_support_staff_with_many_organizations_do_not_stop_the_reactor(
    postgres_server: PostgresServer, start: Open, stall_watch: StallWatch
) -> None:
    """20 users with 10,000 organizations each, where users with few made the portions large."""
    postgres_server.execute(
        "INSERT INTO team_users SELECT md5(t::text)::uuid, n FROM generate_series(2001, 2020) n,"
        " generate_series(1, 10000) t",
        dsn=start.dsn,
    )
    store = await start(timeout=10.0, membership_query=MEMBERSHIP_QUERIES["plain"])
    users = [str(number) for number in (*range(1, 500), *range(2001, 2021))]
    stall_watch.start()
    found = await store.memberships_of(users)
    stall_watch.stop()
    assert sum(map(len, found.values())) == 499 * 3 + 20 * 10_000
    assert stall_watch.worst() < 0.1


@pytest_twisted.ensureDeferred
async def test_who_fits_no_column_costs_few_questions(postgres_server: PostgresServer, start: Open) -> None:
    """Anyone may show a text that is no key; it must not make a question of each of those who come with it."""
    postgres_server.execute("CREATE TABLE keys (key uuid PRIMARY KEY, owner text)", dsn=start.dsn)
    postgres_server.execute(
        "INSERT INTO keys SELECT md5(n::text)::uuid, n::text FROM generate_series(1, 200) n", dsn=start.dsn
    )
    store = await start(token_query="SELECT owner, 60 FROM keys WHERE key = %(token)s")
    keys = [str(key) for (key,) in postgres_server.execute("SELECT key FROM keys", dsn=start.dsn)]
    asked: list[str] = []
    ask = store._engine.ask
    store._engine.ask = lambda query, *rest: asked.append(query) or ask(query, *rest)  # type: ignore[func-returns-value, method-assign] # counts
    found = await store.look_up_all([*keys[:77], "no key", *keys[77:]])
    assert len(found) == 200
    assert len(asked) < 60
    asked.clear()
    tokens = await gatherResults([Deferred.fromCoroutine(store.look_up(key)) for key in (*keys, "no key either")])
    assert sum(token is not None for token in tokens) == 200
    assert len(asked) < 100


@pytest_twisted.ensureDeferred
async def test_a_slow_query_of_ones_own_is_not_asked_for_many(start: Open) -> None:
    """A batch takes as long as all its queries together; each asker has a deadline of its own."""
    store = await start(
        token_query="SELECT owner, 60 FROM sessions, pg_sleep(0.2) WHERE key = %(token)s", timeout=10.0, pool_size=4
    )
    found = await singly(store, [f"key-{number}" for number in range(900, 930)])
    assert len(found) == 30
    assert store._token_batches._most < 8
