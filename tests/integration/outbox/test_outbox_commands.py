"""What an operator and a backend do with an outbox, as docs/outbox.md says: init, check, grants, insertions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from wampgate.commands.app import main

from .outbox_nodes import BACKEND, ROUTER, as_role, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres_server import PostgresServer

TOP = Path(__file__).parents[3]
TABLES = ["wampgate_outbox", "wampgate_outbox_dead", "wampgate_outbox_nodes", "wampgate_outbox_state"]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs ``wampgate`` for a realm with an outbox; what it printed."""

    def command(name: str, dsn: str, *options: str, status: int = 0, **more: Any) -> str:
        bridge = {"type": "postgres-outbox", "dsn": dsn, "topics": [{"uri": "organization.", "match": "prefix"}]} | more
        realm = {"name": "realm1", "authentication": {"anonymous": {}}, "bridges": [bridge]}
        path = tmp_path / "router.json"
        path.write_text(json.dumps({"realms": [realm]}))
        assert main([name, "--config", str(path), *options]) == status
        said = capsys.readouterr()
        assert psycopg2.extensions.parse_dsn(dsn)["password"] not in said.out + said.err
        return said.out + said.err

    return command


def tables(server: PostgresServer, dsn: str) -> list[str]:
    rows = server.execute("SELECT relname FROM pg_class WHERE relname LIKE 'wampgate%' AND relkind = 'r'", dsn=dsn)
    return sorted(name for (name,) in rows)


def is_ready(said: str) -> bool:
    """Whether a check found that the outbox can be used, and nothing else to say of it."""
    return [line.split()[-1] for line in said.splitlines() if "outbox outbox" in line] == ["ready"]


def test_init_makes_everything_once(command: Callable[..., str], postgres: PostgresServer) -> None:
    dsn = postgres.create_database()
    said = command("init", dsn)
    assert "created wampgate_outbox, wampgate_outbox_unplaced" in said
    assert "\nGRANT INSERT (topic, args, kwargs) ON wampgate_outbox TO your_backend;" in said, "ready to be copied"
    assert tables(postgres, dsn) == TABLES
    assert "everything was there already" in command("init", dsn)
    assert is_ready(command("check", dsn))


def test_what_is_shown_can_be_run(command: Callable[..., str], postgres: PostgresServer) -> None:
    dsn = postgres.create_database()
    shown = command("init", dsn, "--show")
    assert tables(postgres, dsn) == []
    postgres.execute(shown, dsn=dsn)
    assert tables(postgres, dsn) == TABLES
    assert is_ready(command("check", dsn))


def test_check_says_what_is_missing(command: Callable[..., str], postgres: PostgresServer, dsn: str) -> None:
    mine = as_role(dsn, ROUTER)
    assert is_ready(command("check", mine))
    postgres.execute(f"REVOKE UPDATE (place), DELETE ON wampgate_outbox FROM {ROUTER}", dsn=dsn)
    said = command("check", mine, status=1)
    assert "GRANT UPDATE (place) ON wampgate_outbox" in said
    assert "GRANT DELETE ON wampgate_outbox" in said
    assert "GRANT DELETE ON wampgate_outbox\n" not in command("check", mine, status=1, retention_seconds=None)
    assert command("check", mine, "--offline").endswith("router.json is valid\n")


def test_check_says_why_it_cannot_look(command: Callable[..., str], postgres: PostgresServer, dsn: str) -> None:
    empty = postgres.create_database()
    assert "there is no table wampgate_outbox, wampgate_outbox_state" in command("check", empty, status=1)
    wrong = psycopg2.extensions.make_dsn(dsn, password="canary-password")
    assert "password authentication failed" in command("check", wrong, status=1)


def test_check_knows_the_trigger(command: Callable[..., str], postgres: PostgresServer, dsn: str) -> None:
    postgres.execute("DROP TRIGGER wampgate_outbox_wakes ON wampgate_outbox", dsn=dsn)
    assert "only found by looking" in command("check", as_role(dsn, ROUTER))


def test_the_statements_of_the_documentation_work(command: Callable[..., str], postgres: PostgresServer) -> None:
    dsn = postgres.create_database("CREATE TABLE orders (id int, state text)")
    command("init", dsn)
    blocks = re.findall(r"```sql\n(.*?)```", (TOP / "docs/outbox.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    suffix = dsn.rpartition("test_")[2]  # roles belong to the whole server
    roles = [block.replace("wampgate_router", f"router_{suffix}") for block in blocks]
    roles = [block.replace("your_backend", f"backend_{suffix}") for block in roles]
    postgres.execute(f"CREATE ROLE backend_{suffix}", dsn=dsn)
    for block in roles:
        postgres.execute(block, dsn=dsn)
    mine = psycopg2.extensions.make_dsn(dsn, user=f"router_{suffix}", password="choose one")
    assert is_ready(command("check", mine))
    assert postgres.execute("SELECT topic, kwargs FROM wampgate_outbox", dsn=dsn) == [
        ("organization.7", {"order": 4711, "state": "shipped"})
    ]


def php(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    ini = os.environ.get("WAMPGATE_TEST_PHP_INI")
    command = ["php", *(["-c", ini] if ini else []), *arguments]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=30, check=False
    )


async def shipped(node: Any, run: Callable[[], subprocess.CompletedProcess[str]]) -> None:
    one = node()
    outbox = await one.reading()
    done = await deferToThread(run)
    assert done.stdout == "committed\n", done.stderr
    outbox.wake()
    await until(lambda: one.published)
    assert [event[:3] for event in one.published] == [("organization.7", [], {"order": "4711", "state": "shipped"})]


def orders(postgres: PostgresServer, dsn: str) -> None:
    postgres.execute(
        "CREATE TABLE orders (id int, state text)", f"GRANT SELECT, UPDATE ON orders TO {BACKEND}", dsn=dsn
    )


@pytest_twisted.ensureDeferred
async def test_the_python_example(node: Any, postgres: PostgresServer, dsn: str) -> None:
    orders(postgres, dsn)
    command = [sys.executable, str(TOP / "examples/python/insert_news.py"), as_role(dsn, BACKEND), "4711", "7"]
    await shipped(node, lambda: subprocess.run(command, capture_output=True, text=True, timeout=30, check=False))


@pytest_twisted.ensureDeferred
async def test_the_php_example(node: Any, postgres: PostgresServer, dsn: str) -> None:
    if shutil.which("php") is None or php("-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);").returncode:
        pytest.skip("THE PHP EXAMPLE FOR THE OUTBOX WAS NOT RUN: there is no php on PATH, or it lacks pdo_pgsql")
    orders(postgres, dsn)
    given = psycopg2.extensions.parse_dsn(dsn)
    where = f"pgsql:host={given['host']};port={given['port']};dbname={given['dbname']}"
    example = str(TOP / "examples/php/insert_news.php")
    await shipped(node, lambda: php(example, where, BACKEND, "4711", "7", PGPASSWORD=f"secret-of-{BACKEND}"))
