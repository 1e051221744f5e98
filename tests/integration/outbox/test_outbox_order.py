"""What is committed is published once, in the order of commits, whatever the order of ids and of transactions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import pytest_twisted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from wampgate.stores.outbox_table import OutboxTable

from .outbox_nodes import ROUTER, SyncQuestions, as_role, now, prepared, sleep, until

if TYPE_CHECKING:
    from postgres_server import PostgresServer

    from .outbox_nodes import Stalls


@pytest_twisted.ensureDeferred
async def test_a_row_is_published_at_once_with_its_id(node: Any, backend: Any, postgres: Any, dsn: str) -> None:
    one = node()
    outbox = await one.reading()
    await until(lambda: outbox._wake.hears)
    backend().insert(1, kwargs={"a": [1.5, None, "é"]}).commit()
    assert await until(lambda: one.published) < 1.0  # a poll would take 5 s
    [(publication,)] = postgres.execute("SELECT publication FROM wampgate_outbox", dsn=dsn)
    assert one.published == [("organization.7", [1], {"a": [1.5, None, "é"]}, publication)]
    assert (outbox.counters["received"], outbox.counters["published"]) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_what_is_rolled_back_is_not_published(node: Any, backend: Any) -> None:
    one = node()
    outbox = await one.reading()
    backend().insert(1).rollback()
    backend().insert(2).commit()
    outbox.wake()
    await until(lambda: one.args == [2])


@pytest_twisted.ensureDeferred
async def test_overlapping_transactions_that_commit_in_reverse(node: Any, backend: Any) -> None:
    """Read by ``id > last``, or by transaction ids, the first one's rows would be lost or wait for nothing."""
    one = node()
    outbox = await one.reading(poll_seconds=0.05)
    first, second, third = backend(), backend(), backend()
    first.insert("first: 1")
    second.insert("second: 1")
    third.insert("third: 1")
    third.commit()
    await until(lambda: one.args == ["third: 1"])
    second.insert("second: 2").commit()
    await until(lambda: len(one.args) == 3)
    first.insert("first: 2").commit()
    await until(lambda: len(one.args) == 5)
    assert one.args == ["third: 1", "second: 1", "second: 2", "first: 1", "first: 2"]
    assert outbox.counters["repeated"] == 0


@pytest_twisted.ensureDeferred
async def test_a_cause_comes_before_its_effect_whatever_the_transactions_numbers(node: Any, backend: Any) -> None:
    """By transaction ids the effect would come first: its transaction began to write earlier."""
    one, cause, effect = node(), backend(), backend()
    effect.insert("early", topic="organization.8")  # has its transaction id now
    cause.insert("cause").commit()
    effect.insert("effect").commit()
    await one.reading()
    assert [args[0] for topic, args, _, _ in one.published if topic == "organization.7"] == ["cause", "effect"]


@pytest_twisted.ensureDeferred
async def test_a_long_transaction_elsewhere_holds_nothing_up(
    node: Any, backend: Any, postgres: PostgresServer, dsn: str
) -> None:
    one = node()
    await one.reading(poll_seconds=0.05)
    with psycopg2.connect(dsn) as long, long.cursor() as cursor:
        cursor.execute("CREATE TABLE unrelated (a int)")
        backend().insert(1).commit()
        await until(lambda: one.args == [1])


@pytest_twisted.ensureDeferred
async def test_lost_notifications_cost_a_poll(node: Any, backend: Any, postgres: PostgresServer, dsn: str) -> None:
    postgres.execute("DROP TRIGGER wampgate_outbox_wakes ON wampgate_outbox", dsn=dsn)
    one = node()
    await one.reading(poll_seconds=0.3)
    await sleep(0.2)  # what listening wakes for when it begins is over
    backend().insert(1).commit()
    await until(lambda: one.args == [1], 1.0)


@pytest_twisted.ensureDeferred
async def test_a_row_that_somebody_has_locked_waits_alone(
    node: Any, backend: Any, postgres: PostgresServer, dsn: str
) -> None:
    backend().insert(1, 2, 3).commit()
    one = node()
    with psycopg2.connect(dsn) as somebody, somebody.cursor() as cursor:
        cursor.execute("SELECT FROM wampgate_outbox WHERE args = '[2]' FOR UPDATE")
        outbox = await one.reading(poll_seconds=0.05)
        assert one.args == [1, 3]
        looked = outbox.counters["looked"]
        await sleep(0.5)
        assert outbox.ready
        assert outbox.counters["looked"] - looked <= 12  # it does not go round and round
    await until(lambda: one.args == [1, 3, 2])


