"""docs/tutorial.md, as its reader would go through it: one terminal, a browser, a Postgres; every block is used."""

from __future__ import annotations

import os
import re
import shutil
import signal
from typing import TYPE_CHECKING

import npm
import pytest
from documentation.blocks import Block, blocks_of
from documentation.terminal import Terminal, free_port
from documentation.watched_page import WatchedPage
from postgres_server import PostgresNotFound, PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCKS = blocks_of("docs/tutorial.md")
INSTALLING = ("pip install wampgate", "npm install")
"""What comes from a registry is put there by the test, in the same versions."""
REACT = {"react": "18.3.1", "react-dom": "18.3.1"}


class Reader:
    """Goes through the blocks in their order; ports and the database's address are those of this run."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        self.said: list[str] = []
        self._blocks = iter(BLOCKS)
        self._ports = {port: str(free_port()) for port in ("8080", "8081", "8000")}
        self._dsn = dsn
        self.terminal = Terminal(folder)

    def until(self, language: str, text: str) -> Block:
        """Do all up to a block of a language that holds a text, and that one too unless it is SQL."""
        for block in self._blocks:
            self._do(block)
            if block.language == language and text in block.text:
                return block
        raise AssertionError(f"there is no block of {language} with {text!r} any more")

    def rest(self) -> None:
        for block in self._blocks:
            self._do(block)

    def here(self, text: str) -> str:
        """A block's text with the ports of this run."""
        text = re.sub(r"\b(8080|8081|8000)\b", lambda port: self._ports[port[0]], text)
        return text.replace("postgresql://wampgate:choose-one@127.0.0.1/news", self._dsn)

    def _do(self, block: Block) -> None:
        match block.language:
            case "sh":
                if not any(command in block.text for command in INSTALLING):
                    self.said.append(self.terminal.run(self.here(block.text)))
            case "text":
                wanted = ".*".join(re.escape(part) for part in block.text.strip().split("…"))
                assert re.search(wanted, self.said[-1]), (block.where, self.said[-1])
            case "sql":
                pass  # the test runs it in the database
            case _:
                assert block.file is not None, f"{block.where}: which file is it?"
                path = self.folder / block.file
                path.parent.mkdir(exist_ok=True)
                path.write_text(self.here(block.text))


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[PostgresServer, str]]:
    """A server, and the DSN of a database that the role ``wampgate`` owns."""
    try:
        server = PostgresServer()
    except PostgresNotFound as missing:
        pytest.skip(f"THE TUTORIAL WAS NOT RUN: {missing}")
    with server:
        server.execute("CREATE ROLE wampgate LOGIN PASSWORD 'choose-one'", "CREATE DATABASE news OWNER wampgate")
        yield server, f"postgresql://wampgate:choose-one@127.0.0.1:{server.port}/news"


@pytest.mark.skipif(shutil.which("curl") is None, reason="THE TUTORIAL WAS NOT RUN: there is no curl")
@pytest.mark.skipif(shutil.which("php") is None, reason="THE TUTORIAL WAS NOT RUN: there is no php")
def test_the_tutorial(tmp_path: Path, database: tuple[PostgresServer, str]) -> None:
    react = npm.installed("react", REACT, "THE TUTORIAL WAS NOT RUN")
    server, dsn = database
    reader = Reader(tmp_path, dsn)
    with WatchedPage() as page, reader.terminal as terminal:
        try:
            reader.until("sh", "news.html#token=")
            page.ask("open", url=reader.said[-1].strip().splitlines()[-1])
            page.ask("shows", where="#state", text="live, as joe")
            for text in ("hello from curl", "hello from Python", "hello from PHP"):
                reader.until("sh", text)
                page.ask("shows", where="#news li", text=text)
            page.ask("picture", name="tutorial")
            reader.until("sh", "member remove")
            page.ask("shows", where="#state", text="lost organization.7: wamp.error.not_authorized")
            reader.until("sh", "not for joe")
            assert page.ask("texts", where="#news li") == ["hello from curl", "hello from Python", "hello from PHP"]
            assert page.ask("faults") == []

            rows = reader.until("sql", "INSERT INTO")
            server.execute(rows.text, dsn=dsn)
            _sees(page, reader.here("http://127.0.0.1:8000/news.html#token=a-token-of-joe"), terminal, "from Postgres")

            shutil.copytree(react / "node_modules", tmp_path / "page/node_modules")
            reader.rest()
            _sees(page, reader.said[-1].strip(), terminal, "in React")
            page.ask("picture", name="tutorial-react")
            server.execute("DELETE FROM organization_members WHERE user_id = 'joe'", dsn=dsn)
            page.ask("shows", where="#state", text="lost: wamp.error.not_authorized")
            assert page.ask("faults") == []
        finally:
            _end_daemon(tmp_path)


def _sees(page: WatchedPage, url: str, terminal: Terminal, text: str) -> None:
    page.ask("open", url=url)
    page.ask("shows", where="#state", text="live, as joe")
    terminal.run(f'python3 publish.py "{text}"')
    page.ask("shows", where="#news li", text=text)


def _end_daemon(folder: Path) -> None:
    """The router has left the terminal: it is ended by its own file."""
    file = folder / "twistd.pid"
    if file.exists():
        os.kill(int(file.read_text()), signal.SIGTERM)
