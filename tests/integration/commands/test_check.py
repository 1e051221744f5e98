"""`wampgate check`: what is well is said with its time, each fault with what to do about it, and no secret at all."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from key_server import KeyServer
from redis_server import RedisServer, write_certificates
from signed_tokens import key_set, signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgres_server import PostgresServer

    from .conftest import Ran

PASSWORD = "canary-password"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer(user="router", password=PASSWORD) as server:
        yield server


@pytest.fixture
def check(wampgate: Callable[..., Ran], tmp_path: Path) -> Callable[..., dict[str, dict[str, Any]]]:
    """Runs the command for a realm; what was found, by item and thing."""

    def check(
        realm: dict[str, Any], *, status: int = 0, listen: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, dict[str, Any]]:
        realm = {"name": "realm1", "authentication": {"ticket": {}, "anonymous": {}}} | realm
        document = {"listen": [listen or {"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]} | more
        (tmp_path / "router.json").write_text(json.dumps(document))
        ended, said, error = wampgate("check", "--json")
        assert PASSWORD not in said + error
        assert ended == status, said + error
        assert said, error
        found = {f"{one['item']}, {one['what']}": one for one in json.loads(said)["checks"]}
        assert all(one["ms"] is None or one["ms"] >= 0 for one in found.values())
        return found

    return check


def the(found: dict[str, dict[str, Any]], what: str) -> dict[str, Any]:
    (one,) = (one for name, one in found.items() if name.endswith(what))
    return one


# --- Postgres ---


def test_a_store_as_init_makes_it(
    check: Callable[..., Any], wampgate: Callable[..., Ran], postgres: PostgresServer
) -> None:
    realm = {"store": {"type": "postgres", "dsn": postgres.create_database()}}
    check(realm, status=1)
    wampgate("init")
    found = check(realm)
    assert the(found, "connection")["said"].startswith("Postgres ")
    assert the(found, "token query")["said"] == "answers with user_id, seconds_left"
    assert the(found, "indexes")["said"] == "every question uses one"
    assert the(found, "hearing of changes")["said"].startswith("LISTEN works")
    assert the(found, "triggers")["said"] == "oauth_access_tokens, organization_members tell of changes"
    assert {one["state"] for name, one in found.items() if "store" in name} == {"well"}
    assert postgres.password not in str(found)


def test_a_store_without_its_tables(check: Callable[..., Any], postgres: PostgresServer) -> None:
    found = check({"store": {"type": "postgres", "dsn": postgres.create_database()}}, status=1)
    query = the(found, "token query")
    assert query["state"] == "faulty"
    assert 'relation "oauth_access_tokens" does not exist' in query["said"]
    assert "`wampgate init` makes the tables" in query["advice"]
    assert "no table tells" in the(found, "triggers")["said"] or "do not tell" in the(found, "triggers")["said"]


def test_a_wrong_password(check: Callable[..., Any], postgres: PostgresServer) -> None:
    wrong = psycopg2.extensions.make_dsn(postgres.dsn, password=PASSWORD)
    found = check({"store": {"type": "postgres", "dsn": wrong}}, status=1)
    assert "password authentication failed" in the(found, "connection")["said"]
    assert not any("token query" in name for name in found)


def test_nobody_listens_there(check: Callable[..., Any]) -> None:
    found = check({"store": {"type": "postgres", "dsn": "host=127.0.0.1 port=1 dbname=x"}}, status=1)
    assert "refused" in the(found, "connection")["said"]


def test_tables_of_ones_own(check: Callable[..., Any], postgres: PostgresServer) -> None:
    dsn = postgres.create_database(
        "CREATE TABLE keys (key text, owner int, until timestamptz)",
        "CREATE TABLE members (owner int PRIMARY KEY, org int)",
    )
    store = {
        "type": "postgres",
        "dsn": dsn,
        "token_query": "SELECT owner, extract(epoch from until - now()) FROM keys WHERE key = %(token)s",
        "membership_query": "SELECT org FROM members WHERE owner = %(user)s::int",
    }
    found = check({"store": store})
    assert the(found, "token query")["state"] == "well"
    assert the(found, "membership query")["said"] == "answers (ids are no texts here)"
    assert the(found, "indexes")["said"] == "every question reads all of keys"
    assert the(found, "triggers")["state"] == "notable"
    wide = store | {"token_query": "SELECT 1, 2, 3 WHERE 'x' <> %(token)s"}
    assert "the query returns 3 columns" in the(check({"store": wide}, status=1), "token query")["said"]


# --- SQLite ---


def test_sqlite(check: Callable[..., Any], wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    realm = {"store": {"type": "sqlite", "path": "var/tokens.sqlite3"}}
    assert "unable to open" in the(check(realm, status=1), "store, file")["said"]
    wampgate("init")
    found = check(realm)
    assert the(found, "token query")["state"] == the(found, "membership query")["state"] == "well"
    (tmp_path / "var/tokens.sqlite3").write_text("no database at all" * 100)
    assert "not a database" in the(check(realm, status=1), "store, file")["said"]


# --- Redis ---


def test_a_bridge(check: Callable[..., Any], redis: RedisServer) -> None:
    rule = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}
    bridge = {"type": "redis", "url": redis.url, "rules": [rule]}
    found = check({"bridges": [bridge]})
    assert the(found, "bridge redis, PING")["said"] == "answers"
    wrong = bridge | {"url": redis.url.replace(redis.url.split(":")[2].split("@")[0], "wrong-canary")}
    found = check({"bridges": [wrong]}, status=1)
    assert "WRONGPASS" in the(found, "connection")["said"]
    assert "canary" not in str(found)
    found = check({"bridges": [bridge | {"url": "redis://127.0.0.1:1"}]}, status=1)
    assert "redis://127.0.0.1:1: Connection refused" in the(found, "connection")["said"]


def test_streams(check: Callable[..., Any], tmp_path: Path) -> None:
    with RedisServer() as server:
        server.command("XADD", "events", "*", "topic", "organization.7")
        server.command("SET", "text", "x")
        keys = ("events", "none", "text")
        rules = [{"dialect": "plain", "stream": key, "topic": f"{key}.{{organization}}"} for key in keys]
        bridge = {"type": "redis-streams", "url": server.url, "state_folder": "state", "rules": rules}
        found = check({"bridges": [bridge]}, status=1)
        assert the(found, "stream events")["said"] == "1 entries"
        assert the(found, "stream none")["said"] == "is not there yet"
        assert the(found, "stream text")["said"] == "is a string, not a stream"
        assert the(found, "state_folder")["state"] == "well"
        assert not (tmp_path / "state").exists(), "nothing is changed"


def test_redis_over_tls(check: Callable[..., Any]) -> None:
    rule = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}
    with RedisServer(tls=True, host_names=("127.0.0.1", "localhost")) as server:
        bridge = {"type": "redis", "url": server.url, "ca_file": server.ca_file, "rules": [rule]}
        assert the(check({"bridges": [bridge]}), "connection")["said"].endswith("with TLS")
        del bridge["ca_file"]
        connection = the(check({"bridges": [bridge]}, status=1), "connection")
        assert "TLS" in connection["said"]
        assert "ca_file" in connection["advice"]


# --- this machine ---


def test_an_endpoint_in_use_is_told_but_no_fault(check: Callable[..., Any]) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = check({}, listen={"endpoint": f"tcp:{port}:interface=127.0.0.1"})
        assert the(found, "listening")["state"] == "notable"
        assert "in use" in the(found, "listening")["said"]
    assert the(check({}, listen={"endpoint": f"tcp:{port}:interface=127.0.0.1"}), "listening")["state"] == "well"


def test_an_endpoint_that_cannot_be(check: Callable[..., Any]) -> None:
    assert the(check({}, listen={"endpoint": "tcp:8080:interface=203.0.113.1"}, status=1), "listening")["advice"]
    assert the(check({}, listen={"endpoint": "unix:/nowhere/at/all.sock"}, status=1), "listening")["state"] == "faulty"
    assert the(check({}, listen={"endpoint": "unix:here.sock"}), "listening")["state"] == "well"


def test_certificates(check: Callable[..., Any], tmp_path: Path) -> None:
    write_certificates(tmp_path, ["localhost"])
    files = {path.name for path in tmp_path.iterdir()}
    assert {"server.key", "server.pem", "ca.pem"} <= files, files

    def endpoint(key: str, certificate: str) -> dict[str, Any]:
        return {"endpoint": f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"}

    soon = the(check({}, listen=endpoint("server.key", "server.pem")), "certificate")
    assert soon["state"] == "notable"
    assert "expires in 1 days" in soon["said"]
    assert (
        "is not the certificate's"
        in the(check({}, listen=endpoint("server.key", "ca.pem"), status=1), "certificate")["said"]
    )
    assert "No such file" in the(check({}, listen=endpoint("no.key", "server.pem"), status=1), "certificate")["said"]
    assert (
        "no certificate" in the(check({}, listen=endpoint("server.key", "server.key"), status=1), "certificate")["said"]
    )


def test_keys_for_signed_tokens(check: Callable[..., Any], tmp_path: Path) -> None:
    keys = key_set(signing_key("ES256"))

    def realm(**where: str) -> dict[str, Any]:
        return {"authentication": {"ticket": {"jwt": {"issuer": "https://x.example/", "audience": ["a"]} | where}}}

    with KeyServer(keys, names=["127.0.0.1"]) as server:
        good = realm(keys_url=server.url(), ca_file=server.ca_file)
        assert the(check(good), "keys_url")["said"].startswith("1 keys at https://")
        untrusted = the(check(realm(keys_url=server.url()), status=1), "keys_url")
        assert "CERTIFICATE_VERIFY_FAILED" in untrusted["said"]
    assert "refused" in the(check(realm(keys_url="http://127.0.0.1:1/"), status=1), "keys_url")["said"]
    (tmp_path / "keys.json").write_bytes(keys)
    assert the(check(realm(keys_file="keys.json")), "keys_file")["said"].startswith("1 keys")
    (tmp_path / "keys.json").write_text("{}")
    assert the(check(realm(keys_file="keys.json"), status=1), "keys_file")["state"] == "faulty"


def test_descriptors(check: Callable[..., Any]) -> None:
    found = check({}, limits={"connections": 10_000_000})
    assert the(found, "descriptors")["state"] == "notable"
    assert "LimitNOFILE=10000128" in the(found, "descriptors")["advice"]
    assert the(check({}, limits={"connections": 10}), "descriptors")["state"] == "well"


# --- how it is told ---


def test_people_get_a_table_and_advice(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    realm = {"name": "realm1", "store": {"type": "sqlite", "path": "x"}}
    (tmp_path / "router.json").write_text(json.dumps({"realms": [realm]}))
    status, said, _ = wampgate("check")
    assert status == 1
    lines = said.splitlines()
    assert lines[0] == "router.json is valid"
    assert any(line.split()[:5] == ["realm", "realm1,", "store", "file", "faulty"] for line in lines)
    assert "realm realm1, store, file: `wampgate init` makes it" in lines
    assert wampgate("check", "--offline") == (0, "router.json is valid\n", "")


def test_all_mistakes_are_told_at_once(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "router.json").write_text('{"lisen": [], "realms": [{"name": ""}]} // a comment')
    status, said, error = wampgate("check")
    assert (status, said) == (1, "")
    assert error.splitlines()[0].startswith("router.json: lisen: expected a known key")
    assert len(error.splitlines()) == 3


def test_one_that_does_not_answer_keeps_no_other_waiting(check: Callable[..., Any], redis: RedisServer) -> None:
    rule = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        bridges = [{"type": "redis", "name": f"b{n}", "url": url, "rules": [rule]} for n in range(3)]
        found = check({"bridges": bridges}, status=1)
    spent = [one["ms"] for name, one in found.items() if name.endswith("connection")]
    assert len(spent) == 3
    assert all(4_000 < ms < 9_000 for ms in spent), "side by side"
