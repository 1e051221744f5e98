"""The rule of a Postgres connection: while psycopg2 is called, nothing of it is registered with the reactor."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wampgate.stores import postgres_connection
from wampgate.stores.postgres_connection import ConnectionGone, PostgresConnection

LOST = psycopg2.OperationalError("server closed the connection unexpectedly")


class Registry(Clock):
    """A reactor that knows only who is registered; the real one can't be made to hit the moments meant here."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard


class Scripted:
    """A psycopg2 connection whose ``poll`` answers as told."""

    def __init__(self, reactor: Registry, answers: list[Any]) -> None:
        self.reactor = reactor
        self.answers = answers
        self.closed = 0
        self.notifies: list[Any] = []

    def poll(self) -> int:
        assert not self.reactor.readers, "polled while registered as a reader"
        assert not self.reactor.writers, "polled while registered as a writer"
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            self.closed = 2
            raise answer
        return int(answer)

    def close(self) -> None:
        assert not self.reactor.readers, "closed while registered as a reader"
        assert not self.reactor.writers, "closed while registered as a writer"
        self.closed = 1

    def fileno(self) -> int:
        return 42


class Scene:
    """A connection that begins to open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: list[Any]) -> None:
        self.reactor: Any = Registry()
        self.psycopg2 = Scripted(self.reactor, answers)
        monkeypatch.setattr(postgres_connection._Link, "connectionFactory", lambda *_args, **_parameters: self.psycopg2)
        self.gone = 0
        self.opened: list[Any] = []
        self.connection = PostgresConnection(self.reactor, self._gone)
        Deferred.fromCoroutine(self.connection.open({}, 3.0)).addBoth(self.opened.append)

    def _gone(self) -> None:
        self.gone += 1

    def run(self) -> None:
        """Do what the reactor would, until nobody is registered or the script is at its end."""
        while self.psycopg2.answers and (self.reactor.readers or self.reactor.writers):
            for reader in list(self.reactor.readers):
                reader.doRead()
            for writer in list(self.reactor.writers) if self.psycopg2.answers else ():
                writer.doWrite()
        self.reactor.advance(0)
        self.reactor.advance(0)


@pytest.mark.parametrize(
    "answers",
    [
        [POLL_OK],
        [POLL_WRITE, POLL_READ, POLL_OK],
        [POLL_WRITE, POLL_READ, POLL_WRITE, POLL_READ, POLL_READ, POLL_WRITE, POLL_WRITE, POLL_OK],
    ],
)
def test_opened_however_the_server_talks(monkeypatch: pytest.MonkeyPatch, answers: list[Any]) -> None:
    scene = Scene(monkeypatch, answers)
    scene.run()
    assert scene.opened == [None]
    assert len(scene.reactor.readers) == 1
    assert not scene.reactor.writers
    scene.connection.close()
    assert not scene.reactor.readers
    assert scene.psycopg2.closed == 1


@pytest.mark.parametrize("before", range(5))
def test_lost_at_any_step_of_opening(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    scene = Scene(monkeypatch, [*[POLL_WRITE, POLL_READ, POLL_WRITE, POLL_READ][:before], LOST])
    scene.run()
    assert isinstance(scene.opened[0].value, ConnectionGone)
    assert not scene.reactor.readers | scene.reactor.writers
    assert scene.psycopg2.closed == 1
    assert scene.gone == 0
    assert not scene.reactor.getDelayedCalls()


@pytest.mark.parametrize("before", range(1, 4))
def test_silent_at_any_step_of_opening(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    scene = Scene(monkeypatch, [POLL_WRITE, POLL_READ, POLL_WRITE][:before])
    scene.run()
    assert not scene.opened
    scene.reactor.advance(3.0)
    assert "no connection within 3 s" in str(scene.opened[0].value)
    assert not scene.reactor.readers | scene.reactor.writers
    assert scene.psycopg2.closed == 1


def test_lost_while_idle_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, [POLL_OK])
    scene.run()
    scene.psycopg2.answers.append(LOST)
    scene.run()
    assert scene.gone == 1
    assert not scene.reactor.readers | scene.reactor.writers
    assert scene.psycopg2.closed == 1
    scene.connection.close()
    assert scene.gone == 1
