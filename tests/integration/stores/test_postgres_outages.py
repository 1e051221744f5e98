"""Postgres killed, frozen, restarted and shut out, under load: refused in time, never wrong, no stall."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from postgres_server import PostgresServer
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.postgres import PostgresTokenStore
from wampgate.stores.postgres_connection import PostgresConnection
from wampgate.stores.preparing import prepare_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from .conftest import StallWatch

TIMEOUT = 1.0
SLACK = 0.5
"""Seconds that a machine with other work to do may add to a deadline."""

RECOVERY = 2.0
STALL = 0.1
USERS = 20


@pytest_twisted.async_yield_fixture()
async def server() -> AsyncIterator[PostgresServer]:
    """A server of the test's own, filled."""
    server = PostgresServer()
    await deferToThread(server.__enter__)
    try:
        prepare_postgres(server.dsn)
        server.execute(
            "INSERT INTO oauth_access_tokens SELECT 'token-' || n, 'app', 'user-' || n, now() + interval '1 hour', ''"
            f" FROM generate_series(0, {USERS - 1}) n",
            "INSERT INTO organization_members SELECT 'org-' || n, 'user-' || n, ''"
            f" FROM generate_series(0, {USERS - 1}) n",
        )
        yield server
    finally:
        server.thaw()
        await deferToThread(server.__exit__, None, None, None)


@pytest_twisted.async_yield_fixture()
async def store(server: PostgresServer) -> AsyncIterator[PostgresTokenStore]:
    store = store_at(server.dsn)
    await store.start()
    assert store.ready
    yield store
    await store.stop()


def store_at(dsn: str, **options: Any) -> PostgresTokenStore:
    return PostgresTokenStore(reactor, dsn=dsn, **({"timeout": TIMEOUT, "token_hash": "plain"} | options))


async def sleep(seconds: float) -> None:
    await deferLater(reactor, seconds)


