"""The presets for OAuth servers' tables, each on a real Postgres against the tables as that server makes them."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from postgres_server import PostgresServer
from twisted.internet import reactor

from wampgate.stores.postgres import PostgresTokenStore
from wampgate.stores.presets import PRESETS, resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from wampgate.core.interfaces import Token

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

    async def open(self, preset: str, ddl: tuple[str, ...], **options: Any) -> PostgresTokenStore:
        self.dsn = self._server.create_database(*ddl, MEMBERS)
        token_query, token_hash = resolve(preset, None, options.pop("token_hash", None))
        store = PostgresTokenStore(
            reactor, dsn=self.dsn, token_query=token_query, token_hash=token_hash, **({"timeout": 5.0} | options)
        )
        self._stores.append(store)
        await store.start()
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
