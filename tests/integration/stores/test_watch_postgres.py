"""Changes in Postgres are heard at once, and storms and forgeries of notifications do no harm."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from wampgate.core.interfaces import Change

from .conftest import fill, sleep, until

if TYPE_CHECKING:
    from postgres_server import PostgresServer

    from .conftest import StallWatch, Watched

AT_ONCE = 1.0
STALL = 0.1
CANARY = "canary-3b7f"


def notify(server: PostgresServer, dsn: str, *payloads: str) -> None:
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        for payload in payloads:
            cursor.execute("SELECT pg_notify('wampgate', %s)", (payload,))
    connection.close()


# --- what is heard ---


@pytest_twisted.ensureDeferred
async def test_a_commit_is_heard_within_a_tenth_of_a_second(
    postgres_server: PostgresServer, dsn: str, watch: Watched
) -> None:
    await watch(dsn)
    took = []
    for user in range(1, 11):
        await deferToThread(
            postgres_server.execute, f"DELETE FROM organization_members WHERE user_id = '{user}'", dsn=dsn
        )
        took.append(await until(lambda user=user: watch.heard.of(str(user)), AT_ONCE))
        await sleep(0.06)
    assert watch.heard.users == {str(user) for user in range(1, 11)}
    assert not watch.heard.everything
    assert sorted(took)[5] < 0.1


@pytest.mark.usefixtures("young_heap")
@pytest_twisted.ensureDeferred
async def test_ten_thousand_memberships_in_one_transaction_are_one_everything(
    postgres_server: PostgresServer, dsn: str, watch: Watched, stall_watch: StallWatch
) -> None:
    """And who asks for all 10,000 users then does not stop the reactor."""
    users = [f"member-{number}" for number in range(10_000)]
    store = await watch(dsn, timeout=5.0)
    swept: list[Deferred[Any]] = []
    watch.heard.then = lambda: swept.append(Deferred.fromCoroutine(store.memberships_of(users)))
    stall_watch.start()
    await deferToThread(
        postgres_server.execute,
        "INSERT INTO organization_members SELECT 'org-' || m, 'member-' || n"
        " FROM generate_series(0, 9999) n, generate_series(1, 3) m",
        dsn=dsn,
    )
    committed = time.monotonic()
    await until(lambda: swept, AT_ONCE)
    found = await swept[0]
    took = time.monotonic() - committed
    await sleep(0.6)
    stall_watch.stop()
    assert watch.heard.changes == [Change(everything=True)]
    assert all(len(found[user]) == 3 for user in users)
    assert stall_watch.worst() < STALL
    assert took < 5


@pytest.mark.usefixtures("young_heap")
@pytest_twisted.ensureDeferred
async def test_ten_thousand_tokens_read_again_do_not_stop_the_reactor(
    postgres_server: PostgresServer, dsn: str, watch: Watched, stall_watch: StallWatch
) -> None:
    postgres_server.execute(
        "INSERT INTO oauth_access_tokens SELECT 't' || n, 'app', n::text, now() + interval '1 hour', ''"
        " FROM generate_series(1, 9000) n",
        dsn=dsn,
    )
    store = await watch(dsn, timeout=5.0)
    stall_watch.start()
    found = await store.look_up_all([f"t{number}" for number in range(1, 10_001)])
    stall_watch.stop()
    assert len(found) == 9000
    assert found["t17"].user == "17"
    assert stall_watch.worst() < STALL


@pytest_twisted.ensureDeferred
async def test_an_answer_on_its_way_is_not_given_once_a_change_was_told(
    postgres_server: PostgresServer, dsn: str, watch: Watched
) -> None:
    """The rows are read when a query begins; these queries then take their time."""
    store = await watch(
        dsn,
        timeout=5.0,
        token_query="SELECT user_id, 600 FROM oauth_access_tokens,"
        " LATERAL (SELECT pg_sleep(0.4)) AS slowly WHERE access_token = %(token)s",
        membership_query="SELECT organization_id FROM organization_members,"
        " LATERAL (SELECT pg_sleep(0.4)) AS slowly WHERE user_id = %(user)s",
    )
    questions = [
        Deferred.fromCoroutine(question)
        for question in (
            store.look_up("token-7"),
            store.memberships("7"),
            store.look_up_all(["token-7"]),
            store.memberships_of(["7"]),
        )
    ]
    await sleep(0.15)
    postgres_server.execute(
        "DELETE FROM oauth_access_tokens WHERE user_id = '7'",
        "DELETE FROM organization_members WHERE user_id = '7'",
        dsn=dsn,
    )
    await until(lambda: watch.heard.of("7"), 0.2)
    assert not any(question.called for question in questions)
    assert [await question for question in questions] == [None, [], {}, {"7": []}]


@pytest_twisted.ensureDeferred
async def test_a_role_that_may_only_select_hears(
    postgres_server: PostgresServer, dsn: str, watch: Watched, log_lines: list[str]
) -> None:
    role = f"wampgate_{os.urandom(4).hex()}"
    postgres_server.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD '{CANARY}'",
        f"GRANT SELECT ON oauth_access_tokens, organization_members TO {role}",
        f"ALTER ROLE {role} SET default_transaction_read_only = on",
        f"ALTER ROLE {role} SET statement_timeout = '3s'",
        dsn=dsn,
    )
    database = psycopg2.extensions.parse_dsn(dsn)["dbname"]
    await watch(postgres_server.dsn_of(database, user=role, password=CANARY))
    postgres_server.execute("DELETE FROM oauth_access_tokens WHERE user_id = '7'", dsn=dsn)
    await until(lambda: watch.heard.users == {"7"}, AT_ONCE)
    assert not [line for line in log_lines if CANARY in line]
    assert [line for line in log_lines if "changes of oauth_access_tokens, organization_members are heard" in line]


# --- what is forged ---

FORGED = {
    "": True,
    "7": True,
    "not json": True,
    '{"everything": true}': True,
    '{"everything": "yes"}': True,
    '{"users": "7"}': True,
    '{"users": [7]}': True,
    '{"users": [["7"]]}': True,
    "[" * 7000: True,
    '{"x": ' + "[" * 7000: True,
    '{"users": ["\\ud800"]}': None,
    '{"users": []}': False,
    "{}": False,
    '{"heartbeat": "0000000000000000"}': False,
    '{"heartbeat": ["x"]}': True,
    '{"users": ["nobody", "\\u0000", "\' OR 1=1", "x\\ny"]}': False,
    json.dumps({"users": ["x" * 7900]}): False,
}


@pytest_twisted.ensureDeferred
async def test_forged_notifications_do_no_harm(
    postgres_server: PostgresServer, dsn: str, watch: Watched, log_lines: list[str]
) -> None:
    store = await watch(dsn)
    for payload, everything in FORGED.items():
        notify(postgres_server, dsn, payload)
        await sleep(0.56)
        if everything is not None:
            assert bool(watch.heard.everything) == everything, payload[:40]
        watch.heard.changes.clear()
    assert store.hears
    assert (await store.look_up("token-7")).user == "7"
    unreadable = [line for line in log_lines if "can't be read" in line]
    assert len(unreadable) == 1
    assert "not json" not in unreadable[0]
    assert not [line for line in log_lines if "log_failure" in line]


@pytest.mark.usefixtures("young_heap")
@pytest_twisted.ensureDeferred
async def test_a_storm_of_notifications_makes_few_changes_and_no_stall(
    postgres_server: PostgresServer, dsn: str, watch: Watched, stall_watch: StallWatch
) -> None:
    store = await watch(dsn)
    stall_watch.start()
    begun = time.monotonic()
    for storm in range(5):
        payloads = [json.dumps({"users": [f"{storm}-{number}"]}) for number in range(4000)]
        await deferToThread(notify, postgres_server, dsn, *payloads, '{"everything": true}', "garbage")
    postgres_server.execute("DELETE FROM organization_members WHERE user_id = '7'", dsn=dsn)
    await until(lambda: watch.heard.of("7"), AT_ONCE)
    took = time.monotonic() - begun
    await sleep(0.6)
    stall_watch.stop()
    assert watch.heard.everything <= 2 + took / 0.5
    assert len(watch.heard.changes) <= 4 + took / 0.05 + took / 0.5
    assert all(len(change.users) <= 1000 for change in watch.heard.changes)
    assert stall_watch.worst() < STALL
    assert store.hears


@pytest_twisted.ensureDeferred
async def test_bytes_that_are_no_text_in_a_database_without_an_encoding(
    postgres_server: PostgresServer, watch: Watched
) -> None:
    name = f"ascii_{os.urandom(4).hex()}"
    postgres_server.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0")
    dsn = postgres_server.dsn_of(name)
    fill(postgres_server, dsn)
    store = await watch(dsn)
    postgres_server.execute(r"SELECT pg_notify('wampgate', E'\xff\xfe')", dsn=dsn)
    await sleep(0.5)
    await until(lambda: store.hears, 5)
    watch.heard.changes.clear()
    postgres_server.execute("DELETE FROM organization_members WHERE user_id = '7'", dsn=dsn)
    await until(lambda: watch.heard.of("7"), AT_ONCE)
