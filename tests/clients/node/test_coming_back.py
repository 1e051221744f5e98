"""A hundred stock autobahn-js sessions, a database that stops answering, and who is there again when it does."""

from __future__ import annotations

import json
import queue
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from conftest import principal, rule, static_configuration, ticket_of
from postgres_server import PostgresServer
from raw_wamp import Peer
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_postgres

from .autobahn_js import start_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CROWD = 100
TOKEN = "the-token-of-the-crowd"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@contextmanager
def routing(postgres: PostgresServer, goodbye: str) -> Iterator[RouterProcess]:
    """A router on a database in which the crowd's user is a member of 7."""
    dsn = postgres.create_database()
    prepare_postgres(dsn)
    postgres.execute(
        "INSERT INTO oauth_access_tokens VALUES"
        f" (encode(sha256('{TOKEN}'), 'hex'), 'test', 'crowd', now() + interval '1 hour', NULL)",
        "INSERT INTO organization_members VALUES ('7', 'crowd', '')",
        dsn=dsn,
    )
    realm = {
        "name": "realm1",
        "store": {"type": "postgres", "dsn": dsn, "timeout_seconds": 1},
        "authentication": {"principals": [principal("backend", "backend")]},
        "authorization": {"rules": [rule("backend", ["publish"], "organization.", "prefix")]},
    }
    with RouterProcess(static_configuration(realms=[realm], goodbye=goodbye)) as process:
        yield process


class Crowd:
    """What a crowd of sessions in Node sees. A context manager."""

    def __init__(self, process: RouterProcess, count: int) -> None:
        self.count = count
        self.lines: list[list[Any]] = []
        self._queue: queue.Queue[list[Any]] = queue.Queue()
        self._script = start_script("crowd.mjs", PORT=process.port, COUNT=count, TICKET=TOKEN)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Crowd:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._script.kill()
        self._script.communicate()
        self._reader.join(5)

    def _read(self) -> None:
        assert self._script.stdout is not None
        try:
            for line in self._script.stdout:
                # autobahn-js itself prints what it does as well.
                if line.startswith("["):
                    self._queue.put(json.loads(line))
        except ValueError:  # the pipe was closed at the end of the test
            return

    def wait(self, true: Callable[[list[list[Any]]], bool], what: str, seconds: float = 30.0) -> list[list[Any]]:
        """What has happened since the last time, once it is enough."""
        seen: list[list[Any]] = []
        deadline = time.monotonic() + seconds
        while not true(seen):
            left = deadline - time.monotonic()
            assert left > 0, f"{what}: not within {seconds:g} s; {len(seen)} lines, the last: {seen[-5:]}"
            try:
                seen.append(self._queue.get(timeout=min(left, 0.5)))
            except queue.Empty:
                continue
        return seen

    def everyone(self, what: str) -> Callable[[list[list[Any]]], bool]:
        """Whether a thing has happened to each of them."""
        return lambda seen: len({line[1] for line in seen if line[0] == what}) == self.count


def test_all_come_back_after_a_database_that_was_frozen(postgres: PostgresServer) -> None:
    with routing(postgres, "auto") as process, Crowd(process, CROWD) as crowd:
        crowd.wait(crowd.everyone("subscribed"), "all are there")
        postgres.freeze()
        try:
            process.stop()
            process.start()
            # Each has found the router, and that it can't be let in now.
            process.wait_for_log("join refused to", count=CROWD, seconds=30)
            refused = crowd.wait(lambda seen: sum(line[0] == "closed" for line in seen) >= 2 * CROWD, "all are refused")
        finally:
            postgres.thaw()
        closed = [line for line in refused if line[0] == "closed"]
        assert not [line for line in refused if line[0] == "subscribed"]
        # No reason of GOODBYE or ABORT came, so that everyone tries again.
        assert {(line[2], line[3]) for line in closed} == {(None, True)}
        crowd.wait(crowd.everyone("subscribed"), "all are back")
        with Peer(process.port).join(ticket_of("backend")) as backend:
            backend.publish("organization.7", ["news"])
        crowd.wait(crowd.everyone("event"), "all hear the news")


def test_where_it_is_told_they_stay_away(postgres: PostgresServer) -> None:
    """What the default is for: the same outage, told by ABORT."""
    with routing(postgres, "always") as process:
        postgres.freeze()
        try:
            with Crowd(process, 3) as crowd:
                closed = crowd.wait(crowd.everyone("closed"), "all are refused")
        finally:
            postgres.thaw()
        assert {(line[2], line[3]) for line in closed} == {("wamp.error.authentication_failed", False)}
