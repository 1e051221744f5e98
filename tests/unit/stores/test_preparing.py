"""The schema files, and what applying them does to a SQLite file."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from wampgate.stores.preparing import Kind, PreparationFailed, prepare_sqlite, removal_of_triggers, statements
from wampgate.stores.presets import PRESETS

if TYPE_CHECKING:
    from pathlib import Path

KINDS: tuple[Kind, ...] = ("postgres", "sqlite")
NAMES = [
    "oauth_access_tokens",
    "oauth_access_tokens_user_id",
    "organization_members",
    "organization_members_organization_id",
    "wampgate_credentials",
    "wampgate_credentials_key",
    "wampgate_cookies",
    "wampgate_cookies_authid",
    "wampgate_cookies_login",
    "wampgate_cookies_expires",
]
CREDENTIAL_EVENTS = [("wampgate_credentials", event) for event in ("delete", "update", "truncate")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_statement_is_named_and_explained(kind: Kind) -> None:
    lasting = [statement for statement in statements(kind) if statement.what in ("TABLE", "INDEX")]
    assert [statement.name for statement in lasting] == NAMES
    for statement in statements(kind):
        assert statement.explanation.endswith(".")
        assert not statement.sql.endswith(";")
    for statement in lasting:
        assert ";" not in re.sub("--.*", "", statement.sql)
        assert "IF NOT EXISTS" in statement.sql


def test_the_triggers_of_postgres() -> None:
    function, *triggers = [one for one in statements("postgres") if one.what in ("FUNCTION", "TRIGGER")]
    assert (function.what, function.name) == ("FUNCTION", "wampgate_tell")
    assert "SECURITY INVOKER SET search_path = pg_catalog, pg_temp" in function.sql
    events = [(one.table, one.name.removeprefix("wampgate_tells_of_")) for one in triggers]
    assert events == [
        *(("oauth_access_tokens", event) for event in ("delete", "update", "truncate")),
        *(("organization_members", event) for event in ("insert", "delete", "update", "truncate")),
        *CREDENTIAL_EVENTS,
    ]
    for one in triggers:
        assert "FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell(" in one.sql
    assert removal_of_triggers().splitlines()[-1] == "DROP FUNCTION IF EXISTS wampgate_tell() CASCADE;"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_triggers_of_a_preset(preset: str) -> None:
    made = statements("postgres", preset)
    assert [one.name for one in made if one.what in ("TABLE", "INDEX")] == NAMES[2:4]
    assert [one.name for one in made if one.what == "FUNCTION"] == ["wampgate_tell"]
    events = [(one.table, one.name.removeprefix("wampgate_tells_of_")) for one in made if one.what == "TRIGGER"]
    assert events == [
        *((table.name, event) for table in PRESETS[preset].tables for event in ("delete", "update", "truncate")),
        *(("organization_members", event) for event in ("insert", "delete", "update", "truncate")),
    ]
    for one in made:
        assert one.explanation.endswith(".")
        assert "{" not in one.sql.replace("'{\"everything\": true}'", "")
    with_more = statements("postgres", preset, ("credentials",))
    assert {one.name for one in with_more if one.what == "TABLE"} == {"organization_members", "wampgate_credentials"}
    assert CREDENTIAL_EVENTS[0][0] in {one.table for one in with_more if one.what == "TRIGGER"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_has_a_comment(kind: Kind) -> None:
    for statement in statements(kind):
        if statement.sql.startswith("CREATE TABLE"):
            for line in statement.sql.splitlines()[1:-1]:
                assert re.search(r"-- \w{2,}", line), line


@pytest.mark.parametrize("kind", KINDS)
def test_both_kinds_have_the_same_columns(kind: Kind) -> None:
    tables = [statement.sql for statement in statements(kind) if statement.sql.startswith("CREATE TABLE")]
    columns = [re.findall(r"^    ([a-z_]+)", table, re.MULTILINE) for table in tables]
    assert columns == [
        ["access_token", "client_id", "user_id", "expires", "scope"],
        ["organization_id", "user_id", "role"],
        ["authmethod", "authid", "key", "role", "user_id", "data", "disabled", "expires"],
        ["cookie", "login", "realm", "authid", "sealed", "expires"],
    ]


def test_a_new_file_is_private_and_has_all_tables(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.sqlite3"
    assert prepare_sqlite(path) == NAMES
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute("INSERT INTO organization_members VALUES ('7', 'alice', '')")
        for file in path.parent.iterdir():
            assert file.stat().st_mode & 0o077 == 0, file


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE organization_members (organization_id, user_id)")
        connection.execute("INSERT INTO organization_members VALUES (7, 'alice')")
        connection.commit()
    assert prepare_sqlite(path) == [name for name in NAMES if name != "organization_members"]
    assert prepare_sqlite(path) == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM organization_members").fetchall() == [(7, "alice")]


def test_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE organization_members (something_else)")
    with pytest.raises(PreparationFailed, match="organization_id"):
        prepare_sqlite(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("organization_members",)]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PreparationFailed, match="in a folder that can be written to"):
        prepare_sqlite(tmp_path / "file" / "store.sqlite3")
