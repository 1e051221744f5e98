"""The presets for OAuth servers' tables, each on a real Postgres against the tables as that server makes them."""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import pytest_twisted
from postgres_server import PostgresServer
from psycopg2.extensions import make_dsn
from twisted.internet import reactor
from twisted.internet.task import deferLater

from wampgate.commands.app import main
from wampgate.stores.postgres import PostgresTokenStore
from wampgate.stores.preparing import PreparationFailed, install, missing_triggers, tables_that_do_not_tell
from wampgate.stores.presets import PRESETS, resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from wampgate.core.interfaces import Change, Token

MEMBERS = "CREATE TABLE organization_members (organization_id text, user_id text, role text)"

# What each server's own migration makes of its access tokens, on Postgres.
BSHAFFER = (
    "CREATE TABLE oauth_access_tokens (access_token varchar(40) PRIMARY KEY, client_id varchar(80) NOT NULL,"
    " user_id varchar(80), expires timestamp NOT NULL, scope varchar(4000))",
)
LEAGUE_3 = (
    "CREATE TYPE oauth_sessions_owner_type AS ENUM ('user', 'client')",
    "CREATE TABLE oauth_sessions (id bigserial PRIMARY KEY, client_id char(40) NOT NULL,"
    " owner_type oauth_sessions_owner_type NOT NULL DEFAULT 'user', owner_id varchar(510) NOT NULL)",
    "CREATE TABLE oauth_session_access_tokens (id bigserial PRIMARY KEY,"
    " session_id integer NOT NULL REFERENCES oauth_sessions (id) ON DELETE CASCADE, access_token char(40) NOT NULL,"
    " access_token_expires integer NOT NULL, UNIQUE (access_token, session_id))",
)
LEAGUE_4 = (
    "CREATE TABLE oauth_sessions (id serial PRIMARY KEY, owner_type varchar(255) NOT NULL,"
    " owner_id varchar(255) NOT NULL, client_id varchar(255) NOT NULL, client_redirect_uri varchar(255))",
    "CREATE TABLE oauth_access_tokens (access_token varchar(255) PRIMARY KEY,"
    " session_id integer NOT NULL REFERENCES oauth_sessions (id) ON DELETE CASCADE, expire_time integer NOT NULL)",
)
LEAGUE_BUNDLE = (
    "CREATE TABLE oauth2_access_token (identifier char(80) PRIMARY KEY, client varchar(32) NOT NULL,"
    " expiry timestamp(0) without time zone NOT NULL, user_identifier varchar(128), scopes text,"
    " revoked boolean NOT NULL)",
)
PASSPORT = (
    "CREATE TABLE oauth_access_tokens (id varchar(100) PRIMARY KEY, user_id bigint, client_id bigint NOT NULL,"
    " name varchar(255), scopes text, revoked boolean NOT NULL, created_at timestamp(0) without time zone,"
    " updated_at timestamp(0) without time zone, expires_at timestamp(0) without time zone)",
    "CREATE INDEX oauth_access_tokens_user_id_index ON oauth_access_tokens (user_id)",
)
PASSPORT_UUID = (
    "CREATE TABLE oauth_access_tokens (id char(80) PRIMARY KEY, user_id uuid, client_id uuid NOT NULL,"
    " name varchar(255), scopes text, revoked boolean NOT NULL, created_at timestamp(0) without time zone,"
    " updated_at timestamp(0) without time zone, expires_at timestamp(0) without time zone)",
)
DOORKEEPER = (
    "CREATE TABLE oauth_access_tokens (id bigserial PRIMARY KEY, resource_owner_id bigint,"
    " application_id bigint NOT NULL, token varchar NOT NULL, refresh_token varchar, expires_in integer,"
    " scopes varchar, created_at timestamp(6) without time zone NOT NULL,"
    " revoked_at timestamp(6) without time zone, previous_refresh_token varchar NOT NULL DEFAULT '')",
    "CREATE UNIQUE INDEX index_oauth_access_tokens_on_token ON oauth_access_tokens (token)",
)
DOORKEEPER_EXTENDED = (
    *DOORKEEPER,
    "ALTER TABLE oauth_access_tokens ADD COLUMN resource_owner_type varchar",
    "ALTER TABLE oauth_access_tokens ADD COLUMN dpop_jkt varchar",
)
DJANGO = (
    "CREATE TABLE oauth2_provider_accesstoken (id bigserial PRIMARY KEY, token text NOT NULL,"
    " token_checksum varchar(64) NOT NULL UNIQUE, expires timestamptz NOT NULL, scope text NOT NULL,"
    " application_id bigint, user_id integer, created timestamptz NOT NULL DEFAULT now(),"
    " updated timestamptz NOT NULL DEFAULT now(), source_refresh_token_id bigint UNIQUE, id_token_id bigint UNIQUE)",
)

