"""What the triggers on Postgres' tables tell, that it is no secret, and that nothing they meet fails a transaction."""

from __future__ import annotations

import json
import os
import select
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from wampgate.stores.preparing import (
    prepare_postgres,
    removal_of_triggers,
    statements,
    tables_that_do_not_tell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_server import PostgresServer

TOKEN = "canary-token"
TRIGGERS = [statement for statement in statements("postgres") if statement.what == "TRIGGER"]


class Listener:
    """A database of the test's own and somebody who listens to it."""

    def __init__(self, server: PostgresServer, dsn: str) -> None:
        self.server = server
        self.dsn = dsn
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self._connection.cursor().execute("LISTEN wampgate")

    def execute(self, *sql: str, dsn: str | None = None) -> list[Any]:
        """Run statements, as the customer's application does."""
        return self.server.execute(*sql, dsn=dsn or self.dsn)

    def role(self, *grants: str) -> str:
        """The DSN of a new role with some rights."""
        name = f"customer_{os.urandom(4).hex()}"
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p'", *(grant.format(name) for grant in grants))
        database = psycopg2.extensions.parse_dsn(self.dsn)["dbname"]
        return self.server.dsn_of(database, user=name, password="p")

    def heard(self) -> list[Any]:
        """What was told since the last time, with users in order."""
        # What was committed before this arrives before it.
        self._connection.cursor().execute("NOTIFY wampgate, 'end'")
        self._connection.poll()
        while not self._connection.notifies or self._connection.notifies[-1].payload != "end":
            assert select.select([self._connection], [], [], 5)[0]
            self._connection.poll()
        payloads = [notification.payload for notification in self._connection.notifies]
        self._connection.notifies.clear()
        assert not [payload for payload in payloads if TOKEN in payload]
        assert all(len(payload.encode()) < 8000 for payload in payloads)
        told = [json.loads(payload) for payload in payloads[:-1]]
        return [{"users": sorted(one["users"])} if "users" in one else one for one in told]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def listener(postgres_server: PostgresServer) -> Iterator[Listener]:
    dsn = postgres_server.create_database()
    prepare_postgres(dsn)
    postgres_server.execute(
        f"INSERT INTO oauth_access_tokens SELECT '{TOKEN}-' || n, 'app', n::text, now() + interval '1 hour', ''"
        " FROM generate_series(1, 300) n",
        "INSERT INTO organization_members SELECT 'org', n::text, '' FROM generate_series(1, 300) n",
        dsn=dsn,
    )
    with closing(Listener(postgres_server, dsn)) as listener:
        listener.heard()
        yield listener


EVERYTHING = {"everything": True}
TOLD = {
    f"DELETE FROM oauth_access_tokens WHERE access_token = '{TOKEN}-7'": [{"users": ["7"]}],
    f"UPDATE oauth_access_tokens SET expires = now() WHERE access_token = '{TOKEN}-7'": [{"users": ["7"]}],
    "UPDATE oauth_access_tokens SET user_id = '8' WHERE user_id = '7'": [{"users": ["7", "8"]}],
    "UPDATE oauth_access_tokens SET user_id = NULL WHERE user_id = '7'": [{"users": ["7"]}],
    "TRUNCATE oauth_access_tokens": [EVERYTHING],
    "INSERT INTO organization_members VALUES ('a', '7'), ('b', '7'), ('a', '9')": [{"users": ["7", "9"]}],
    "DELETE FROM organization_members WHERE user_id IN ('7', '8')": [{"users": ["7", "8"]}],
    "UPDATE organization_members SET user_id = 'x' WHERE user_id = '7'": [{"users": ["7", "x"]}],
    "UPDATE organization_members SET role = 'admin' WHERE user_id = '7'": [{"users": ["7"]}],
    "TRUNCATE organization_members": [EVERYTHING],
    "INSERT INTO organization_members VALUES ('org', '7') ON CONFLICT (user_id, organization_id)"
    " DO UPDATE SET role = 'admin'": [{"users": ["7"]}],
    "DELETE FROM organization_members WHERE user_id::int <= 100": [{"users": sorted(map(str, range(1, 101)))}],
    "DELETE FROM organization_members WHERE user_id::int <= 101": [EVERYTHING],
    "DELETE FROM organization_members": [EVERYTHING],
    "INSERT INTO organization_members SELECT n, '7' FROM generate_series(1, 20000) n": [{"users": ["7"]}],
    "INSERT INTO organization_members SELECT 'x', n || repeat('x', 200) FROM generate_series(1, 50) n": [EVERYTHING],
    """INSERT INTO organization_members VALUES ('x', E'"\\\\}\\n''; DROP TABLE x; -- ä\U0001f600')""": [
        {"users": ["\"\\}\n'; DROP TABLE x; -- ä\U0001f600"]}
    ],
    "INSERT INTO oauth_access_tokens VALUES ('new', 'app', '7', now(), '')": [],
    "UPDATE oauth_access_tokens SET expires = now() WHERE access_token = 'nobody has this'": [],
    "DELETE FROM organization_members WHERE false": [],
    "INSERT INTO oauth_access_tokens VALUES ('app''s', 'app', NULL); DELETE FROM oauth_access_tokens"
    " WHERE user_id IS NULL": [],
    "BEGIN; DELETE FROM organization_members WHERE user_id = '7'; ROLLBACK": [],
}


@pytest.mark.parametrize("statement", TOLD, ids=lambda statement: statement[:60])
def test_what_a_statement_tells(listener: Listener, statement: str) -> None:
    listener.execute(statement)
    told = listener.heard()
    # Postgres itself tells the same only once in a transaction.
    assert told in (TOLD[statement], TOLD[statement] * 2)


def test_a_user_who_is_deleted_takes_his_rows_along_and_they_tell(listener: Listener) -> None:
    listener.execute(
        "CREATE TABLE users (id text PRIMARY KEY)",
        "INSERT INTO users SELECT DISTINCT user_id FROM organization_members",
        "ALTER TABLE organization_members ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
        "DELETE FROM users WHERE id = '7'",
    )
    assert listener.heard() == [{"users": ["7"]}]


@pytest.mark.parametrize(
    ("column", "value", "argument", "told"),
    [
        ("owner integer", "7", "owner", {"users": ["7"]}),
        (
            "owner uuid",
            "'6F1F0B1E5A2C4F0E9D540C2F3A1B7C11'",
            "owner",
            {"users": ["6f1f0b1e-5a2c-4f0e-9d54-0c2f3a1b7c11"]},
        ),
        ('"Odd ""name"" %s" bigint', "7", """Odd "name" %s""", {"users": ["7"]}),
        ("owner integer", "7", "no_such_column", EVERYTHING),
        ("owner integer", "7", "owner) --", EVERYTHING),
    ],
)
def test_a_table_of_ones_own(listener: Listener, column: str, value: str, argument: str, told: Any) -> None:
    """As docs/postgres.md shows it; a mistake there tells too much, not too little."""
    listener.execute(
        f"CREATE TABLE team_users ({column})",
        "CREATE TRIGGER wampgate_tells_of_insert AFTER INSERT ON team_users REFERENCING NEW TABLE AS wampgate_new"
        f" FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('{argument}')",
        f"INSERT INTO team_users VALUES ({value})",
    )
    assert listener.heard() == [told]


def test_a_table_without_users_tells_that_anything_may_have_changed(listener: Listener) -> None:
    listener.execute(
        "CREATE TABLE suspended (organization_id text)",
        "CREATE TRIGGER wampgate_tells AFTER INSERT OR UPDATE OR DELETE ON suspended"
        " FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell()",
        "INSERT INTO suspended VALUES ('7')",
        "DELETE FROM suspended",
    )
    assert listener.heard() == [EVERYTHING, EVERYTHING]


def test_who_may_only_delete_tells(listener: Listener) -> None:
    """The customer's role needs no more rights because of the triggers."""
    customer = listener.role(
        "GRANT DELETE, SELECT (user_id) ON organization_members TO {}", "GRANT TRUNCATE ON oauth_access_tokens TO {}"
    )
    listener.execute("DELETE FROM organization_members WHERE user_id = '7'", dsn=customer)
    listener.execute("TRUNCATE oauth_access_tokens", dsn=customer)
    assert listener.heard() == [{"users": ["7"]}, EVERYTHING]


def test_when_pg_notify_fails_the_customers_transaction_commits(listener: Listener) -> None:
    customer = listener.role("GRANT DELETE, SELECT (user_id) ON organization_members TO {}")
    listener.execute("REVOKE EXECUTE ON FUNCTION pg_notify FROM PUBLIC")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        listener.execute("SELECT pg_notify('wampgate', '')", dsn=customer)
    listener.execute("DELETE FROM organization_members WHERE user_id = '7'", dsn=customer)
    assert not listener.execute("SELECT 1 FROM organization_members WHERE user_id = '7'")
    assert listener.heard() == []


def test_when_the_queue_runs_full_nothing_is_told_since_commit_would_fail(listener: Listener) -> None:
    listener.execute(
        "CREATE OR REPLACE FUNCTION pg_catalog.pg_notification_queue_usage() RETURNS float8 LANGUAGE sql"
        " AS 'SELECT 0.6::float8'",
        "DELETE FROM organization_members WHERE user_id = '7'",
    )
    assert not listener.execute("SELECT 1 FROM organization_members WHERE user_id = '7'")
    assert listener.heard() == []


def test_functions_and_tables_of_somebody_elses_are_not_used(listener: Listener) -> None:
    """The customer's role may be powerful; who can make functions in its search path must not become it."""
    listener.execute(
        "CREATE SCHEMA evil",
        "CREATE TABLE evil.stolen (what text)",
        *(
            f"CREATE FUNCTION evil.{signature} LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO evil.stolen VALUES ('x'); RETURN NULL; END $$"
            for signature in (
                "pg_notify(text, text) RETURNS void",
                "format(text, text) RETURNS text",
                "octet_length(text) RETURNS int",
                "pg_notification_queue_usage() RETURNS float8",
            )
            if "void" not in signature
        ),
        "CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'INSERT INTO evil.stolen VALUES ($2)'",
        "SET search_path = evil, pg_catalog, public;"
        " CREATE TEMP TABLE wampgate_old (user_id text); INSERT INTO wampgate_old VALUES ('mallory');"
        " DELETE FROM organization_members WHERE user_id = '7'",
    )
    assert listener.heard() == [{"users": ["7"]}]
    assert listener.execute("SELECT * FROM evil.stolen") == []


def test_a_large_statement_is_not_slowed_down_much(listener: Listener) -> None:
    """A bound against the quadratic, not a measurement."""
    listener.execute(
        "SET statement_timeout = '5s'; INSERT INTO organization_members SELECT 'y', n FROM generate_series(1, 200000) n"
    )
    assert listener.heard() == [EVERYTHING]


def test_the_removal_leaves_the_tables_as_they_were(listener: Listener) -> None:
    assert tables_that_do_not_tell(listener.dsn) == []
    listener.execute(removal_of_triggers(), "DELETE FROM organization_members WHERE user_id = '7'")
    assert listener.execute("SELECT 1 FROM pg_trigger WHERE NOT tgisinternal") == []
    assert listener.heard() == []
    listener.execute(removal_of_triggers())
    assert tables_that_do_not_tell(listener.dsn) == [
        "oauth_access_tokens",
        "organization_members",
        "wampgate_credentials",
    ]


def test_existing_tables_get_no_triggers_and_it_is_told(postgres_server: PostgresServer) -> None:
    dsn = postgres_server.create_database(
        "CREATE TABLE organization_members (organization_id text, user_id text, role text)"
    )
    created = prepare_postgres(dsn)
    assert created[0] == "oauth_access_tokens"
    assert tables_that_do_not_tell(dsn) == ["organization_members"]
    assert prepare_postgres(dsn) == []
    # What `wampgate init --show` prints installs them.
    postgres_server.execute(*(one.sql for one in TRIGGERS if one.table == "organization_members"), dsn=dsn)
    assert tables_that_do_not_tell(dsn) == []
