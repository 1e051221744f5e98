"""A token that is remembered is as good as the table says at each moment, and opens nothing while nobody can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from psycopg2.extensions import make_dsn
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.preparing import removal_of_triggers

from .conftest import sleep, until

if TYPE_CHECKING:
    from postgres_server import PostgresServer

    from wampgate.stores.postgres import PostgresTokenStore

    from .conftest import Watched

SILENTLY = "BEGIN; SET LOCAL session_replication_role = replica; {}; COMMIT"
"""Runs a statement behind the triggers' back: whoever still has the old answer has it from memory."""

pytestmark = pytest.mark.usefixtures("quick_heartbeats")


async def remembers(server: PostgresServer, dsn: str, store: PostgresTokenStore, number: int) -> bool:
    """Whether a token that was found is told again without the table being asked."""
    assert await store.look_up(f"token-{number}") is not None
    end = f"DELETE FROM oauth_access_tokens WHERE access_token = 'token-{number}'"
    server.execute(SILENTLY.format(end), dsn=dsn)
    return await store.look_up(f"token-{number}") is not None


@pytest_twisted.ensureDeferred
async def test_what_is_revoked_opens_nothing_from_the_commit_on(
    postgres_server: PostgresServer, dsn: str, watch: Watched
) -> None:
    """Each look-up begins when the COMMIT has returned: no moment is left for a notification to be on its way."""
    store = await watch(dsn)
    assert await remembers(postgres_server, dsn, store, 20)
    for number in range(1, 16):
        token = f"token-{number}"
        assert await store.look_up(token) is not None
        assert await store.look_up(token) is not None
        postgres_server.execute(f"DELETE FROM oauth_access_tokens WHERE access_token = '{token}'", dsn=dsn)
        assert await store.look_up(token) is None


@pytest_twisted.ensureDeferred
async def test_what_changes_for_a_token_is_told_from_the_commit_on(
    postgres_server: PostgresServer, dsn: str, watch: Watched
) -> None:
    store = await watch(dsn)
    for statement, user, seconds in (
        ("UPDATE oauth_access_tokens SET expires = now() + interval '60 s' WHERE access_token = 'token-1'", "1", 60),
        ("UPDATE oauth_access_tokens SET user_id = 'new' WHERE access_token = 'token-1'", "new", 60),
        ("UPDATE oauth_access_tokens SET expires = now() + interval '10 h'", "new", 36000),
    ):
        await store.look_up("token-1")
        postgres_server.execute(statement, dsn=dsn)
        token = await store.look_up("token-1")
        assert token is not None
        assert token.user == user
        assert seconds - 5 < token.seconds_left <= seconds
    postgres_server.execute("TRUNCATE oauth_access_tokens", dsn=dsn)
    assert await store.look_up("token-1") is None


@pytest_twisted.ensureDeferred
async def test_unknown_and_expired_tokens_are_asked_for_each_time(
    postgres_server: PostgresServer, dsn: str, watch: Watched
) -> None:
    store = await watch(dsn)
    assert await store.look_up("new") is None
    postgres_server.execute(
        "INSERT INTO oauth_access_tokens VALUES ('new', 'app', '7', now() - interval '1 s', '')", dsn=dsn
    )
    token = await store.look_up("new")
    assert token is not None
    assert token.seconds_left < 0
    postgres_server.execute(
        SILENTLY.format("UPDATE oauth_access_tokens SET expires = now() + interval '1 h' WHERE access_token = 'new'"),
        dsn=dsn,
    )
    token = await store.look_up("new")
    assert token is not None
    assert token.seconds_left > 0


@pytest.mark.parametrize(
    "change",
    [
        removal_of_triggers(),
        "ALTER TABLE oauth_access_tokens DISABLE TRIGGER wampgate_tells_of_update",
        "DROP TRIGGER wampgate_tells_of_delete ON oauth_access_tokens",
        "CREATE TABLE child () INHERITS (oauth_access_tokens)",
    ],
    ids=["no triggers", "one is off", "one is missing", "a child that does not tell"],
)
@pytest_twisted.ensureDeferred
async def test_where_not_everything_is_told_nothing_is_remembered(
    postgres_server: PostgresServer, dsn: str, watch: Watched, change: str
) -> None:
    postgres_server.execute(change, dsn=dsn)
    store = await watch(dsn, hears="DROP FUNCTION" not in change)
    await sleep(0.3)
    assert not await remembers(postgres_server, dsn, store, 1)


@pytest_twisted.ensureDeferred
async def test_triggers_that_go_while_the_router_runs_are_noticed(
    postgres_server: PostgresServer, dsn: str, watch: Watched
) -> None:
    store = await watch(dsn)
    assert await remembers(postgres_server, dsn, store, 1)
    postgres_server.execute("ALTER TABLE oauth_access_tokens DISABLE TRIGGER ALL", dsn=dsn)
    await sleep(1.2)
    assert not await remembers(postgres_server, dsn, store, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"token_cache_seconds": 0},
        {"token_query": "SELECT user_id, 60 FROM oauth_access_tokens WHERE access_token = %(token)s"},
    ],
    ids=["switched off", "an own query"],
)
@pytest_twisted.ensureDeferred
async def test_where_it_is_not_wanted_or_not_known_what_is_read_nothing_is_remembered(
    postgres_server: PostgresServer, dsn: str, watch: Watched, options: dict[str, Any]
) -> None:
    store = await watch(dsn, **options)
    assert not await remembers(postgres_server, dsn, store, 1)


@pytest_twisted.ensureDeferred
async def test_it_is_forgotten_in_time(postgres_server: PostgresServer, dsn: str, watch: Watched) -> None:
    store = await watch(dsn, token_cache_seconds=0.3)
    assert await remembers(postgres_server, dsn, store, 1)
    await sleep(0.4)
    assert await store.look_up("token-1") is None


@pytest_twisted.ensureDeferred
async def test_while_postgres_is_frozen_a_remembered_token_opens_nothing(
    server: PostgresServer, watch: Watched
) -> None:
    store = await watch(server.dsn)
    assert await remembers(server, server.dsn, store, 1)
    await deferToThread(server.freeze)
    questions = [Deferred.fromCoroutine(store.look_up("token-2" if n % 2 else "token-1")) for n in range(20)]
    for question in questions:
        with pytest.raises(StoreUnavailable):
            await question
    await deferToThread(server.thaw)
    await until(lambda: store.hears, 5)
    assert await store.look_up("token-2") is not None


@pytest_twisted.ensureDeferred
async def test_when_nothing_is_heard_any_more_the_table_is_asked(server: PostgresServer, watch: Watched) -> None:
    """Only the connection that listens is lost; the others go on, and questions on their way have their answers."""
    store = await watch(server.dsn, listen_dsn=make_dsn(server.dsn, application_name="the ear"))
    assert await remembers(server, server.dsn, store, 1)
    questions = [Deferred.fromCoroutine(store.look_up(f"token-{number}")) for number in (1, 2, 3)]
    ended = server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'the ear'")
    assert ended == [(True,)]
    found = await gatherResults(questions)
    assert [token is not None for token in found[1:]] == [True, True]
    await until(lambda: not store.hears, 1)
    assert await store.look_up("token-1") is None