async def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition; how long it took."""
    begun = reactor.seconds()
    while not condition():
        assert reactor.seconds() - begun < seconds, f"not within {seconds} s"
        await sleep(0.02)
    return reactor.seconds() - begun


@dataclass
class Load:
    """Askers that never stop asking, and what became of it."""

    store: PostgresTokenStore
    running: bool = True
    answered: int = 0
    refused: int = 0
    wrong: list[object] = field(default_factory=list)
    longest: float = 0.0
    last_answer: float = 0.0
    askers: list[Deferred[None]] = field(default_factory=list)

    def start(self, askers: int = 24) -> Load:
        self.askers = [Deferred.fromCoroutine(self._ask_on(number)) for number in range(askers)]
        return self

    async def stop(self) -> None:
        self.running = False
        await gatherResults(self.askers)

    async def _ask_on(self, number: int) -> None:
        while self.running:
            number = (number + 7) % (USERS + 5)
            begun = reactor.seconds()
            try:
                await self._ask(number)
                self.answered += 1
                self.last_answer = reactor.seconds()
            except StoreUnavailable:
                self.refused += 1
                await sleep(0.02)
            self.longest = max(self.longest, reactor.seconds() - begun)
            await sleep(0.005)

    async def _ask(self, number: int) -> None:
        token = await self.store.look_up(f"token-{number}")
        if (token.user if token else None) != (f"user-{number}" if number < USERS else None):
            self.wrong.append((number, token))
        members = await self.store.memberships(f"user-{number}")
        if [member.organization for member in members] != ([f"org-{number}"] if number < USERS else []):
            self.wrong.append((number, members))

    def check(self) -> None:
        assert not self.wrong
        # Two questions in a row, each with its own deadline.
        assert self.longest < 2 * TIMEOUT + SLACK


async def under_load(
    store: PostgresTokenStore, watch: StallWatch, harm: Callable[[], Any], repair: Callable[[], Any], seconds: float
) -> Load:
    """Load before, during and after an outage of so many seconds; back within 2 s of its end."""
    load = Load(store).start()
    await until(lambda: load.answered > 50, 5)
    watch.start()
    await deferToThread(harm)
    harmed = reactor.seconds()
    await sleep(seconds)
    assert load.last_answer < harmed + SLACK, "answers came from a database that was not there"
    refused = load.refused
    await deferToThread(repair)
    repaired = reactor.seconds()
    await until(lambda: load.last_answer > repaired, RECOVERY + SLACK)
    answered = load.answered
    await until(lambda: load.answered > answered + 200, 5)
    watch.stop()
    await load.stop()
    assert refused > 0
    load.check()
    assert store.ready
    return load


@pytest_twisted.ensureDeferred
async def test_the_watch_sees_a_stall(stall_watch: StallWatch) -> None:
    stall_watch.start()
    await sleep(0.1)
    time.sleep(0.2)  # noqa: ASYNC251 - this is the stall
    await sleep(0.1)
    stall_watch.stop()
    assert 0.15 < stall_watch.worst() < 0.4


@pytest_twisted.ensureDeferred
async def test_killed_and_started_again_under_load(
    server: PostgresServer, store: PostgresTokenStore, stall_watch: StallWatch
) -> None:
    await under_load(store, stall_watch, server.kill, server.start, 2.5)
    assert stall_watch.worst() < STALL


@pytest_twisted.ensureDeferred
async def test_frozen_and_thawed_under_load(
    server: PostgresServer, store: PostgresTokenStore, stall_watch: StallWatch
) -> None:
    await under_load(store, stall_watch, server.freeze, server.thaw, 4.0)
    assert stall_watch.worst() < STALL


@pytest_twisted.ensureDeferred
async def test_a_short_restart_refuses_nobody(server: PostgresServer) -> None:
    """What was asked when the connection broke is asked again, within its deadline."""
    store = store_at(server.dsn, timeout=5.0)
    await store.start()
    load = Load(store).start()
    await until(lambda: load.answered > 50, 5)

    def restart() -> None:
        server.stop()
        server.start()

    await deferToThread(restart)
    answered = load.answered
    await until(lambda: load.answered > answered + 100, 5)
    await load.stop()
    await store.stop()
    assert not load.wrong
    assert not load.refused


@pytest_twisted.ensureDeferred
async def test_frozen_while_nobody_asks_is_noticed(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wampgate.stores.postgres_pool.PROBE_SECONDS", 1.0)
    store = store_at(server.dsn)
    await store.start()
    server.freeze()
    with pytest.raises(StoreUnavailable, match="did not answer in time"):
        await store.look_up("token-1")
    # The probe finds out about the connections that were not asked.
    await until(lambda: not store.ready, 2 * 1.0 + TIMEOUT + SLACK)
    server.thaw()
    await until(lambda: store.ready, RECOVERY)
    assert await store.look_up("token-1") is not None
    await store.stop()


@pytest_twisted.ensureDeferred
async def test_killed_while_nobody_asks_is_noticed_at_once(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wampgate.stores.postgres_pool.PROBE_SECONDS", 60.0)
    store = store_at(server.dsn)
    await store.start()
    await deferToThread(server.kill)
    await until(lambda: not store.ready, SLACK)
    await deferToThread(server.start)
    await until(lambda: store.ready, RECOVERY)
    assert await store.look_up("token-1") is not None
    await store.stop()


@pytest_twisted.ensureDeferred
async def test_no_traceback_reaches_the_log(server: PostgresServer, store: PostgresTokenStore) -> None:
    """Twisted logs what escapes from a descriptor's methods; txpostgres lets a dead connection's error escape."""
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        for harm, repair in ((server.kill, server.start), (server.freeze, server.thaw), (server.stop, server.start)):
            questions = [Deferred.fromCoroutine(store.look_up(f"token-{number}")) for number in range(8)]
            await deferToThread(harm)
            for question in questions:
                with suppress(StoreUnavailable):
                    await question
            await sleep(0.2)
            await deferToThread(repair)
            await until(lambda: store.ready, RECOVERY)
    finally:
        globalLogPublisher.removeObserver(events.append)
    gc.collect()
    assert not [event for event in events if "log_failure" in event]
    assert [event for event in events if "trying again" in str(event.get("log_format"))]
    assert [event for event in events if "connected again" in str(event.get("log_format"))]


@pytest_twisted.ensureDeferred
async def test_every_concurrent_question_is_refused_within_its_deadline(
    server: PostgresServer, store: PostgresTokenStore, stall_watch: StallWatch
) -> None:
    server.freeze()
    begun = reactor.seconds()
    stall_watch.start()
    ends: list[float] = []

    async def ask(number: int) -> None:
        with pytest.raises(StoreUnavailable):
            await store.look_up(f"token-{number}")
        ends.append(reactor.seconds() - begun)

    await gatherResults([Deferred.fromCoroutine(ask(number)) for number in range(500)])
    stall_watch.stop()
    assert len(ends) == 500
    assert max(ends) < TIMEOUT + SLACK
    server.thaw()


@pytest_twisted.ensureDeferred
async def test_started_without_a_database_it_comes_up_with_it(server: PostgresServer) -> None:
    server.kill()
    store = store_at(server.dsn)
    begun = reactor.seconds()
    await store.start()
    assert reactor.seconds() - begun < TIMEOUT + SLACK
    assert not store.ready
    with pytest.raises(StoreUnavailable):
        await store.look_up("token-1")
    await deferToThread(server.start)
    await until(lambda: store.ready, RECOVERY)
    assert await store.look_up("token-1") is not None
    await store.stop()


@pytest_twisted.ensureDeferred
async def test_started_before_a_frozen_database(server: PostgresServer) -> None:
    server.freeze()
    store = store_at(server.dsn)
    begun = reactor.seconds()
    await store.start()
    assert reactor.seconds() - begun < TIMEOUT + SLACK
    assert not store.ready
    await sleep(2.5)
    server.thaw()
    await until(lambda: store.ready, RECOVERY)
    await store.stop()


@pytest_twisted.ensureDeferred
async def test_terminated_sessions_are_replaced_and_nobody_notices(
    server: PostgresServer, store: PostgresTokenStore
) -> None:
    load = Load(store).start()
    for _ in range(5):
        await deferToThread(
            server.execute,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wampgate'",
        )
        await sleep(0.3)
    await load.stop()
    load.check()
    assert load.answered > 100
    assert not load.refused


@pytest_twisted.ensureDeferred
async def test_a_server_that_accepts_and_says_nothing_is_given_up_and_tried_again() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(64)
        store = store_at(f"host=127.0.0.1 port={mute.getsockname()[1]} user=u dbname=d", pool_size=1, timeout=0.3)
        await store.start()
        await sleep(1.5)
        mute.settimeout(0)
        attempts = 0
        with suppress(BlockingIOError):
            while True:
                mute.accept()[0].close()
                attempts += 1
        assert 2 <= attempts <= 6
        await store.stop()


@pytest_twisted.ensureDeferred
async def test_what_nobody_thought_of_costs_a_connection_and_not_the_store(
    store: PostgresTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    real, failing = PostgresConnection._rows, [RuntimeError("canary")] * 6

    async def rows(self: PostgresConnection, *arguments: Any) -> Any:
        if failing:
            raise failing.pop()
        return await real(self, *arguments)

    monkeypatch.setattr(PostgresConnection, "_rows", rows)
    for _ in range(6):
        with pytest.raises(StoreUnavailable, match="the log says more"):
            await store.look_up("token-1")
    assert await store.look_up("token-1") is not None
    await until(lambda: all(place.connection for place in store._engine._places), RECOVERY)
    await sleep(0.5)
    assert len(store._engine._idle) == len(set(store._engine._idle)) == 4
    globalLogPublisher.removeObserver(events.append)
    assert "RuntimeError" in repr(events)
    assert "canary" not in repr(events)


class Rude(Protocol):
    """Answers the question for TLS with no, and hangs up in the middle of what follows."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.transport.write(b"N")
        reactor.callLater(0, self.transport.abortConnection)


