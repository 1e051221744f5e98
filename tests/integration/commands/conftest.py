"""What the tests of commands share: the command in this process, a real Postgres, a router with an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from postgres_server import PostgresServer
from router_process import RouterProcess

from wampgate.commands.app import main

from .online_router import online_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Ran = tuple[int, str, str]
"""Exit status, standard output, standard error."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def online() -> Iterator[RouterProcess]:
    """A router that tests share and leave as it was; it may not have logged a traceback."""
    with RouterProcess(online_configuration()) as process:
        yield process


@pytest.fixture
def wampgate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command in a folder of its own. No way to fail prints a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAMPGATE_POSTGRES_DSN", raising=False)

    def wampgate(*arguments: str) -> Ran:
        status = main(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return status, said.out, said.err

    return wampgate