@pytest_twisted.ensureDeferred
async def test_many_rows_come_in_order_and_stall_nothing(
    node: Any, postgres: PostgresServer, dsn: str, stalls: Stalls
) -> None:
    postgres.execute(
        "INSERT INTO wampgate_outbox (topic, args) SELECT 'organization.' || n % 7, jsonb_build_array(n)"
        " FROM generate_series(1, 100000) n",
        dsn=dsn,
    )
    one = node()
    outbox = one.outbox()
    stalls.begin()
    await outbox.start()
    await until(lambda: outbox.ready, 60)
    stalls.stop()
    assert one.args == list(range(1, 100_001))
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_two_routers_publish_everything_each_in_the_same_order(node: Any, backend: Any) -> None:
    one, two = node("one"), node("two")
    await one.reading(poll_seconds=0.02, count=7)
    await two.reading(poll_seconds=0.03, count=5)
    backends = [backend() for _ in range(5)]
    for number in range(200):
        chosen = backends[number * 7 % 5]
        chosen.insert(number, topic=f"organization.{number % 3}")
        if number % 4 == 0:
            backends[number * 3 % 5].commit()
            await sleep(0)
    for one_backend in backends:
        one_backend.commit()
    await until(lambda: len(one.args) == len(two.args) == 200)
    assert one.published == two.published
    assert sorted(one.args) == list(range(200))


# --- every interleaving ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.integers(0, 3), st.sampled_from(["organization.1", "organization.2"])),
        st.tuples(st.just("write"), st.integers(0, 3), st.just("")),
        st.tuples(st.sampled_from(["commit", "commit", "rollback"]), st.integers(0, 3), st.just("")),
        st.tuples(st.just("read"), st.integers(0, 1), st.just("")),
    ),
    max_size=40,
)


class World:
    """Four backends and two routers on one outbox, and what should come of it."""

    def __init__(self, dsn: str) -> None:
        self.owner = psycopg2.connect(dsn)
        self.owner.autocommit = True
        self.backends = [psycopg2.connect(dsn) for _ in range(4)]
        self.questions = [SyncQuestions(as_role(dsn, ROUTER)) for _ in range(2)]

    def reset(self) -> None:
        for backend in self.backends:
            backend.rollback()
        with self.owner.cursor() as cursor:
            cursor.execute("TRUNCATE wampgate_outbox, wampgate_outbox_state, wampgate_outbox_nodes")
            cursor.execute("CREATE TABLE IF NOT EXISTS business (a int)")
        clock = Clock()
        self.tables = [
            OutboxTable(clock, questions, f"node{index}", 1.0)  # type: ignore[arg-type] # it asks at once
            for index, questions in enumerate(self.questions)
        ]
        self.places = [now(table.begin(oldest=False, first=True)).place for table in self.tables]
        self.seen: list[list[tuple[str, int]]] = [[], []]
        self.open: list[list[int]] = [[] for _ in range(4)]
        self.inserted: dict[int, int] = {}
        self.committed: dict[int, int] = {}
        self.time = 0

    def run(self, what: str, who: int, topic: str) -> None:
        self.time += 1
        if what == "read":
            self.read(who)
            return
        backend = self.backends[who]
        if what == "insert":
            with backend.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO wampgate_outbox (topic, args) VALUES (%s, jsonb_build_array(%s))", (topic, self.time)
                )
            self.open[who].append(self.time)
            self.inserted[self.time] = self.time
        elif what == "write":
            with backend.cursor() as cursor:
                cursor.execute("INSERT INTO business VALUES (1)")
        elif what == "commit":
            backend.commit()
            self.committed |= dict.fromkeys(self.open[who], self.time)
            self.open[who] = []
        else:
            backend.rollback()
            self.open[who] = []

    def read(self, who: int, *, count: int = 3) -> None:
        table = self.tables[who]
        look = now(table.look())
        if look.fresh:
            look = now(table.give_places(count))
        rows = now(table.portion(self.places[who], count))
        for row in rows:
            assert row.place == self.places[who] + 1
            self.places[who] = row.place
            self.seen[who].append((row.topic, row.payload()[0][0]))

    def close(self) -> None:
        for connection in (self.owner, *self.backends, *self.questions):
            connection.close()


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Any:
    world = World(prepared(postgres))
    yield world
    world.close()


def check(world: World) -> None:
    """What was committed came once, to both in the same order, and behind all that was committed before."""
    for who in range(4):
        world.run("commit", who, "")
    while any(len(seen) < len(world.committed) for seen in world.seen):
        before = [len(seen) for seen in world.seen]
        for who in range(2):
            world.read(who, count=100)
        assert [len(seen) for seen in world.seen] != before, "rows are missing"
    assert world.seen[0] == world.seen[1]
    numbers = [number for _, number in world.seen[0]]
    assert Counter(numbers) == Counter(world.committed.keys())
    for index, later in enumerate(numbers):
        for earlier in numbers[index + 1 :]:
            assert not world.committed[earlier] < world.inserted[later], "an effect came before its cause"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(steps=STEPS)
def test_any_interleaving_of_transactions(world: World, steps: list[tuple[str, int, str]]) -> None:
    world.reset()
    for step in steps:
        world.run(*step)
    check(world)