@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_up_while_connecting_does_not_confuse_the_reactor() -> None:
    """libpq closes the descriptor then: were it registered, the reactor would never get rid of it."""
    # The first port that listens makes Twisted reserve a descriptor for good.
    await maybeDeferred(reactor.listenTCP(0, Factory.forProtocol(Rude), interface="127.0.0.1").stopListening)
    before = held()
    rude = reactor.listenTCP(0, Factory.forProtocol(Rude), interface="127.0.0.1")
    store = store_at(f"host=127.0.0.1 port={rude.getHost().port} user=u dbname=d", pool_size=8, timeout=2.0)
    await store.start()
    assert not store.ready
    await store.stop()
    await maybeDeferred(rude.stopListening)
    await sleep(0.1)
    assert held() == before


def held(*, besides: Sequence[object] = ()) -> tuple[set[str], int, int, int]:
    """What this process and its reactor hold: descriptors, readers, writers, and how many timers besides these."""
    gc.collect()
    descriptors = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            descriptors.add(f"{name}:{os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:  # the one that lists the folder
            continue
    # Timers of earlier tests may run out meanwhile; none of this one's may be left.
    timers = [timer for timer in reactor.getDelayedCalls() if timer not in besides]
    return descriptors, len(reactor.getReaders()), len(reactor.getWriters()), len(timers)


@pytest.mark.parametrize("state", ["idle", "asked", "frozen", "connecting", "killed", "refused"])
@pytest_twisted.ensureDeferred
async def test_nothing_is_left_after_stop(server: PostgresServer, state: str) -> None:
    await deferToThread(int)  # the reactor's thread is there from now on
    earlier = reactor.getDelayedCalls()
    before = held(besides=earlier)
    dsn = "host=127.0.0.1 port=1 user=u dbname=d" if state == "refused" else server.dsn
    if state == "connecting":
        server.freeze()
    store = store_at(dsn)
    await store.start()
    if state == "frozen":
        server.freeze()
    if state == "killed":
        server.kill()
        await sleep(0.3)
    questions = []
    if state not in ("idle", "killed"):
        questions = [Deferred.fromCoroutine(store.look_up(f"token-{number}")) for number in range(30)]
        for question in questions:
            question.addErrback(lambda failure: failure.trap(StoreUnavailable))
    if state == "frozen":
        await sleep(0.3)
    await store.stop()
    await gatherResults(questions)
    await sleep(0.05)
    assert held(besides=earlier) == before
    assert not store.ready
    with pytest.raises(StoreUnavailable, match="not running"):
        await store.look_up("token-1")
    assert threading.active_count() < 20


@pytest_twisted.ensureDeferred
async def test_outages_leave_no_descriptors_behind(server: PostgresServer) -> None:
    await deferToThread(int)
    before = held()
    store = store_at(server.dsn, timeout=0.3)
    await store.start()
    for harm, repair in ((server.kill, server.start), (server.freeze, server.thaw)) * 2:
        await deferToThread(harm)
        for number in range(4):
            with pytest.raises(StoreUnavailable):
                await store.look_up(f"token-{number}")
        await deferToThread(repair)
        await until(lambda: store.ready, RECOVERY + SLACK)
        await sleep(0.5)
    assert len(held()[0]) <= len(before[0]) + 4
    await store.stop()
    await sleep(0.05)
    assert held() == before


@pytest_twisted.ensureDeferred
async def test_a_full_queue_refuses_at_once(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wampgate.stores.single_flight.MAX_WAITING", 6)
    store = store_at(server.dsn, pool_size=1, token_query="SELECT %(token)s, 1 FROM pg_sleep(0.4)", timeout=5.0)
    await store.start()
    questions = [Deferred.fromCoroutine(store.look_up(f"t{number}")) for number in range(6)]
    begun = reactor.seconds()
    with pytest.raises(StoreUnavailable, match="too many"):
        await store.look_up("one too many")
    assert reactor.seconds() - begun < 0.2
    assert [token.user for token in await gatherResults(questions)] == [f"t{number}" for number in range(6)]
    await store.stop()


@pytest_twisted.ensureDeferred
async def test_a_queue_before_a_slow_server_keeps_its_connections(server: PostgresServer) -> None:
    """The asker is refused at the deadline; a connection that has only just begun to answer is not to blame."""
    slow = "SELECT pg_backend_pid()::text, 1 FROM pg_sleep(0.7) WHERE %(token)s <> ''"
    store = store_at(server.dsn, pool_size=1, token_query=slow, timeout=1.0)
    await store.start()
    first = await store.look_up("first")
    questions = [Deferred.fromCoroutine(store.look_up(f"t{number}")) for number in range(3)]
    outcomes = []
    for question in questions:
        try:
            outcomes.append(await question)
        except StoreUnavailable:
            outcomes.append(None)
    assert [outcome is not None for outcome in outcomes] == [True, False, False]
    await sleep(0.5)
    assert await store.look_up("last") is not None
    assert (await store.look_up("again")).user == first.user
    await store.stop()
