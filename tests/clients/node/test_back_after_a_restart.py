"""A hundred stock autobahn-js sessions, and a router that is ended and started again: all of them come back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from conftest import ticket_of
from postgres_server import PostgresServer
from raw_wamp import Peer

from .test_coming_back import CROWD, Crowd, routing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def test_a_hundred_come_back_after_a_restart(postgres: PostgresServer) -> None:
    with routing(postgres, "auto") as process, Crowd(process, CROWD) as crowd:
        crowd.wait(crowd.everyone("subscribed"), "all are there")
        assert process.stop() == 0
        closed = crowd.wait(crowd.everyone("closed"), "all are sent away")
        # No reason of GOODBYE or ABORT came, after which they would stay away.
        assert {(line[2], line[3]) for line in closed if line[0] == "closed"} == {(None, True)}
        process.start()
        crowd.wait(crowd.everyone("subscribed"), "all are back")
        with Peer(process.port).join(ticket_of("backend")) as backend:
            backend.publish("organization.7", ["news"])
        crowd.wait(crowd.everyone("event"), "all hear the news")


def test_they_are_sent_away_one_after_the_other(postgres: PostgresServer) -> None:
    with routing(postgres, "auto") as process, Crowd(process, CROWD) as crowd:
        crowd.wait(crowd.everyone("subscribed"), "all are there")
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 10
        crowd.wait(crowd.everyone("closed"), "all are sent away")