UUID_7 = "018f2f6e-3c1a-7b0e-9d35-2a7c1f0e5b11"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


class Tables:
    """A database with one server's tables, and the store that asks them by its preset."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._stores: list[PostgresTokenStore] = []
        self.dsn = ""

    async def open(
        self, preset: str, ddl: tuple[str, ...], *, heard: Callable[[Change], None] | None = None, **options: Any
    ) -> PostgresTokenStore:
        """Start a store on new tables; with ``heard``, the triggers are installed and it is watched."""
        self.dsn = self._server.create_database(*ddl, MEMBERS)
        if heard is not None:
            assert install(self.dsn, missing_triggers(self.dsn, preset))
        return await self.open_again(preset, heard, **options)

    async def open_again(
        self, preset: str, heard: Callable[[Change], None] | None, **options: Any
    ) -> PostgresTokenStore:
        """Start another store on the same tables."""
        tokens = resolve(preset, None, options.pop("token_hash", None))
        store = PostgresTokenStore(
            reactor,
            dsn=self.dsn,
            token_query=tokens.one,
            many_tokens_query=tokens.many,
            token_tables=tokens.tables,
            token_hash=tokens.token_hash,
            **({"timeout": 5.0} | options),
        )
        self._stores.append(store)
        if heard is not None:
            store.watch(heard)
        await store.start()
        if heard is not None:
            await until(lambda: store.hears)
        return store

    def execute(self, statement: str, *parameters: Any) -> None:
        self._server.execute(statement, dsn=self.dsn, parameters=parameters or None)

    async def close(self) -> None:
        for store in self._stores:
            await store.stop()


@pytest_twisted.async_yield_fixture()
async def tables(server: PostgresServer) -> AsyncIterator[Tables]:
    tables = Tables(server)
    yield tables
    await tables.close()


async def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await deferLater(reactor, 0.01)
    pytest.fail("not within 5 s")


def good_for(token: Token | None, user: str, seconds: float) -> bool:
    assert token is not None
    assert token.user == user
    return abs(token.seconds_left - seconds) < 5


def is_over(token: Token | None, user: str) -> bool:
    assert token is not None
    assert token.user == user
    return token.seconds_left <= 0


def random_token() -> str:
    return secrets.token_hex(20)


# --- bshaffer ---


@pytest_twisted.ensureDeferred
async def test_bshaffer(tables: Tables) -> None:
    store = await tables.open("bshaffer", BSHAFFER, timezone="Europe/Berlin")
    good, expired, of_client = (random_token() for _ in range(3))
    # PHP's date() writes in its own zone.
    berlin = "now() AT TIME ZONE 'Europe/Berlin'"
    insert = "INSERT INTO oauth_access_tokens VALUES (%s, 'app', %s, {}, NULL)"
    tables.execute(insert.format(f"{berlin} + interval '1 hour'"), good, "joe")
    tables.execute(insert.format(f"{berlin} - interval '1 second'"), expired, "joe")
    tables.execute(insert.format(f"{berlin} + interval '1 hour'"), of_client, None)
    assert good_for(await store.look_up(good), "joe", 3600)
    assert is_over(await store.look_up(expired), "joe")
    assert await store.look_up(of_client) is None
    assert await store.look_up(good.upper()) is None
    assert await store.look_up(hashlib.sha256(good.encode()).hexdigest()) is None


@pytest_twisted.ensureDeferred
async def test_bshaffer_with_hashed_tokens(tables: Tables) -> None:
    widened = (BSHAFFER[0].replace("varchar(40)", "varchar(64)"),)
    store = await tables.open("bshaffer", widened, token_hash="sha256")
    stored = hashlib.sha256(b"token").hexdigest()
    tables.execute("INSERT INTO oauth_access_tokens VALUES (%s, 'app', 'joe', now() + interval '1 hour', NULL)", stored)
    assert good_for(await store.look_up("token"), "joe", 3600)
    assert await store.look_up(stored) is None


# --- league/oauth2-server ---


@pytest_twisted.ensureDeferred
async def test_league_3(tables: Tables) -> None:
    store = await tables.open("league-3", LEAGUE_3)
    good, expired, of_client = (random_token() for _ in range(3))
    tables.execute("INSERT INTO oauth_sessions VALUES (1, 'app', 'user', '7'), (2, 'app', 'client', '7')")
    insert = (
        "INSERT INTO oauth_session_access_tokens (session_id, access_token, access_token_expires) VALUES (%s, %s, {})"
    )
    tables.execute(insert.format("extract(epoch FROM now())::integer + 3600"), 1, good)
    tables.execute(insert.format("extract(epoch FROM now())::integer - 1"), 1, expired)
    tables.execute(insert.format("extract(epoch FROM now())::integer + 3600"), 2, of_client)
    assert good_for(await store.look_up(good), "7", 3600)
    assert is_over(await store.look_up(expired), "7")
    # A client's id is no user's, even if they read the same.
    assert await store.look_up(of_client) is None
    # char(40) ignores blanks at the end; a token does not.
    assert await store.look_up(f"{good} ") is None
    tables.execute("DELETE FROM oauth_sessions WHERE id = 1")
    assert await store.look_up(good) is None


@pytest_twisted.ensureDeferred
async def test_league_4(tables: Tables) -> None:
    store = await tables.open("league-4", LEAGUE_4)
    good, expired, of_client = (random_token() for _ in range(3))
    tables.execute("INSERT INTO oauth_sessions VALUES (1, 'user', '7', 'app'), (2, 'client', '7', 'app')")
    insert = "INSERT INTO oauth_access_tokens VALUES (%s, %s, {})"
    tables.execute(insert.format("extract(epoch FROM now())::integer + 3600"), good, 1)
    tables.execute(insert.format("extract(epoch FROM now())::integer - 1"), expired, 1)
    tables.execute(insert.format("extract(epoch FROM now())::integer + 3600"), of_client, 2)
    assert good_for(await store.look_up(good), "7", 3600)
    assert is_over(await store.look_up(expired), "7")
    assert await store.look_up(of_client) is None
    tables.execute("DELETE FROM oauth_access_tokens WHERE access_token = %s", good)
    assert await store.look_up(good) is None


@pytest_twisted.ensureDeferred
async def test_league_bundle(tables: Tables) -> None:
    store = await tables.open("league-bundle", LEAGUE_BUNDLE)
    expiry = "now() AT TIME ZONE 'UTC' + %s * interval '1 second'"
    insert = f"INSERT INTO oauth2_access_token VALUES (%s, 'app', {expiry}, %s, NULL, %s)"
    ids = [secrets.token_hex(40) for _ in range(4)]
    for id_, seconds, user, revoked in zip(
        ids, (3600, -1, 3600, 3600), ("joe", "joe", "joe", None), (0, 0, 1, 0), strict=True
    ):
        tables.execute(insert, id_, seconds, user, bool(revoked))
    good, expired, revoked, of_client = ids
    assert good_for(await store.look_up(good), "joe", 3600)
    assert is_over(await store.look_up(expired), "joe")
    assert is_over(await store.look_up(revoked), "joe")
    assert await store.look_up(of_client) is None


# --- Laravel Passport ---


@pytest.mark.parametrize(("ddl", "user"), [(PASSPORT, "7"), (PASSPORT_UUID, UUID_7)], ids=["integer", "uuid"])
@pytest_twisted.ensureDeferred
async def test_passport(tables: Tables, ddl: tuple[str, ...], user: str) -> None:
    store = await tables.open("passport", ddl)
    client = "1" if user == "7" else UUID_7
    insert = (
        "INSERT INTO oauth_access_tokens (id, user_id, client_id, revoked, expires_at)"
        " VALUES (%s, %s, %s, %s, now() AT TIME ZONE 'UTC' + %s * interval '1 second')"
    )
    good, expired, revoked, of_client, endless = (secrets.token_hex(40) for _ in range(5))
    tables.execute(insert, good, user, client, False, 3600)
    tables.execute(insert, expired, user, client, False, -1)
    tables.execute(insert, revoked, user, client, True, 3600)
    tables.execute(insert, of_client, None, client, False, 3600)
    tables.execute(insert, endless, user, client, False, None)
    assert good_for(await store.look_up(good), user, 3600)
    assert is_over(await store.look_up(expired), user)
    assert is_over(await store.look_up(revoked), user)
    assert await store.look_up(of_client) is None
    assert is_over(await store.look_up(endless), user)
    assert await store.look_up(f"{good} ") is None
    assert await store.look_up(good.upper()) is None
    found = await store.look_up_all([good, revoked, of_client, "unknown"])
    assert set(found) == {good, revoked}
    assert good_for(found[good], user, 3600)
    tables.execute("UPDATE oauth_access_tokens SET revoked = true WHERE id = %s", good)
    assert is_over(await store.look_up(good), user)


@pytest_twisted.ensureDeferred
async def test_passport_in_another_zone(tables: Tables) -> None:
    store = await tables.open("passport", PASSPORT, timezone="America/New_York", allow_null_expires=True)
    for id_, expires in (("good", "now() AT TIME ZONE 'America/New_York' + interval '1 hour'"), ("endless", "NULL")):
        tables.execute(
            "INSERT INTO oauth_access_tokens (id, user_id, client_id, revoked, expires_at)"
            f" VALUES ('{id_}', 7, 1, false, {expires})"
        )
    assert good_for(await store.look_up("good"), "7", 3600)
    endless = await store.look_up("endless")
    assert endless is not None
    assert endless.seconds_left == float("inf")


# --- Doorkeeper ---


@pytest.mark.parametrize("ddl", [DOORKEEPER, DOORKEEPER_EXTENDED], ids=["plain", "extended"])
@pytest.mark.parametrize("hashed", [False, True], ids=["as they are", "hashed"])
@pytest_twisted.ensureDeferred
async def test_doorkeeper(tables: Tables, ddl: tuple[str, ...], hashed: bool) -> None:
    store = await tables.open("doorkeeper", ddl, token_hash="sha256" if hashed else None)
    insert = (
        "INSERT INTO oauth_access_tokens (token, resource_owner_id, application_id, created_at, expires_in, revoked_at)"
        " VALUES (%s, %s, 1, now() AT TIME ZONE 'UTC' - interval '100 seconds', %s,"
        " now() AT TIME ZONE 'UTC' + %s * interval '1 second')"
    )
    rows = {
        "good": (7, 7200, None),
        "expired": (7, 99, None),
        "revoked": (7, 7200, -1),
        "to be revoked": (7, 7200, 60),
        "endless": (7, None, None),
        "endless but revoked": (7, None, -1),
        "of a client": (None, 7200, None),
    }
    for token, (user, expires_in, revoked) in rows.items():
        stored = hashlib.sha256(token.encode()).hexdigest() if hashed else token
        tables.execute(insert, stored, user, expires_in, revoked)
    assert good_for(await store.look_up("good"), "7", 7100)
    assert is_over(await store.look_up("expired"), "7")
    assert is_over(await store.look_up("revoked"), "7")
    assert good_for(await store.look_up("to be revoked"), "7", 60)
    assert is_over(await store.look_up("endless"), "7")
    assert is_over(await store.look_up("endless but revoked"), "7")
    assert await store.look_up("of a client") is None
    assert await store.look_up(hashlib.sha256(b"good").hexdigest()) is None


@pytest_twisted.ensureDeferred
async def test_doorkeeper_without_ends(tables: Tables) -> None:
    store = await tables.open("doorkeeper", DOORKEEPER, allow_null_expires=True)
    insert = (
        "INSERT INTO oauth_access_tokens (token, resource_owner_id, application_id, created_at, revoked_at)"
        " VALUES (%s, 7, 1, now() AT TIME ZONE 'UTC', {})"
    )
    tables.execute(insert.format("NULL"), "endless")
    tables.execute(insert.format("now() AT TIME ZONE 'UTC'"), "revoked")
    endless = await store.look_up("endless")
    assert endless is not None
    assert endless.seconds_left == float("inf")
    assert is_over(await store.look_up("revoked"), "7")


@pytest_twisted.ensureDeferred
async def test_doorkeeper_with_several_kinds_of_owners_and_bound_tokens(tables: Tables) -> None:
    store = await tables.open("doorkeeper", DOORKEEPER_EXTENDED)
    insert = (
        "INSERT INTO oauth_access_tokens"
        " (token, resource_owner_id, resource_owner_type, dpop_jkt, application_id, created_at, expires_in)"
        " VALUES (%s, 7, %s, %s, 1, now() AT TIME ZONE 'UTC', 7200)"
    )
    for token, kind, thumbprint in (("user", "User", None), ("admin", "Admin", None), ("bound", "User", "abc")):
        tables.execute(insert, token, kind, thumbprint)
    assert good_for(await store.look_up("user"), "7", 7200)
    assert await store.look_up("admin") is None
    assert await store.look_up("bound") is None


# --- django-oauth-toolkit ---


@pytest_twisted.ensureDeferred
async def test_django_oauth_toolkit(tables: Tables) -> None:
    store = await tables.open("django-oauth-toolkit", DJANGO)
    insert = (
        "INSERT INTO oauth2_provider_accesstoken (token, token_checksum, expires, scope, user_id)"
        " VALUES (%s, %s, now() + %s * interval '1 second', 'read', %s)"
    )
    # Newer ones may be long: their checksum is what they are found by.
    for token, seconds, user in (
        ("good", 3600, 7),
        ("expired", -1, 7),
        ("of a client", 3600, None),
        ("x" * 3000, 9, 7),
    ):
        tables.execute(insert, token, hashlib.sha256(token.encode()).hexdigest(), seconds, user)
    assert good_for(await store.look_up("good"), "7", 3600)
    assert is_over(await store.look_up("expired"), "7")
    assert good_for(await store.look_up("x" * 3000), "7", 9)
    assert await store.look_up("of a client") is None
    assert await store.look_up(hashlib.sha256(b"good").hexdigest()) is None
    # A revoked one's row is deleted.
    tables.execute("DELETE FROM oauth2_provider_accesstoken WHERE token = 'good'")
    assert await store.look_up("good") is None


# --- all of them ---

DDL = {
    "bshaffer": BSHAFFER,
    "league-3": LEAGUE_3,
    "league-4": LEAGUE_4,
    "league-bundle": LEAGUE_BUNDLE,
    "passport": PASSPORT,
    "doorkeeper": DOORKEEPER,
    "django-oauth-toolkit": DJANGO,
}


def test_each_preset_is_tested() -> None:
    assert set(DDL) == set(PRESETS)


@pytest.mark.parametrize("preset", DDL)
@pytest_twisted.ensureDeferred
async def test_odd_tokens_find_nothing_and_the_memberships_are_as_always(tables: Tables, preset: str) -> None:
    store = await tables.open(preset, DDL[preset])
    for odd in ("", "' OR '1'='1", "%(token)s", "\\", "x\0y", "\ud800", "😀" * 40, "x" * 4000, "7", "NULL", "%"):
        assert await store.look_up(odd) is None
    tables.execute("INSERT INTO organization_members VALUES ('acme', '7', 'admin')")
    (membership,) = await store.memberships("7")
    assert (membership.organization, membership.role) == ("acme", "admin")


@pytest.mark.parametrize("preset", DDL)
@pytest_twisted.ensureDeferred
async def test_many_tokens_at_once(tables: Tables, preset: str) -> None:
    """As the sweep asks: each question in the batch gets its own answer."""
    store = await tables.open(preset, DDL[preset])
    assert await store.look_up_all(["a", "b", "'"]) == {}


# --- what the triggers on their tables tell ---

USERS = frozenset({"7"})
HOUR = "extract(epoch FROM now())::integer + 3600"
STAMP = "(now() AT TIME ZONE 'UTC' + interval '1 hour')"
SESSIONS_OF_LEAGUE = {
    "UPDATE oauth_sessions SET owner_id = '8' WHERE id = 1": {"7", "8"},
    "DELETE FROM oauth_sessions WHERE id = 1": {"7"},
}
# For each preset: rows of user 7 with the token "good" and others of user 9, then what each statement tells of.
CHANGES: dict[str, tuple[tuple[str, ...], dict[str, set[str]]]] = {
    "bshaffer": (
        (f"INSERT INTO oauth_access_tokens VALUES ('good', 'app', '7', {STAMP}), ('other', 'app', '9', {STAMP})",),
        {
            "UPDATE oauth_access_tokens SET expires = now() AT TIME ZONE 'UTC' WHERE access_token = 'good'": {"7"},
            "DELETE FROM oauth_access_tokens WHERE access_token = 'good'": {"7"},
        },
    ),
    "league-3": (
        (
            "INSERT INTO oauth_sessions VALUES (1, 'app', 'user', '7'), (2, 'app', 'user', '9')",
            "INSERT INTO oauth_session_access_tokens (session_id, access_token, access_token_expires)"
            f" VALUES (1, 'good', {HOUR}), (2, 'other', {HOUR})",
        ),
        {
            "UPDATE oauth_session_access_tokens SET access_token_expires = 0 WHERE access_token = 'good'": {"7"},
            "UPDATE oauth_session_access_tokens SET session_id = 2 WHERE access_token = 'good'": {"7", "9"},
            "DELETE FROM oauth_session_access_tokens WHERE access_token = 'good'": {"7"},
            **SESSIONS_OF_LEAGUE,
        },
    ),
    "league-4": (
        (
            "INSERT INTO oauth_sessions VALUES (1, 'user', '7', 'app'), (2, 'user', '9', 'app')",
            f"INSERT INTO oauth_access_tokens VALUES ('good', 1, {HOUR}), ('other', 2, {HOUR})",
        ),
        {
            "UPDATE oauth_access_tokens SET expire_time = 0 WHERE access_token = 'good'": {"7"},
            "DELETE FROM oauth_access_tokens WHERE access_token = 'good'": {"7"},
            **SESSIONS_OF_LEAGUE,
        },
    ),
    "league-bundle": (
        (
            f"INSERT INTO oauth2_access_token VALUES ('good', 'app', {STAMP}, '7', NULL, false),"
            f" ('other', 'app', {STAMP}, '9', NULL, false)",
        ),
        {
            "UPDATE oauth2_access_token SET revoked = true WHERE identifier = 'good'": {"7"},
            "DELETE FROM oauth2_access_token WHERE identifier = 'good'": {"7"},
        },
    ),
    "passport": (
        (
            "INSERT INTO oauth_access_tokens (id, user_id, client_id, revoked, expires_at)"
            f" VALUES ('good', 7, 1, false, {STAMP}), ('other', 9, 1, false, {STAMP})",
        ),
        {
            "UPDATE oauth_access_tokens SET revoked = true WHERE id = 'good'": {"7"},
            "UPDATE oauth_access_tokens SET expires_at = created_at WHERE id = 'good'": {"7"},
            "DELETE FROM oauth_access_tokens WHERE id = 'good'": {"7"},
        },
    ),
    "doorkeeper": (
        (
            "INSERT INTO oauth_access_tokens (token, resource_owner_id, application_id, created_at, expires_in)"
            " VALUES ('good', 7, 1, now() AT TIME ZONE 'UTC', 3600), ('other', 9, 1, now() AT TIME ZONE 'UTC', 3600)",
        ),
        {
            "UPDATE oauth_access_tokens SET revoked_at = now() AT TIME ZONE 'UTC' WHERE token = 'good'": {"7"},
            "UPDATE oauth_access_tokens SET expires_in = 0 WHERE token = 'good'": {"7"},
            "DELETE FROM oauth_access_tokens WHERE token = 'good'": {"7"},
        },
    ),
    "django-oauth-toolkit": (
        tuple(
            "INSERT INTO oauth2_provider_accesstoken (token, token_checksum, expires, scope, user_id)"
            f" VALUES ('{token}', encode(sha256('{token}'), 'hex'), now() + interval '1 hour', '', {user})"
            for token, user in (("good", 7), ("other", 9))
        ),
        {
            "UPDATE oauth2_provider_accesstoken SET expires = now() WHERE token = 'good'": {"7"},
            "DELETE FROM oauth2_provider_accesstoken WHERE token = 'good'": {"7"},
        },
    ),
}
EMPTYING = {"league-3": "TRUNCATE oauth_sessions CASCADE", "league-4": "TRUNCATE oauth_sessions CASCADE"}


@pytest.mark.parametrize(
    ("preset", "statement"), [(preset, statement) for preset, (_, told) in CHANGES.items() for statement in told]
)
@pytest_twisted.ensureDeferred
async def test_a_change_is_heard_at_once(tables: Tables, preset: str, statement: str) -> None:
    """And what was remembered of the token before holds no more."""
    heard: list[Change] = []
    store = await tables.open(preset, DDL[preset], heard=heard.append)
    rows, told = CHANGES[preset]
    for row in rows:
        tables.execute(row)
    await deferLater(reactor, 0.2)  # what begins with listening
    heard.clear()
    assert good_for(await store.look_up("good"), "7", 3600)
    assert good_for(await store.look_up("other"), "9", 3600)
    tables.execute(statement)
    token = await store.look_up("good")
    assert token is None or token.seconds_left <= 0 or token.user != "7"
    await until(lambda: {user for change in heard for user in change.users} == told[statement])
    assert not any(change.everything for change in heard)


@pytest.mark.parametrize("preset", CHANGES)
@pytest_twisted.ensureDeferred
async def test_a_token_is_asked_for_once_while_nothing_is_heard_of_it(tables: Tables, preset: str) -> None:
    """Its row is changed behind the triggers' back: so it is seen that the table was not asked."""
    heard: list[Change] = []
    store = await tables.open(preset, DDL[preset], heard=heard.append)
    rows, told = CHANGES[preset]
    for row in rows:
        tables.execute(row)
    await deferLater(reactor, 0.2)
    assert good_for(await store.look_up("good"), "7", 3600)
    ending = next(iter(told))
    tables.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {ending}; COMMIT")
    assert good_for(await store.look_up("good"), "7", 3600)
    tables.execute("SELECT pg_notify('wampgate', '{\"users\": [\"7\"]}')")
    assert is_over(await store.look_up("good"), "7")


