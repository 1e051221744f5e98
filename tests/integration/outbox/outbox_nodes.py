"""What the outbox's tests share: routers' parts that publish from a real table, and backends that insert."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall, deferLater

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.history import History
from wampgate.core.matching import covers
from wampgate.core.topics import HistoryOptions, TopicOptions, Topics
from wampgate.stores.outbox import Outbox
from wampgate.stores.outbox_rights import grants
from wampgate.stores.preparing import prepare_outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from postgres_server import PostgresServer

TOPICS = (("organization.", "prefix"),)
ROUTER, BACKEND = "wampgate_router", "shop_backend"


def prepared(server: PostgresServer) -> str:
    """The owner's DSN of a database with an outbox, and two roles with the rights that are documented."""
    dsn = server.create_database()
    prepare_outbox(dsn)
    for role in (ROUTER, BACKEND):
        server.execute(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD 'secret-of-{role}';"
            " EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            dsn=dsn,
        )
    server.execute(grants(ROUTER, BACKEND), dsn=dsn)
    return dsn


def as_role(dsn: str, role: str) -> str:
    """The same database for another role."""
    return str(psycopg2.extensions.make_dsn(dsn, user=role, password=f"secret-of-{role}"))


class Backend:
    """A backend's connection: inserts in transactions that the test ends."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg2.connect(dsn)
        self.cursor = self.connection.cursor()

    def insert(self, *numbers: object, topic: str = "organization.7", kwargs: object = None) -> Backend:
        for number in numbers:
            self.cursor.execute(
                "INSERT INTO wampgate_outbox (topic, args, kwargs) VALUES (%s, %s, %s)",
                (topic, json.dumps([number]), json.dumps({} if kwargs is None else kwargs)),
            )
        return self

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()


class Node:
    """What one router has: what it published with its ids, its history, what it was told is missing."""

    def __init__(self, dsn: str, name: str = "one", count: int = 100_000) -> None:
        self.dsn = dsn
        self.name = name
        self.published: list[tuple[str, list[Any], dict[str, Any], int]] = []
        self.gaps: list[float] = []
        self.topics = Topics(
            [TopicOptions("organization.", "prefix", history=HistoryOptions(count=count, bytes=1 << 30))]
        )
        self.history = History(self.topics)
        self.outboxes: list[Outbox] = []

    def publish(self, topic: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **how: Any) -> int:
        if not any(covers(pattern, match, topic, "exact") for pattern, match in TOPICS):
            raise RequestRefused(uri.NOT_AUTHORIZED, "this publisher's rules do not allow the topic")
        self.published.append((topic, list(args), dict(kwargs or {}), how["publication"]))
        return int(how["publication"])

    def tell_gap(self, _topics: object, *, since: float) -> None:
        self.gaps.append(since)

    async def pace(self) -> None:
        self._steps = getattr(self, "_steps", 0) + 1
        if self._steps % 100 == 0:
            await sleep(0)

    def outbox(self, **options: Any) -> Outbox:
        outbox = Outbox(
            reactor,
            "test",
            self.dsn,
            TOPICS,
            self,
            **(
                {
                    "pace": self.pace,
                    "node": self.name,
                    "history": self.history,
                    "tell_gap": self.tell_gap,
                    "timeout": 1.0,
                    "poll_seconds": 5.0,
                }
                | options
            ),
        )
        self.outboxes.append(outbox)
        return outbox

    async def reading(self, **options: Any) -> Outbox:
        """An outbox that has published all there was."""
        outbox = self.outbox(**options)
        await outbox.start()
        await until(lambda: outbox.ready, 5)
        return outbox

    @property
    def args(self) -> list[Any]:
        return [args[0] for _, args, _, _ in self.published]

    @property
    def ids(self) -> list[int]:
        return [publication for _, _, _, publication in self.published]


class SyncQuestions:
    """Runs statements at once, for tests that decide when what happens."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True

    def ask(self, query: str, parameters: Mapping[str, str], _deadline: float) -> Deferred[list[Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return succeed(cursor.fetchall())

    def close(self) -> None:
        self._connection.close()


def now(coroutine: Any) -> Any:
    """What a coroutine returns that waits for nothing."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    assert results, "it waits"
    if isinstance(results[0], BaseException) or hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


async def sleep(seconds: float) -> None:
    await deferLater(reactor, seconds)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> float:
    """Wait for a condition; how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        await sleep(0.005)
    return time.monotonic() - begun


class Stalls:
    """How long the reactor did nothing else, at worst, not counting what the machine's other work took away."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._last = self._now()
        self._call = LoopingCall(self._tick)

    def begin(self) -> None:
        self._last = self._now()
        self._call.start(0.005)

    def stop(self) -> None:
        if self._call.running:
            self._call.stop()

    def _tick(self) -> None:
        now = self._now()
        self.worst = max(self.worst, now - self._last - 0.005)
        self._last = now

    @staticmethod
    def _now() -> float:
        """Seconds, less those for which this thread was ready to run but had no processor."""
        schedule = Path("/proc/thread-self/schedstat")
        waited = int(schedule.read_text().split()[1]) if schedule.exists() else 0
        return time.monotonic() - waited / 1e9
