"""`wampgate init`: a start configuration that runs as it is, tables that are made once, nothing overwritten."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it ships no types
from raw_wamp import WampError
from router_process import TWISTD, RouterProcess

from wampgate.config import load
from wampgate.config.comments import without_comments

from .terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres_server import PostgresServer
    from raw_wamp import Peer

    from .conftest import Ran

TABLES = "oauth_access_tokens, oauth_access_tokens_user_id, organization_members"


def test_a_new_installation_on_sqlite(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    status, said, notes = wampgate("init", "--yes")
    assert status == 0
    assert "will write router.json" in notes
    assert f"realm realm1: created {TABLES}" in said
    tickets = dict(re.findall(r"^  (operator|backend) +(\S+)$", said, re.MULTILINE))
    configuration = load(tmp_path / "router.json", {})
    principals = {one.authid: one for one in configuration.realms[0].authentication.principals}
    for name, ticket in tickets.items():
        kept = principals[name].ticket_sha256
        assert kept is not None
        assert kept.reveal() == sha256(ticket.encode()).hexdigest()
        assert ticket not in (tmp_path / "router.json").read_text()
    assert stat.S_IMODE((tmp_path / "var/tokens.sqlite3").stat().st_mode) == 0o600
    assert wampgate("check")[0] == 0
    # All that the file names exists, and the schema beside it agrees.
    document = json.loads(without_comments((tmp_path / "router.json").read_text()))
    schema = json.loads((tmp_path / document["$schema"]).read_text())
    assert Draft7Validator(schema).is_valid(document)


def test_nothing_is_ever_overwritten(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    wampgate("init", "--yes")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    status, said, _ = wampgate("init", "--yes", "--store", "postgres")
    assert (status, said) == (0, "realm realm1: everything was there already\n")
    assert {path: path.read_bytes() for path in tmp_path.glob("*.json")} == before
    (tmp_path / "tokens.json").write_text("mine")
    status, _, error = wampgate("init", "--yes", "-c", "other.json", "--tokens", "tokens.json")
    assert status == 1
    assert error.splitlines()[-1] == "tokens.json is there already and is left as it is: name another file"
    assert (tmp_path / "tokens.json").read_text() == "mine"
    assert not (tmp_path / "other.json").exists(), "its tickets would be lost"


def test_without_anyone_to_ask_no_file_is_made_by_a_mistaken_name(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    status, said, error = wampgate("init", "-c", "rooter.json")
    assert (status, said) == (1, "")
    assert "rooter.json: no such file; `wampgate init --yes` writes one" in error
    assert list(tmp_path.iterdir()) == []


def test_what_is_shown_is_what_would_be_written(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    status, said, _ = wampgate("init", "--show", "--redis")
    assert status == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "shown.json").write_text(said)
    assert load(tmp_path / "shown.json", {"WAMPGATE_REDIS_URL": "redis://h"}).realms[0].bridges


@pytest.mark.parametrize(
    "options",
    [
        ["--store", "postgres"],
        ["--preset", "doorkeeper"],
        ["--dsn", "${file:dsn}", "--redis"],
        ["--redis", "${MY_REDIS}", "--realm", "news", "--endpoint", "tcp:9000", "--admin-endpoint", "unix:/x"],
    ],
)
def test_every_choice_makes_a_file_that_loads(
    options: list[str], wampgate: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dsn").write_text("dbname=x")
    assert wampgate("init", "--show", *options)[0] == 0
    said = wampgate("init", "--show", *options)[1]
    (tmp_path / "shown.json").write_text(said)
    environ = {"WAMPGATE_POSTGRES_DSN": "dbname=x", "WAMPGATE_REDIS_URL": "redis://h", "MY_REDIS": "redis://h"}
    assert load(tmp_path / "shown.json", environ).realms


def test_no_password_is_taken_from_the_command_line(wampgate: Callable[..., Ran]) -> None:
    status, _, error = wampgate("init", "--yes", "--dsn", "postgresql://user:canary@host/db")
    assert status == 2
    assert "'${NAME}'" in error
    assert "canary" not in error
    assert wampgate("init", "--yes", "--store", "sqlite", "--dsn", "${X}")[0] == 2


def test_a_new_installation_on_postgres(
    wampgate: Callable[..., Ran], postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said, _ = wampgate("init", "--yes", "--store", "postgres", "--tokens", "secret/tokens.json")
    assert status == 0
    assert "next: set WAMPGATE_POSTGRES_DSN, then run `wampgate init` again" in said
    tokens = tmp_path / "secret/tokens.json"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    assert set(json.loads(tokens.read_text())) == {"operator", "backend"}
    assert not any(ticket in said for ticket in json.loads(tokens.read_text()).values())
    monkeypatch.setenv("WAMPGATE_POSTGRES_DSN", postgres.create_database())
    status, said, _ = wampgate("init")
    assert status == 0
    assert f"created {TABLES}" in said
    assert "wampgate_tell" in said
    assert postgres.password not in said


def test_programs_get_a_document(wampgate: Callable[..., Ran]) -> None:
    status, said, _ = wampgate("init", "--yes", "--json", "-q")
    document = json.loads(said)
    assert status == 0
    assert document["written"] == ["router.json", "router.schema.json"]
    assert set(document["tickets"]) == {"operator", "backend"}
    assert document["databases"][0]["created"][0] == "oauth_access_tokens"
    document = json.loads(wampgate("init", "--json")[1])
    assert (document["tickets"], document["databases"][0]["created"]) == ({}, [])


def test_at_a_terminal_it_asks_first(tmp_path: Path) -> None:
    with Terminal(tmp_path, "init") as terminal:
        terminal.wait_for("Store (sqlite, postgres)")
        terminal.type("")
        terminal.wait_for("Redis?")
        terminal.type("")
        terminal.wait_for("will write router.json")
        terminal.wait_for("Write? [Y/n]")
        assert list(tmp_path.iterdir()) == []
        terminal.type("y")
        terminal.wait_for("will create oauth_access_tokens")
        terminal.wait_for("Create? [Y/n]")
        assert not (tmp_path / "var/tokens.sqlite3").exists()
        terminal.type("n")
        assert terminal.end() == 0
    assert not (tmp_path / "var/tokens.sqlite3").exists()
    with Terminal(tmp_path, "init") as terminal:
        terminal.wait_for("Create? [Y/n]")
        terminal.type("y")
        assert terminal.end() == 0
    assert (tmp_path / "var/tokens.sqlite3").exists()
    with Terminal(tmp_path, "init") as terminal:
        assert terminal.end() == 0, "nothing is missing, so nothing is asked"
        assert "everything was there already" in terminal.text


def test_nothing_is_done_when_it_is_not_wanted(tmp_path: Path) -> None:
    with Terminal(tmp_path, "init", "--store", "sqlite") as terminal:
        terminal.wait_for("Write? [Y/n]")
        terminal.type("n")
        terminal.end()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(wampgate: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, error = wampgate("init", "--yes", "-c", "file/folder/router.json")
    assert status == 1
    assert error.splitlines()[-1] == "file/folder/router.json can't be written: Not a directory"


class FromInit(RouterProcess):
    """A router whose configuration `wampgate init` has written."""

    def _write_configuration(self) -> None:
        if not (self.folder / "router.json").exists():
            self._init()

    def _endpoints(self) -> int:
        return 1

    def _init(self) -> None:
        command = [sys.executable, "-m", "wampgate", "init", "--yes", "--tokens", "tokens.json"]
        ports = ["--endpoint", "tcp:0:interface=127.0.0.1", "--admin-endpoint", "unix:admin.sock"]
        subprocess.run([*command, *ports], cwd=self.folder, env={**os.environ}, check=True, capture_output=True)


def test_what_it_writes_runs_and_its_operator_and_backend_may_do_their_work(connect: Callable[..., Peer]) -> None:
    with FromInit({}, command=TWISTD) as router:
        tokens = json.loads((Path(router.folder) / "tokens.json").read_text())
        backend = connect(router).join(tokens["backend"], authid="backend")
        operator = connect(router).join(tokens["operator"], authid="operator")
        assert operator.call("wamp.session.count") == 2
        assert backend.publish("organization.7", ["news"])
        with pytest.raises(WampError, match="not_authorized"):
            backend.call("wamp.session.count")