@pytest.mark.parametrize("preset", CHANGES)
@pytest_twisted.ensureDeferred
async def test_emptying_a_table_tells_that_anything_may_have_changed(tables: Tables, preset: str) -> None:
    heard: list[Change] = []
    await tables.open(preset, DDL[preset], heard=heard.append)
    await deferLater(reactor, 0.6)
    heard.clear()
    tables.execute(EMPTYING.get(preset, f"TRUNCATE {PRESETS[preset].tables[0].name}"))
    await until(lambda: any(change.everything for change in heard))


@pytest.mark.parametrize("preset", CHANGES)
@pytest_twisted.ensureDeferred
async def test_without_one_of_the_triggers_nothing_is_remembered(tables: Tables, preset: str) -> None:
    heard: list[Change] = []
    for table in PRESETS[preset].tables:
        store = await tables.open(preset, DDL[preset], heard=heard.append)
        assert store._memory._witness.hears_tokens
        tables.execute(f"ALTER TABLE {table.name} DISABLE TRIGGER wampgate_tells_of_update")
        deaf = await tables.open_again(preset, heard.append)
        assert deaf.hears
        assert not deaf._memory._witness.hears_tokens


# --- wampgate init ---


@pytest.fixture
def init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command for a realm with a preset; what it said."""

    def init(dsn: str, preset: str, *options: str, status: int = 0) -> str:
        realm = {
            "name": "realm1",
            "store": {"type": "postgres", "dsn": dsn, "preset": preset},
            "authentication": {"ticket": {"role": "user"}},
        }
        path = tmp_path / "router.json"
        path.write_text(json.dumps({"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]}))
        assert main(["init", "--config", str(path), *options]) == status
        said = capsys.readouterr()
        return said.out + said.err

    return init


PRESETS_OF_TOKENS = [name for name, preset in PRESETS.items() if not preset.holds_jti]


@pytest.mark.parametrize("preset", PRESETS_OF_TOKENS)
def test_init_shows_and_installs_the_triggers(server: PostgresServer, init: Callable[..., str], preset: str) -> None:
    dsn = server.create_database(*DDL[preset])
    tables = [table.name for table in PRESETS[preset].tables]
    assert tables_that_do_not_tell(dsn, preset) == [*tables, "organization_members"]
    said = init(dsn, preset)
    assert "realm realm1: created organization_members" in said
    for table in tables:
        assert f"CREATE TRIGGER wampgate_tells_of_update AFTER UPDATE ON {table}\n" in said
    assert "realm realm1: done" in said
    assert "will not tell" not in said
    assert server.password not in said
    assert tables_that_do_not_tell(dsn, preset) == []
    assert init(dsn, preset) == "realm realm1: everything was there already\n"
    # No table of ours for tokens beside the server's.
    [(made,)] = server.execute("SELECT to_regclass('oauth_access_tokens') IS NOT NULL", dsn=dsn)
    assert made == ("oauth_access_tokens" in tables)


@pytest.mark.parametrize("preset", PRESETS_OF_TOKENS)
def test_what_init_shows_can_be_run_by_the_owner(server: PostgresServer, init: Callable[..., str], preset: str) -> None:
    dsn = server.create_database(*DDL[preset])
    shown = init(dsn, preset, "--show")
    assert tables_that_do_not_tell(dsn, preset)
    server.execute(shown, dsn=dsn)
    assert tables_that_do_not_tell(dsn, preset) == []


def test_init_by_a_role_without_the_right_says_what_to_run(server: PostgresServer, init: Callable[..., str]) -> None:
    dsn = server.create_database(*DOORKEEPER, MEMBERS)
    role = f"reader_{secrets.token_hex(4)}"
    server.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'canary-password'",
        f"GRANT SELECT ON oauth_access_tokens, organization_members TO {role}",
        "CREATE INDEX organization_members_organization_id ON organization_members (organization_id)",
        dsn=dsn,
    )
    said = init(make_dsn(dsn, user=role, password="canary-password"), "doorkeeper")
    assert "lacks the right, so nothing was done" in said
    assert "oauth_access_tokens and organization_members will not tell" in said
    assert "canary" not in said
    assert server.execute("SELECT count(*) FROM pg_proc WHERE proname = 'wampgate_tell'", dsn=dsn) == [(0,)]
    # The owner runs what was said.
    server.execute(said.partition("tell of changes:\n")[2].partition("realm realm1: the role")[0], dsn=dsn)
    assert tables_that_do_not_tell(dsn, "doorkeeper") == ["organization_members"]


def test_init_before_the_servers_own_migrations(server: PostgresServer, init: Callable[..., str]) -> None:
    said = init(server.create_database(), "django-oauth-toolkit", status=1)
    assert "has no table oauth2_provider_accesstoken, which the preset django-oauth-toolkit asks" in said
    assert server.password not in said


def test_a_table_that_is_in_use_is_not_waited_for_long(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for its lock makes all its writers wait behind."""
    monkeypatch.setattr("wampgate.stores.preparing.LOCK_SECONDS", 0.2)
    dsn = server.create_database(*DOORKEEPER)
    with closing(psycopg2.connect(dsn)) as busy, busy.cursor() as cursor:
        cursor.execute("DELETE FROM oauth_access_tokens")
        with pytest.raises(PreparationFailed, match="lock timeout"):
            install(dsn, missing_triggers(dsn, "doorkeeper"))
