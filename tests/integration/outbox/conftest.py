"""One Postgres for the outbox's tests, a database of its own for each, and routers' parts that end with the test."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from postgres_server import PostgresServer
from twisted.internet.threads import deferToThread
from twisted.logger import eventAsText, globalLogPublisher

from .outbox_nodes import BACKEND, ROUTER, Backend, Node, Stalls, as_role, prepared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    """The owner's way to a database with an empty outbox."""
    return prepared(postgres)


@pytest_twisted.async_yield_fixture()
async def victim() -> AsyncIterator[PostgresServer]:
    """A server of the test's own, to be harmed."""
    server = PostgresServer()
    await deferToThread(server.__enter__)
    try:
        yield server
    finally:
        server.thaw()
        await deferToThread(server.__exit__, None, None, None)


@pytest_twisted.async_yield_fixture()
async def node(dsn: str) -> AsyncIterator[Callable[..., Node]]:
    """Makes nodes with the router's role on the test's database, or on another."""
    nodes: list[Node] = []

    def make(name: str = "one", at: str | None = None, **options: Any) -> Node:
        nodes.append(Node(as_role(at or dsn, ROUTER), name, **options))
        return nodes[-1]

    yield make
    for made in nodes:
        for outbox in made.outboxes:
            await outbox.stop()


@pytest.fixture
def backend(dsn: str) -> Iterator[Callable[..., Backend]]:
    """Opens connections with the backend's role, which may insert and nothing else."""
    opened: list[Backend] = []

    def make(at: str | None = None) -> Backend:
        opened.append(Backend(as_role(at or dsn, BACKEND)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    # The collector must not go through all that the test runner has gathered: a router has no such heap.
    gc.collect()
    gc.freeze()
    stalls = Stalls()
    yield stalls
    stalls.stop()
    gc.unfreeze()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The log; a traceback in it fails the test."""
    lines: list[str] = []

    def observe(event: Any) -> None:
        if event.get("log_namespace", "").startswith("wampgate") or "log_failure" in event:
            lines.append(eventAsText(event, includeTimestamp=False))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)
    assert not [line for line in lines if "Traceback" in line]
