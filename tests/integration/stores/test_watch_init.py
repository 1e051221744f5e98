"""What ``wampgate init`` does with the triggers, and what it says about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wampgate.commands.app import main
from wampgate.stores.preparing import tables_that_do_not_tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from postgres_server import PostgresServer


@pytest.fixture
def init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command for a realm with a store; what it printed."""

    def init(store: dict[str, str], *options: str, **authentication: Any) -> str:
        path = tmp_path / "router.json"
        realm = {"name": "realm1", "store": store, "authentication": {"ticket": {"role": "user"}} | authentication}
        path.write_text(json.dumps({"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]}))
        assert main(["init", "--config", str(path), *options]) == 0
        return capsys.readouterr().out

    return init


def test_new_tables_get_them(init: Callable[..., str], postgres_server: PostgresServer) -> None:
    dsn = postgres_server.create_database()
    said = init({"type": "postgres", "dsn": dsn})
    assert "wampgate_tell" in said
    assert "asking again" not in said
    assert tables_that_do_not_tell(dsn, parts=()) == []
    assert "everything was there already" in init({"type": "postgres", "dsn": dsn})


def test_existing_tables_do_not_and_are_named(init: Callable[..., str], postgres_server: PostgresServer) -> None:
    dsn = postgres_server.create_database(
        "CREATE TABLE organization_members (organization_id int, user_id int, role text)"
    )
    said = init({"type": "postgres", "dsn": dsn})
    assert "organization_members will not tell of all changes" in said
    assert postgres_server.password not in said
    assert postgres_server.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'organization_members'::regclass", dsn=dsn
    ) == [(0,)]


def test_what_is_shown_can_be_run(init: Callable[..., str], postgres_server: PostgresServer) -> None:
    dsn = postgres_server.create_database()
    shown = init({"type": "postgres", "dsn": dsn}, "--show")
    assert tables_that_do_not_tell(dsn, parts=()) == ["oauth_access_tokens", "organization_members"]
    postgres_server.execute(shown, dsn=dsn)
    assert tables_that_do_not_tell(dsn, parts=()) == []
    assert "-- DROP FUNCTION IF EXISTS wampgate_tell() CASCADE;" in shown


def test_credentials_and_cookies_have_tables_where_they_are_used(
    init: Callable[..., str], postgres_server: PostgresServer
) -> None:
    dsn = postgres_server.create_database()
    store = {"type": "postgres", "dsn": dsn}
    assert "wampgate_" not in init(store).replace("wampgate_tell", "")
    said = init(store, wampcra={}, cookie={"keep": "store"})
    assert "created wampgate_credentials, wampgate_credentials_key, wampgate_cookies" in said
    assert "asking again" not in said
    assert tables_that_do_not_tell(dsn) == []
    assert "everything was there already" in init(store, wampcra={}, cookie={"keep": "store"})


def test_sqlite_has_none(init: Callable[..., str], tmp_path: Path) -> None:
    said = init({"type": "sqlite", "path": str(tmp_path / "store.sqlite3")})
    assert "organization_members" in said
    assert "TRIGGER" not in init({"type": "sqlite", "path": "x"}, "--show")
