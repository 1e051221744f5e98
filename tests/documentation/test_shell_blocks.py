"""Shell commands on the pages: each page's one after the other in one terminal, beside a demo router and a Redis."""

from __future__ import annotations

import re
import shutil
import sqlite3
from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from documentation.blocks import TOP, blocks_of
from documentation.elsewhere import left
from documentation.terminal import Terminal, free_port
from redis_server import RedisServer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = {page: list(blocks) for page, blocks in groupby(left("sh", "bash"), key=lambda block: block.page)}
REDIS_CLI = """#!/bin/sh
exec {program} -e -p {port} "$@"
"""


ADMIN_PORT = free_port()


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    """The demo, with its listener for operators."""
    with RouterProcess(arguments=["--admin-port", str(ADMIN_PORT)]) as process:
        yield process


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def prepare(page: str, folder: Path, router: RouterProcess) -> dict[str, str]:
    """What the reader of a page has already; more for the environment."""
    if any("demo-tokens" in block.text or "--demo" in block.text for block in PAGES[page]):
        shutil.copytree(router.folder / "var", folder / "var")
    if page == "README.md":
        return {"WAMPGATE_URL": f"ws://127.0.0.1:{router.port}/ws"}
    if page == "docs/status.md":
        return {"TOKEN": router.tokens()["operator"]}
    if page == "docs/backup.md":
        (folder / "var").mkdir(exist_ok=True)
        with sqlite3.connect(folder / "var/wampgate.sqlite3") as store:
            store.execute("CREATE TABLE IF NOT EXISTS t (x)")
        store.close()
    if page == "docs/migrating-from-crossbar.md":
        (folder / ".crossbar").mkdir(exist_ok=True)
        node = next(block for block in blocks_of(page) if block.language == "javascript")
        (folder / ".crossbar/config.json").write_text(node.text)
        return {"TICKET_OF_WORKER": "the ticket of the worker"}
    return {}


def with_redis_cli(folder: Path, redis: RedisServer) -> str:
    """A folder for PATH whose redis-cli speaks to this Redis."""
    program = shutil.which("redis-cli")
    if program is None:
        pytest.skip("THE SHELL COMMANDS WERE NOT RUN: there is no redis-cli")
    (folder / "bin").mkdir()
    command = folder / "bin/redis-cli"
    command.write_text(REDIS_CLI.format(program=program, port=redis.port))
    command.chmod(0o755)
    return str(folder / "bin")


@pytest.mark.parametrize("page", PAGES)
def test_it_runs(router: RouterProcess, redis: RedisServer, tmp_path: Path, page: str) -> None:
    (tmp_path / "examples").symlink_to(TOP / "examples")
    environ = prepare(page, tmp_path, router)
    tools = with_redis_cli(tmp_path, redis)
    with Terminal(tmp_path, environ) as terminal:
        terminal.run(f'PATH="{tools}:$PATH"')
        for block in PAGES[page]:
            here = re.sub(r"\b8080\b", str(router.port), block.text)
            said = terminal.run(re.sub(r"\b8081\b", str(ADMIN_PORT), here))
            assert "Traceback" not in said, f"{block.where}: {said}"
            assert '"status": 4' not in said, f"{block.where}: {said}"
