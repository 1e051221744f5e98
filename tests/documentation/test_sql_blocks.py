"""SQL on the pages, on a real Postgres with the tables that `wampgate init` makes, block after block of each page."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from documentation.elsewhere import left
from postgres_server import PostgresNotFound, PostgresServer

from wampgate.stores.preparing import prepare_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from documentation.blocks import Block

PAGES = {page: list(blocks) for page, blocks in groupby(left("sql"), key=lambda block: block.page)}
BEFORE = {"docs/postgres.md": ["CREATE TABLE team_users (member_id text, team_id text)"]}
"""The reader's own tables, by page."""
ROLES = ("wampgate",)
"""Roles that some pages make and others take for granted."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except PostgresNotFound as missing:
        pytest.skip(f"THE SQL OF THE PAGES WAS NOT RUN: {missing}")
    with server:
        yield server


@pytest.mark.parametrize("page", PAGES)
def test_it_runs(postgres: PostgresServer, page: str) -> None:
    dsn = postgres.create_database(*BEFORE.get(page, []))
    prepare_postgres(dsn, None, ("credentials", "cookies"))
    text = "".join(block.text for block in PAGES[page])
    for role in ROLES:
        postgres.execute(f"DROP OWNED BY {role}" if _has(postgres, role) else "SELECT 1", dsn=dsn)
        postgres.execute(f"DROP ROLE IF EXISTS {role}", dsn=dsn)
        if f"CREATE ROLE {role} " not in text:
            postgres.execute(f"CREATE ROLE {role}", dsn=dsn)
    for block in PAGES[page]:
        _run(postgres, block, dsn)


def _has(postgres: PostgresServer, role: str) -> bool:
    return bool(postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"))


def _run(postgres: PostgresServer, block: Block, dsn: str) -> None:
    try:
        postgres.execute(block.text, dsn=dsn)
    except Exception as error:
        raise AssertionError(f"{block.where}: {error}") from error
