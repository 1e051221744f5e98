"""What only Postgres has: zones, types, custom queries, roles, TLS, and errors that must not tell a secret."""

from __future__ import annotations

import datetime
import os
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.postgres import PostgresTokenStore
from wampgate.stores.preparing import PreparationFailed, prepare_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from postgres_server import PostgresServer

CANARY = "canary-5d1b7e"


class Open:
    """Starts Postgres stores and stops them in the end."""

    def __init__(self) -> None:
        self.stores: list[PostgresTokenStore] = []

    async def __call__(self, dsn: str, **options: Any) -> PostgresTokenStore:
        store = PostgresTokenStore(reactor, dsn=dsn, **({"timeout": 3.0, "token_hash": "plain"} | options))
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
    """What is logged while a test runs, as text and in every field."""
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(f"{formatEvent(event)} {event!r}")
        if "log_failure" in event:
            lines.append(event["log_failure"].getTraceback())

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def wild(kind: str) -> str:
    return (
        f"CREATE TABLE oauth_access_tokens (access_token varchar(40) PRIMARY KEY, user_id varchar(80), expires {kind})"
    )


MEMBERS = "CREATE TABLE organization_members (organization_id text, user_id text, role text)"


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "timestamp(0)"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
@pytest_twisted.ensureDeferred
async def test_naive_columns_are_read_in_the_configured_zone_whatever_the_servers(
    postgres_server: PostgresServer, start: Open, kind: str, zone: str
) -> None:
    dsn = postgres_server.create_database(wild(kind), MEMBERS)
    name = postgres_server.execute("SELECT current_database()", dsn=dsn)[0][0]
    postgres_server.execute(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
    soon = "now() + interval '10 minutes'"
    value = soon if kind == "timestamptz" else f"({soon}) AT TIME ZONE '{zone}'"
    postgres_server.execute(f"INSERT INTO oauth_access_tokens VALUES ('t', 'alice', {value})", dsn=dsn)
    token = await (await start(dsn, timezone=zone)).look_up("t")
    assert token is not None
    assert 590 < token.seconds_left <= 601


@pytest_twisted.ensureDeferred
async def test_the_databases_clock_counts_not_ours(
    postgres_server: PostgresServer, start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = postgres_server.create_database(wild("timestamptz"), MEMBERS)
    postgres_server.execute(
        "INSERT INTO oauth_access_tokens VALUES ('t', 'alice', now() + interval '1 minute')", dsn=dsn
    )
    store = await start(dsn)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_400)
    token = await store.look_up("t")
    assert token is not None
    assert 50 < token.seconds_left <= 60


@pytest.mark.parametrize(("expires", "seconds"), [("'infinity'", float("inf")), ("'-infinity'", float("-inf"))])
@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
@pytest_twisted.ensureDeferred
async def test_infinity_is_for_ever(
    postgres_server: PostgresServer, start: Open, kind: str, expires: str, seconds: float
) -> None:
    dsn = postgres_server.create_database(wild(kind), MEMBERS)
    postgres_server.execute(f"INSERT INTO oauth_access_tokens VALUES ('t', 'alice', {expires})", dsn=dsn)
    token = await (await start(dsn)).look_up("t")
    assert token is not None
    assert token.seconds_left == seconds


@pytest_twisted.ensureDeferred
async def test_the_index_is_used_whatever_the_columns_type(postgres_server: PostgresServer, start: Open) -> None:
    dsn = postgres_server.create_database(
        "CREATE TABLE organization_members (organization_id integer, user_id integer, role text)",
        "INSERT INTO organization_members SELECT n, n, '' FROM generate_series(1, 20000) n",
        "CREATE INDEX by_user ON organization_members (user_id)",
        "ANALYZE organization_members",
        wild("timestamp"),
    )
    store = await start(dsn)
    assert [member.organization for member in await store.memberships("77")] == ["77"]
    assert await store.memberships("077") == []
    scans = "SELECT sum(idx_scan), sum(seq_scan) FROM pg_stat_user_tables WHERE relname = 'organization_members'"
    before = postgres_server.execute("SELECT pg_stat_clear_snapshot()", scans, dsn=dsn)[0]
    for number in range(50):
        await store.memberships(str(number + 1))
    await store.stop()  # a session that ends reports what it did
    for _ in range(100):
        after = postgres_server.execute(scans, dsn=dsn)[0]
        if after[0] >= before[0] + 50:
            break
        await deferLater(reactor, 0.05)
    assert after[0] >= before[0] + 50
    assert after[1] <= before[1] + 1


@pytest_twisted.ensureDeferred
async def test_custom_queries_with_their_own_tables_and_types(postgres_server: PostgresServer, start: Open) -> None:
    dsn = postgres_server.create_database(
        "CREATE TABLE sessions (key text, owner integer, ends_at bigint)",
        "CREATE TABLE teams (id uuid, owner integer)",
        "INSERT INTO sessions VALUES ('k', 7, extract(epoch from now())::bigint + 100), ('100%', 8, 0)",
        "INSERT INTO teams VALUES ('6f1f0b1e-5a2c-4f0e-9d54-0c2f3a1b7c11', 7)",
    )
    store = await start(
        dsn,
        token_query="SELECT owner, ends_at - extract(epoch from now()) FROM sessions WHERE key = %(token)s",
        membership_query="SELECT id FROM teams WHERE owner = %(user)s::int",
    )
    token = await store.look_up("k")
    assert token is not None
    assert token.user == "7"
    assert 90 < token.seconds_left <= 101
    assert [member.organization for member in await store.memberships("7")] == ["6f1f0b1e-5a2c-4f0e-9d54-0c2f3a1b7c11"]
    assert await store.memberships("seven") == []
    assert await store.memberships("9" * 30) == []


@pytest.mark.parametrize(
    "case",
    [
        ("token_query", "SELECT user_id FROM nowhere WHERE t = %(token)s", 'relation "nowhere" does not exist'),
        ("token_query", "SELECT %(token)s", "expected (user_id, seconds_left)"),
        ("token_query", "SELECT %(token)s, 'tomorrow'", "expected a number of seconds"),
        ("token_query", "SELECT %(token)s, 1 UNION SELECT 'bob', 1", "several users"),
        ("token_query", "SELECT %(token)s::bytea, 1", "user_id is of type"),
        ("token_query", "SELECT %(token)s, 1 / 0", "division_by_zero"),
        ("token_query", "SELECT %(token)s FROM", "syntax error"),
        ("token_query", "DELETE FROM oauth_access_tokens WHERE access_token = %(token)s", "expected a SELECT"),
        ("membership_query", "SELECT %(user)s, 'a', 1, 'b'", "expected (organization_id)"),
        ("membership_query", "SELECT %(user)s, 'a', 'b'", "since is of type str: expected seconds since 1970"),
        ("membership_query", "SELECT true WHERE %(user)s <> ''", "organization_id is of type bool"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_query_that_does_not_work_is_in_the_log_when_the_store_starts(
    postgres_server: PostgresServer, start: Open, log_lines: list[str], case: tuple[str, str, str]
) -> None:
    name, query, says = case
    dsn = postgres_server.create_database(wild("timestamptz"), MEMBERS)
    store = await start(dsn, **{name: query})
    told = [line for line in log_lines if f"the {name} does not work" in line]
    assert len(told) == 1
    assert says in told[0]
    for _ in range(3):  # and it says so once
        with pytest.raises(StoreUnavailable, match=name):
            await (store.look_up(CANARY) if name == "token_query" else store.memberships(CANARY))
    assert len([line for line in log_lines if f"the {name} does not work" in line]) == 1
    assert not [line for line in log_lines if CANARY in line]
    assert store.ready


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'alice', 1 WHERE %(token)s::int = 1",
        "SELECT 'alice', 1 WHERE %(token)s::timestamptz > now()",
        "SELECT 'alice', 1 WHERE %(token)s::inet IS NOT NULL",
        "SELECT 'alice', 1 WHERE to_date(%(token)s, 'YYYY') > now()",
        "SELECT 'alice', 1 WHERE %(token)s::json IS NOT NULL",
        "SELECT 'alice', 1 FROM pg_sleep(5) WHERE %(token)s <> ''",
    ],
)
@pytest_twisted.ensureDeferred
async def test_no_secret_reaches_log_or_error(
    postgres_server: PostgresServer, start: Open, log_lines: list[str], query: str
) -> None:
    """Postgres' own messages repeat the token: "invalid input syntax for type integer: …"."""
    dsn = postgres_server.create_database(wild("timestamptz"), MEMBERS)
    store = await start(dsn, token_query=query, timeout=0.5)
    error: BaseException | None = None
    try:
        assert await store.look_up(CANARY) is None
    except StoreUnavailable as refused:
        error = refused
    told = "".join(traceback.format_exception(error)) if error else ""
    assert CANARY not in told
    assert postgres_server.password not in told
    assert CANARY not in repr(store) + repr(vars(store))
    assert not [line for line in log_lines if CANARY in line or postgres_server.password in line]


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_told_without_it(
    postgres_server: PostgresServer, start: Open, log_lines: list[str]
) -> None:
    store = await start(postgres_server.dsn_of("postgres", password=CANARY), timeout=0.5)
    assert not store.ready
    told = [line for line in log_lines if "password authentication failed" in line]
    assert told
    assert not [line for line in log_lines if CANARY in line]
    with pytest.raises(StoreUnavailable) as refused:
        await store.look_up("t")
    assert CANARY not in str(refused.value)


@pytest_twisted.ensureDeferred
async def test_a_role_that_may_only_select_suffices(
    postgres_server: PostgresServer, start: Open, log_lines: list[str]
) -> None:
    dsn = postgres_server.create_database()
    assert "organization_members" in prepare_postgres(dsn)
    role = f"wampgate_{os.urandom(4).hex()}"
    postgres_server.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'secret'",
        f"GRANT SELECT ON oauth_access_tokens, organization_members TO {role}",
        f"ALTER ROLE {role} SET default_transaction_read_only = on",
        "INSERT INTO oauth_access_tokens VALUES ('t', 'app', 'alice', now() + interval '1 hour', '')",
        dsn=dsn,
    )
    name = postgres_server.execute("SELECT current_database()", dsn=dsn)[0][0]
    least = postgres_server.dsn_of(name, user=role, password="secret")
    store = await start(least)
    assert await store.look_up("t") is not None
    assert not [line for line in log_lines if "does not work" in line]
    postgres_server.execute(f"REVOKE SELECT ON oauth_access_tokens FROM {role}", dsn=dsn)
    with pytest.raises(StoreUnavailable):
        await store.look_up("t")
    assert [line for line in log_lines if "permission denied for table oauth_access_tokens" in line]
    with pytest.raises(PreparationFailed, match="allowed to connect and to create") as failed:
        prepare_postgres(postgres_server.dsn_of(name, user=role, password=CANARY))
    assert CANARY not in str(failed.value)


@pytest_twisted.ensureDeferred
async def test_a_statement_timeout_refuses_and_keeps_the_connection(
    postgres_server: PostgresServer, start: Open
) -> None:
    dsn = postgres_server.create_database(wild("timestamptz"), MEMBERS)
    name = postgres_server.execute("SELECT current_database()", dsn=dsn)[0][0]
    postgres_server.execute(f"ALTER DATABASE {name} SET statement_timeout = '200ms'")
    store = await start(
        dsn,
        pool_size=1,
        token_query="SELECT 'alice', pg_sleep(2)::text WHERE %(token)s <> ''",
        membership_query="SELECT pg_backend_pid() WHERE %(user)s <> ''",
    )
    before = await store.memberships("alice")
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await store.look_up("t")
    assert time.monotonic() - begun < 1.5
    assert await store.memberships("alice") == before


@pytest_twisted.ensureDeferred
async def test_one_question_asked_by_many_is_asked_twice_at_most(postgres_server: PostgresServer, start: Open) -> None:
    dsn = postgres_server.create_database(wild("timestamptz"), MEMBERS, "CREATE SEQUENCE asked")
    store = await start(
        dsn,
        token_query="SELECT 'alice', nextval('asked') FROM pg_sleep(0.05) WHERE %(token)s <> ''",
    )
    before = postgres_server.execute("SELECT last_value FROM asked", dsn=dsn)[0][0]
    answers = await gatherResults([Deferred.fromCoroutine(store.look_up("t")) for _ in range(200)])
    assert {token.user for token in answers} == {"alice"}
    assert postgres_server.execute("SELECT last_value FROM asked", dsn=dsn)[0][0] - before <= 2


@pytest_twisted.ensureDeferred
async def test_a_database_that_is_not_unicode(postgres_server: PostgresServer, start: Open) -> None:
    name = f"latin_{os.urandom(4).hex()}"
    postgres_server.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")
    dsn = postgres_server.dsn_of(name)
    prepare_postgres(dsn)
    postgres_server.execute("INSERT INTO organization_members VALUES ('acme', 'jürgen', '')", dsn=dsn)
    store = await start(dsn)
    assert len(await store.memberships("jürgen")) == 1
    assert await store.memberships("\U0001f600") == []  # can't stand in Latin-1: so there is none
    assert await store.look_up("\U0001f600") is None


@pytest_twisted.ensureDeferred
async def test_host_names_and_several_hosts(postgres_server: PostgresServer, start: Open) -> None:
    port = postgres_server.port
    for dsn in (
        f"host=localhost port={port} user=postgres password={postgres_server.password} dbname=postgres",
        f"postgresql://postgres:{postgres_server.password}@127.0.0.1:1,localhost:{port}/postgres",
    ):
        store = await start(dsn, token_query="SELECT 'alice', 1 WHERE %(token)s <> ''")
        assert (await store.look_up("t")) is not None


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Path:
    """Switches TLS on, with a certificate for ``localhost`` by an authority of the test's own; the authority's file."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "authority.pem").write_bytes(pem)
    owner = postgres_server.data.stat()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for file, content in (("server.crt", pem), ("server.key", private)):
        path = postgres_server.data / file
        path.touch(mode=0o600)
        path.write_bytes(content)
        os.chown(path, owner.st_uid, owner.st_gid)
    postgres_server.execute("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    return folder / "authority.pem"


@pytest_twisted.ensureDeferred
async def test_tls_compares_the_certificate_with_the_hosts_name(
    postgres_server: PostgresServer, start: Open, authority: Path, log_lines: list[str]
) -> None:
    dsn = postgres_server.dsn_of("postgres", host="localhost", sslmode="verify-full", sslrootcert=str(authority))
    encrypted = "SELECT 'alice', ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND %(token)s <> ''"
    token = await (await start(dsn, token_query=encrypted)).look_up("t")
    assert token is not None
    assert token.seconds_left == 1
    wrong = postgres_server.dsn_of("postgres", host="127.0.0.1", sslmode="verify-full", sslrootcert=str(authority))
    refused = await start(wrong, timeout=0.7)
    assert not refused.ready
    assert [line for line in log_lines if "does not match host name" in line]
