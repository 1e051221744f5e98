"""What every kind of store says of principals that show no token, and what it tells of their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Connection, Known
from wampgate.stores.credential_rows import MAX_DATA
from wampgate.stores.preparing import prepare_postgres
from wampgate.wire.messages import ClientRoles, HelloDetails

from .conftest import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres_server import PostgresServer

    from .conftest import Heard, Opener, Shelf, SqlShelf

DETAILS = HelloDetails(roles=ClientRoles())
CONNECTION = Connection("127.0.0.1:50000", "127.0.0.1")
KEY, OTHER = "ab" * 32, "cd" * 32
SECRET = {"secret": "s3cret"}
SCRAM = {
    "kdf": "pbkdf2",
    "salt": "AAAAAAAAAAAAAAAAAAAAAA==",
    "iterations": 4096,
    "stored_key": "A" * 43 + "=",
    "server_key": "A" * 43 + "=",
}


async def ask(store: Any, authmethod: str, authid: str | None = None, key: str | None = None) -> Any:
    return await store.credentials(authmethod, authid, key, DETAILS, CONNECTION)


@pytest_twisted.ensureDeferred
async def test_who_is_known_by_a_secret(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_credentials("wampcra", "joe", role="member", user="7", data=SECRET | {"extra": {"name": "Joe"}})
    shelf.put_credentials("scram", "joe", data=SCRAM)
    found = await ask(store, "wampcra", "joe")
    assert (found.authid, found.authrole, found.provider, found.user) == ("joe", "member", "store", "7")
    assert (found.secret, found.extra) == (SECRET, {"name": "Joe"})
    assert found.seconds_left == float("inf")
    other = await ask(store, "scram", "joe")
    assert (other.authrole, other.user, other.secret) == ("", None, SCRAM)
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(("authmethod", "member"), [("cryptosign", "public_key"), ("tls", "fingerprint")])
@pytest_twisted.ensureDeferred
async def test_who_is_known_by_a_key(shelf: Shelf, opened: Opener, authmethod: str, member: str) -> None:
    store = await opened(shelf)
    shelf.put_credentials(authmethod, "joe", KEY)
    shelf.put_credentials(authmethod, "joe", OTHER)
    for authid in (None, "joe"):
        found = await ask(store, authmethod, authid, KEY)
        assert (found.authid, found.secret) == ("joe", {member: KEY})
    assert await ask(store, authmethod, "ann", KEY) is None
    assert await ask(store, authmethod, None, "ef" * 32) is None
    # Who has several and shows none can't be told which.
    assert await ask(store, authmethod, "joe") is None


@pytest_twisted.ensureDeferred
async def test_nobody_is_known_who_is_not_written_alike(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_credentials("wampcra", "joe", data=SECRET)
    for stranger in (
        "Joe",
        "joe ",
        "jo",
        "joe\x00",
        "\ud800",
        "x" * 5000,
        "",
        "'; DROP TABLE wampgate_credentials; --",
    ):
        assert await ask(store, "wampcra", stranger) is None, stranger
    for authmethod in ("scram", "ticket", "WAMPCRA", ""):
        assert await ask(store, authmethod, "joe") is None, authmethod
    assert await ask(store, "wampcra") is None
    assert await ask(store, "wampcra", "joe") is not None


@pytest_twisted.ensureDeferred
async def test_a_key_that_two_have_opens_nothing(shelf: Shelf, opened: Opener, log_lines: list[str]) -> None:
    store = await opened(shelf)
    shelf.put_credentials("tls", "joe", KEY)
    shelf.put_credentials("tls", "ann", KEY)
    assert await ask(store, "tls", None, KEY) is None
    assert (await ask(store, "tls", "ann", KEY)).authid == "ann"
    assert any("make it unique" in line for line in log_lines)


@pytest_twisted.ensureDeferred
async def test_a_row_is_good_as_long_as_it_says(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_credentials("wampcra", "joe", data=SECRET, seconds=600)
    shelf.put_credentials("wampcra", "ann", data=SECRET, seconds=-1)
    assert 590 < (await ask(store, "wampcra", "joe")).seconds_left <= 600.5
    assert await ask(store, "wampcra", "ann") is None


@pytest_twisted.ensureDeferred
async def test_a_disabled_row_is_none(sql_shelf: SqlShelf, opened: Opener) -> None:
    store = await opened(sql_shelf)
    sql_shelf.put_credentials("wampcra", "joe", data=SECRET)
    assert await ask(store, "wampcra", "joe") is not None
    sql_shelf.change_credentials("wampcra", "joe", "disabled", True)
    assert await ask(store, "wampcra", "joe") is None


GARBAGE: dict[str, tuple[str, Any]] = {
    "nothing": ("wampcra", {}),
    "a number": ("wampcra", {"secret": 7}),
    "empty": ("wampcra", {"secret": ""}),
    "no derived secret": ("wampcra", {"secret": "plain", "salt": "salt"}),
    "a list": ("wampcra", [1, 2]),
    "no extra": ("wampcra", SECRET | {"extra": [1]}),
    "no kdf": ("scram", SCRAM | {"kdf": "md5"}),
    "a short key": ("scram", SCRAM | {"stored_key": "AAAA"}),
    "no Base64": ("scram", SCRAM | {"server_key": "!" * 44}),
    "no memory": ("scram", SCRAM | {"kdf": "argon2id13"}),
    "no key": ("cryptosign", {"public_key": "nonsense"}),
    "long": ("wampcra", SECRET | {"extra": {"x": "x" * MAX_DATA}}),
}


@pytest.mark.parametrize("what", GARBAGE)
@pytest_twisted.ensureDeferred
async def test_garbage_opens_nothing_and_is_told_once(
    shelf: Shelf, opened: Opener, log_lines: list[str], what: str
) -> None:
    authmethod, data = GARBAGE[what]
    store = await opened(shelf)
    shelf.put_credentials(authmethod, "joe", data=data)
    shelf.put_credentials("wampcra", "ann", data=SECRET)
    for _ in range(3):
        assert await ask(store, authmethod, "joe") is None
    assert await ask(store, "wampcra", "ann") is not None
    told = [line for line in log_lines if "can't be used" in line]
    assert len(told) == 1, log_lines
    assert "joe" in told[0]
    assert not any(word in line for line in log_lines for word in ("s3cret", "plain", "Traceback"))


@pytest.mark.parametrize("role", ["wampgate", "wampgate.bridge.x", "with space", "x" * 65, "ä"])
@pytest_twisted.ensureDeferred
async def test_a_row_gives_nobody_the_routers_own_roles(shelf: Shelf, opened: Opener, role: str) -> None:
    store = await opened(shelf)
    shelf.put_credentials("wampcra", "joe", role=role, data=SECRET)
    assert await ask(store, "wampcra", "joe") is None


@pytest.mark.parametrize("authid", ["wampgate", "wampgate.bridge.x", "a\nb"])
@pytest_twisted.ensureDeferred
async def test_nor_its_names(shelf: Shelf, opened: Opener, authid: str) -> None:
    store = await opened(shelf)
    shelf.put_credentials("wampcra", authid, data=SECRET)
    assert await ask(store, "wampcra", authid) is None


@pytest_twisted.ensureDeferred
async def test_many_at_once_have_each_its_own(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    for number in range(40):
        shelf.put_credentials("wampcra", f"user-{number}", role=f"role-{number}", data={"secret": f"s{number}"})
    shelf.put_credentials("wampcra", "odd", data={"secret": 7})
    names = [*(f"user-{number}" for number in range(60)), "odd", *(f"user-{number}" for number in range(60))]
    found = await gatherResults([Deferred.fromCoroutine(ask(store, "wampcra", name)) for name in names])
    for name, credentials in zip(names, found, strict=True):
        number = int(name[5:]) if name != "odd" else 99
        expected = (name, f"role-{number}", {"secret": f"s{number}"}) if number < 40 else None
        assert (credentials and (credentials.authid, credentials.authrole, credentials.secret)) == expected


# --- those who are here ---


async def known(store: Any, authid: str, authmethod: str = "wampcra", key: str | None = None) -> Known:
    found = await ask(store, authmethod, authid, key)
    assert isinstance(found.known, Known)
    return found.known


@pytest_twisted.ensureDeferred
async def test_rows_are_asked_for_again_many_at_once(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    for number in range(150):
        shelf.put_credentials("wampcra", f"user-{number}", data=SECRET)
    shelf.put_credentials("tls", "joe", KEY)
    rows = [await known(store, f"user-{number}") for number in range(150)]
    rows.append(await known(store, "joe", "tls", KEY))
    again = await store.credentials_of(rows)
    assert [again[row].known for row in rows] == rows
    shelf.drop_credentials("wampcra", "user-7")
    shelf.drop_credentials("tls", "joe", KEY)
    gone = set(rows) - set(await store.credentials_of(rows))
    assert {row.authid for row in gone} == {"user-7", "joe"}
    assert await store.credentials_of([]) == {}


CHANGES: dict[str, tuple[str, Any]] = {
    "role": ("role", "admin"),
    "user": ("user_id", "8"),
    "secret": ("data", {"secret": "another"}),
    "extra": ("data", SECRET | {"extra": {"x": 1}}),
}


@pytest.mark.parametrize("change", [*CHANGES, "disabled", "dropped"])
@pytest_twisted.ensureDeferred
async def test_a_change_is_told_at_once_and_the_row_says_something_else(
    shelf: Shelf, opened: Opener, heard: Heard, change: str
) -> None:
    shelf.put_credentials("wampcra", "joe", role="member", user="7", data=SECRET)
    shelf.put_credentials("wampcra", "ann", data=SECRET)
    store = await opened(shelf, heard)
    row, other = await known(store, "joe"), await known(store, "ann")
    if change == "dropped":
        shelf.drop_credentials("wampcra", "joe")
    elif change == "disabled":
        shelf.change_credentials("wampcra", "joe", "disabled", True)
    else:
        shelf.change_credentials("wampcra", "joe", *CHANGES[change])
    assert await until(lambda: heard.of("joe"), 1.0) < 1.0
    assert heard.everything or heard.users == {"joe"}
    now = await store.credentials_of([row, other])
    assert now[other].known == other
    assert (now[row].known if row in now else None) != row


@pytest_twisted.ensureDeferred
async def test_what_is_written_anew_alike_is_the_same(sql_shelf: SqlShelf, opened: Opener) -> None:
    sql_shelf.put_credentials("wampcra", "joe", data={"secret": "s", "extra": {"a": 1, "b": 2}})
    store = await opened(sql_shelf)
    row = await known(store, "joe")
    sql_shelf.change_credentials("wampcra", "joe", "data", {"extra": {"b": 2, "a": 1}, "secret": "s"})
    assert (await store.credentials_of([row]))[row].known == row


# --- databases that are not prepared ---


@pytest_twisted.ensureDeferred
async def test_without_the_table_nobody_is_known_and_tokens_are(
    sql_shelf: SqlShelf, opened: Opener, log_lines: list[str]
) -> None:
    sql_shelf.execute("ALTER TABLE wampgate_credentials RENAME TO elsewhere")
    try:
        store = await opened(sql_shelf, asks_credentials=True)
        sql_shelf.put_token("good", "alice", 60)
        assert await ask(store, "wampcra", "joe") is None
        assert await store.look_up("good") is not None
        assert await store.credentials_of([Known("wampcra", "joe"), Known("wampcra", "ann")]) == {}
    finally:
        sql_shelf.execute("ALTER TABLE elsewhere RENAME TO wampgate_credentials")
    told = [line for line in log_lines if "credentials_query" in line]
    assert len(told) == 1
    assert "wampgate init" in told[0]


@pytest_twisted.ensureDeferred
async def test_the_table_is_not_asked_for_where_nobody_uses_it(
    sql_shelf: SqlShelf, opened: Opener, log_lines: list[str]
) -> None:
    sql_shelf.execute("ALTER TABLE wampgate_credentials RENAME TO elsewhere")
    try:
        await opened(sql_shelf)
    finally:
        sql_shelf.execute("ALTER TABLE elsewhere RENAME TO wampgate_credentials")
    assert not any("credentials" in line for line in log_lines)


OWN_QUERY = (
    "SELECT login, NULL, level, id, json_build_object('secret', pass), NULL FROM accounts"
    " WHERE %(authmethod)s = 'wampcra' AND login = %(authid)s AND %(key)s = ''"
)


@pytest_twisted.ensureDeferred
async def test_a_table_of_ones_own(postgres_server: PostgresServer, opened: Opener) -> None:
    dsn = postgres_server.create_database(
        "CREATE TABLE accounts (id int PRIMARY KEY, login varchar(20), pass text, level text)",
        "INSERT INTO accounts VALUES (7, 'joe', 's3cret', 'member'), (8, 'ann', 'other', NULL)",
    )
    shelf: Any = own_shelf(dsn)
    store = await opened(shelf, credentials_query=OWN_QUERY)
    found = await gatherResults([Deferred.fromCoroutine(ask(store, "wampcra", name)) for name in ("joe", "ann", "x")])
    assert [one and (one.authid, one.authrole, one.user, one.secret) for one in found] == [
        ("joe", "member", "7", {"secret": "s3cret"}),
        ("ann", "", "8", {"secret": "other"}),
        None,
    ]
    assert await ask(store, "scram", "joe") is None


@pytest_twisted.ensureDeferred
async def test_a_query_of_ones_own_that_does_not_work_lets_nobody_in(
    postgres_server: PostgresServer, opened: Opener, log_lines: list[str]
) -> None:
    dsn = postgres_server.create_database()
    query = "SELECT %(authid)s, %(authmethod)s, %(key)s"
    store = await opened(own_shelf(dsn), credentials_query=query, asks_credentials=True)
    with pytest.raises(StoreUnavailable):
        await ask(store, "wampcra", "joe")
    assert any("the credentials_query does not work: the query returns 3 columns" in line for line in log_lines)


def own_shelf(dsn: str) -> Any:
    from .conftest import SqlShelf

    return SqlShelf("postgres", dsn, "plain")


def test_a_query_of_ones_own_has_to_use_its_parameters(shelf_of_kind: Callable[[str], Shelf]) -> None:
    shelf: Any = own_shelf("host=127.0.0.1")
    with pytest.raises(ValueError, match=r"%\(key\)s"):
        shelf.open(credentials_query="SELECT %(authmethod)s, %(authid)s")


@pytest_twisted.ensureDeferred
async def test_that_credentials_tell_says_nothing_of_tables_of_ones_own(
    postgres_server: PostgresServer, opened: Opener, heard: Heard, log_lines: list[str]
) -> None:
    """Tokens and memberships stand in tables without triggers: so they are asked for more often."""
    dsn = postgres_server.create_database(
        "CREATE TABLE oauth_access_tokens (access_token text, user_id text, expires timestamptz)",
        "CREATE TABLE organization_members (organization_id text, user_id text, role text)",
    )
    prepare_postgres(dsn, parts=("credentials",))
    shelf = own_shelf(dsn)
    shelf.put_credentials("wampcra", "joe", data=SECRET)
    store = shelf.open()
    store.watch(heard)
    opened.opened.append(store)
    await store.start()
    await until(lambda: any("no table here has the triggers" in line for line in log_lines), 5)
    assert not store.hears
    shelf.drop_credentials("wampcra", "joe")
    assert await until(lambda: heard.of("joe"), 1.0) < 1.0
