"""`wampgate token` and `wampgate member`: what they write opens and ends sessions of a running router, at once."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_postgres, prepare_sqlite

from .terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from postgres_server import PostgresServer
    from raw_wamp import Peer

    from .conftest import Ran

COMMAND = (sys.executable, "-m", "wampgate")


def configuration(store: dict[str, Any], **more: Any) -> dict[str, Any]:
    realm = {"name": "realm1", "store": store, "authentication": {"ticket": {}, "anonymous": {}}}
    return {"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm | more]}


def run(folder: Path, *arguments: str, typed: str = "", status: int = 0) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, input=typed, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path: Path) -> dict[str, Any]:
    if request.param == "sqlite":
        prepare_sqlite(tmp_path / "store" / "tokens.sqlite3")
        return {"type": "sqlite", "path": str(tmp_path / "store" / "tokens.sqlite3")}
    dsn = postgres.create_database()
    prepare_postgres(dsn)
    return {"type": "postgres", "dsn": dsn}


@pytest.fixture
def ready(store: dict[str, Any], wampgate: Callable[..., Ran], tmp_path: Path) -> Callable[..., Ran]:
    """The command, in a folder with a configuration whose store is ready."""
    (tmp_path / "router.json").write_text(json.dumps(configuration(store)))
    return wampgate


# --- with a router that runs ---


def test_a_token_opens_a_session_and_its_revocation_ends_it(
    store: dict[str, Any], connect: Callable[..., Peer]
) -> None:
    with RouterProcess(configuration(store)) as router:
        run(router.folder, "member", "add", "--user", "alice", "--organization", "7")
        token = run(router.folder, "token", "create", "--user", "alice", "--expires", "1h").strip()
        peer = connect(router).join(token)
        assert peer.subscribe("organization.7")
        listed = json.loads(run(router.folder, "token", "list", "--json"))
        assert [one["user"] for one in listed] == ["alice"]
        assert token not in json.dumps(listed)
        run(router.folder, "token", "revoke", typed=f"{token}\n")
        assert peer.receive()[2] == "wampgate.close.token_revoked"
        assert token not in router.log()


def test_a_membership_opens_topics_and_its_end_closes_them(store: dict[str, Any], connect: Callable[..., Peer]) -> None:
    with RouterProcess(configuration(store)) as router:
        token = run(router.folder, "token", "create", "--user", "alice").strip()
        run(router.folder, "member", "add", "--user", "alice", "--organization", "7")
        peer = connect(router).join(token)
        peer.subscribe("organization.7")
        run(router.folder, "member", "remove", "--user", "alice", "--organization", "7")
        router.wait_for_log("lost its subscription to 'organization.7'")


# --- tokens ---


def test_what_is_kept_of_a_token(ready: Callable[..., Ran], store: dict[str, Any], postgres: PostgresServer) -> None:
    status, said, notes = ready("token", "create", "--user", "alice", "--expires", "2h")
    token = said.strip()
    digest = sha256(token.encode()).hexdigest()
    assert status == 0
    assert said == f"{token}\n", "nothing else, for $(…)"
    assert f"--hash {digest[:12]}" in notes
    assert token not in notes
    (listed,) = json.loads(ready("token", "list", "--json")[1])
    assert listed["hash"] == digest[:12]
    assert listed["state"] == "good"
    left = datetime.fromisoformat(listed["expires"]) - datetime.now(UTC)
    assert timedelta(minutes=119) < left < timedelta(minutes=121)
    document = json.loads(ready("token", "create", "-q", "--json", "--user", "bob")[1])
    assert set(document) == {"token", "hash", "user", "realm", "expires"}


def test_revoked_by_hash_by_user_and_by_itself(ready: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    tokens = {name: ready("token", "create", "--user", name)[1].strip() for name in ("ann", "bob", "cy", "cy")}
    digest = sha256(tokens["ann"].encode()).hexdigest()
    status, said, _ = ready("token", "revoke", "--hash", digest[:10].upper())
    assert status == 0
    assert said.splitlines()[-1].startswith(digest[:12])
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tokens['bob']}\n"))
    assert ready("token", "revoke")[0] == 0
    assert len(json.loads(ready("token", "revoke", "--user", "cy", "--yes", "--json")[1])) == 2
    assert json.loads(ready("token", "list", "--json")[1]) == []
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tokens['bob']}\n"))
    status, said, error = ready("token", "revoke")
    assert (status, said) == (1, "")
    assert error == "realm realm1: there is no such token, so nothing was revoked\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["revoke", "--hash", "1234567"], 2, "8 to 64 hexadecimal digits"),
        (["revoke", "--hash", "12345678", "--user", "x"], 2, "exclude each other"),
        (["revoke", "--user", "x"], 2, "add --yes"),
        (["revoke"], 1, "no token came"),
        (["create", "--user", "x", "--expires", "tomorrow"], 2, "30d, 12h or 90m"),
        (["create", "--user", "x", "--expires", "2001-01-01"], 2, "is over"),
        (["create", "--user", "x", "--expires", "never"], 1, "set allow_null_expires"),
        (["create", "--user", "a\nb"], 2, "printable"),
        (["create", "--user", "x", "--realm", "other"], 1, "name one of these realms with --realm: realm1"),
    ],
)
def test_what_is_not_done(
    arguments: list[str], status: int, said: str, ready: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ended, out, error = ready("token", *arguments)
    assert (ended, out) == (status, "")
    assert said in error
    assert error.count("\n") == 1


def test_several_that_begin_alike_are_left_alone(
    ready: Callable[..., Ran], store: dict[str, Any], postgres: PostgresServer
) -> None:
    insert = "INSERT INTO oauth_access_tokens VALUES ('{}', 'x', 'u', '2099-01-01', NULL)"
    rows = [insert.format(f"abcdef0123{digit}") for digit in "12"]
    if store["type"] == "postgres":
        postgres.execute(*rows, dsn=store["dsn"])
    else:
        import sqlite3

        with closing(sqlite3.connect(store["path"])) as file, file:
            for row in rows:
                file.execute(row)
    assert "give more digits" in ready("token", "revoke", "--hash", "abcdef01")[2]
    assert ready("token", "revoke", "--hash", "abcdef01231")[0] == 0
    assert len(json.loads(ready("token", "list", "--json")[1])) == 1


def test_tables_of_an_application(wampgate: Callable[..., Ran], postgres: PostgresServer, tmp_path: Path) -> None:
    dsn = postgres.create_database(
        "CREATE TABLE oauth_access_tokens (access_token varchar(40) PRIMARY KEY, client_id varchar(80),"
        " user_id varchar(80), expires timestamp, scope varchar(4000))",
        "INSERT INTO oauth_access_tokens VALUES ('canary-token', 'web', '42', '2030-06-01 12:00', NULL),"
        " ('other', 'web', '43', 'infinity', NULL)",
    )
    store = {"type": "postgres", "dsn": dsn, "preset": "bshaffer", "timezone": "Europe/Berlin"}
    (tmp_path / "router.json").write_text(json.dumps(configuration(store)))
    status, _, error = wampgate("token", "create", "--user", "x")
    assert status == 1
    assert "its tokens are those of bshaffer: create them there" in error
    first, listed = json.loads(wampgate("token", "list", "--json")[1])
    assert first["expires"] is None
    assert "canary" not in str(listed)
    assert listed["expires"] == "2030-06-01T12:00:00+02:00"
    assert wampgate("token", "revoke", "--hash", listed["hash"])[0] == 0
    assert postgres.execute("SELECT user_id FROM oauth_access_tokens", dsn=dsn) == [("43",)]
    (tmp_path / "router.json").write_text(json.dumps(configuration(store | {"preset": "doorkeeper"})))
    for what in (["list"], ["revoke", "--user", "x", "-y"]):
        assert "those of doorkeeper" in wampgate("token", *what)[2]
    query = "SELECT 1, 2 WHERE %(token)s = ''"
    own = {"type": "postgres", "dsn": dsn, "token_query": query, "membership_query": query.replace("token", "user")}
    (tmp_path / "router.json").write_text(json.dumps(configuration(own)))
    assert "in tables of yours: list them there" in wampgate("token", "list")[2]
    assert "in tables of yours: change them there" in wampgate("member", "list")[2]


def test_a_database_that_is_not_there(wampgate: Callable[..., Ran], tmp_path: Path, postgres: PostgresServer) -> None:
    wrong = psycopg2.extensions.make_dsn(postgres.dsn, password="canary-password")
    for store in ({"type": "sqlite", "path": "nowhere.sqlite3"}, {"type": "postgres", "dsn": wrong}):
        (tmp_path / "router.json").write_text(json.dumps(configuration(store)))
        status, said, error = wampgate("token", "create", "--user", "x")
        assert (status, said) == (3, "")
        assert "canary" not in error
        assert error.count("\n") == 1
    assert not (tmp_path / "nowhere.sqlite3").exists()


def test_plain_tokens_are_listed_by_their_hash(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    prepare_sqlite(tmp_path / "t.sqlite3")
    store = {"type": "sqlite", "path": "t.sqlite3", "token_hash": "plain", "allow_null_expires": True}
    (tmp_path / "router.json").write_text(json.dumps(configuration(store)))
    token = wampgate("token", "create", "--user", "x", "--expires", "never")[1].strip()
    said = wampgate("token", "list")[1]
    digest = sha256(token.encode()).hexdigest()[:12]
    assert digest in said
    assert token[:8] not in said
    assert wampgate("token", "revoke", "--hash", digest)[0] == 0


def test_at_a_terminal_the_token_is_typed_unseen(tmp_path: Path) -> None:
    prepare_sqlite(tmp_path / "t.sqlite3")
    (tmp_path / "router.json").write_text(json.dumps(configuration({"type": "sqlite", "path": "t.sqlite3"})))
    token = run(tmp_path, "token", "create", "--user", "x").strip()
    with Terminal(tmp_path, "token", "revoke") as terminal:
        terminal.wait_for("Token:")
        terminal.type(token)
        assert terminal.end() == 0
        assert token not in terminal.shown
    with Terminal(tmp_path, "token", "revoke", "--user", "x") as terminal:
        terminal.wait_for("Revoke all tokens of x in realm realm1? [y/N]")
        terminal.type("")
        assert terminal.end() == 1
        assert "nothing was done" in terminal.text


# --- members ---


def test_members(ready: Callable[..., Ran]) -> None:
    assert ready("member", "add", "--user", "ann", "--organization", "7")[0] == 0
    assert ready("member", "add", "--user", "ann", "--organization", "7", "--role", "owner")[0] == 0
    assert ready("member", "add", "--user", "bob", "--organization", "8", "-q") == (0, "", "")
    every = [{"organization": "7", "user": "ann", "role": "owner"}, {"organization": "8", "user": "bob", "role": ""}]
    assert json.loads(ready("member", "list", "--json")[1]) == every
    assert json.loads(ready("member", "list", "--organization", "8", "--json")[1]) == every[1:]
    assert json.loads(ready("member", "list", "--user", "ann", "--organization", "8", "--json")[1]) == []
    assert ready("member", "list", "--user", "nobody")[1] == "no members\n"
    assert ready("member", "remove", "--user", "ann", "--organization", "7")[0] == 0
    status, _, error = ready("member", "remove", "--user", "ann", "--organization", "7")
    assert (status, error) == (1, "realm realm1: ann is no member of 7, so nothing was done\n")
    assert ready("member", "add", "--user", "ann", "--organization", "acme.eu")[0] == 2


def test_nothing_becomes_readable_for_others(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    prepare_sqlite(tmp_path / "t.sqlite3")
    (tmp_path / "router.json").write_text(json.dumps(configuration({"type": "sqlite", "path": "t.sqlite3"})))
    wampgate("token", "create", "--user", "x")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("t.sqlite3*")} == {0o600}
