"""Poison, crashes and frozen servers, lost rights, old rows, routers of one name: nothing blocks, nothing is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from .outbox_nodes import BACKEND, ROUTER, Node, as_role, prepared, sleep, until

if TYPE_CHECKING:
    from postgres_server import PostgresServer

    from .outbox_nodes import Stalls

DEEP = "[" * 70 + "]" * 70
POISON = [
    ("organization..7", "[1]", "{}", "bad_topic", "the topic is not a URI"),
    ("organization.7\nx", "[1]", "{}", "bad_topic", "the topic is not a URI"),
    ("o" * 5_000_000, "[1]", "{}", "bad_topic", "the topic is not a URI"),
    ("wamp.session.on_join", "[1]", "{}", "refused", "the router refused to publish"),
    ("elsewhere", "[1]", "{}", "refused", "the router refused to publish"),
    ("organization.7", "1", "{}", "bad_args", "args is not a JSON array"),
    ("organization.7", "null", "{}", "bad_args", "args is not a JSON array"),
    ("organization.7", "[]", "[1]", "bad_kwargs", "kwargs is not a JSON object"),
    ("organization.7", DEEP, "{}", "too_deep", "deeper than 64"),
    ("organization.7", json.dumps(["x" * (1 << 20)]), "{}", "too_large", "more than 1 MiB"),
    ("organization.7", "[1e100000]", "{}", "bad_number", "too large"),
    ("organization.7", "[" + "[]," * 100_001 + "1]", "{}", "too_many_values", "more than 100000"),
]


def insert(server: PostgresServer, dsn: str, topic: str, args: str, kwargs: str = "{}") -> None:
    server.execute(
        "INSERT INTO wampgate_outbox (topic, args, kwargs) VALUES (%s, %s, %s)",
        dsn=as_role(dsn, BACKEND),
        parameters=(topic, args, kwargs),
    )


@pytest_twisted.ensureDeferred
async def test_poison_is_laid_aside_once_and_blocks_nothing(
    node: Any, postgres: PostgresServer, dsn: str, lines: list[str]
) -> None:
    for number, (topic, args, kwargs, _, _) in enumerate(POISON):
        insert(postgres, dsn, "organization.7", f"[{number}]")
        insert(postgres, dsn, topic, args, kwargs)
    insert(postgres, dsn, "organization.7", f"[{len(POISON)}]")
    one, two = node("one"), node("two")
    outbox, other = await one.reading(), await two.reading(oldest=True)
    assert one.args == two.args == list(range(len(POISON) + 1))
    rows = postgres.execute("SELECT reason, node FROM wampgate_outbox_dead ORDER BY id", dsn=dsn)
    assert len(rows) == len(POISON)
    for (reason, _), (_, _, _, kind, expected) in zip(rows, POISON, strict=True):
        assert expected in reason
        assert outbox.counters[kind] == sum(kind == another[3] for another in POISON)
    assert outbox.counters["dead_letters"] + other.counters["dead_letters"] == len(POISON)
    warned = [line for line in lines if "can't be published" in line]
    assert len(warned) == 2 * len({kind for _, _, _, kind, _ in POISON})
    assert all(len(line) < 400 for line in lines)


@pytest_twisted.ensureDeferred
async def test_what_postgres_itself_cannot_write_out_is_laid_aside(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    """Numbers that take ten bytes each in the table, and a gigabyte and more as text."""
    insert(postgres, dsn, "organization.7", "[1]")
    postgres.execute(
        "INSERT INTO wampgate_outbox (topic, args)"
        " SELECT 'organization.7', jsonb_agg(1e131000::numeric) FROM generate_series(1, 9000)",
        dsn=dsn,
    )
    insert(postgres, dsn, "organization.7", "[2]")
    one = node()
    outbox = one.outbox(timeout=20.0)
    await outbox.start()
    await until(lambda: outbox.ready, 60)
    assert one.args == [1, 2]
    assert outbox.counters["unreadable"] == 1
    [(reason,)] = postgres.execute("SELECT reason FROM wampgate_outbox_dead", dsn=dsn)
    assert "Postgres can't write it out" in reason


@pytest_twisted.ensureDeferred
async def test_what_postgres_takes_too_long_to_write_out_is_laid_aside(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    """Postgres doesn't even refuse: there is no answer, as if it were away, but for this row only."""
    postgres.execute(f"ALTER ROLE {ROUTER} IN DATABASE {dsn.rpartition('dbname=')[2]} SET statement_timeout = '2s'")
    postgres.execute(
        "INSERT INTO wampgate_outbox (topic, args)"
        " SELECT 'organization.7', jsonb_agg(1e131000::numeric) FROM generate_series(1, 2000)",
        dsn=dsn,
    )
    insert(postgres, dsn, "organization.7", "[1]")
    one = node()
    outbox = one.outbox(timeout=0.15)
    await outbox.start()
    await until(lambda: one.args == [1], 30)
    assert outbox.counters["unreadable"] == 1
    assert postgres.execute("SELECT reason FROM wampgate_outbox_dead", dsn=dsn) == [
        ("Postgres can't write it out: no answer in time",)
    ]


@pytest_twisted.ensureDeferred
async def test_a_dead_letter_that_was_mended_can_be_inserted_again(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    insert(postgres, dsn, "elsewhere", "[1]")
    one = node()
    outbox = await one.reading()
    postgres.execute(
        "WITH mended AS (DELETE FROM wampgate_outbox_dead WHERE topic = 'elsewhere' RETURNING *)"
        " INSERT INTO wampgate_outbox (topic, args, kwargs) SELECT 'organization.7', args, kwargs FROM mended",
        dsn=dsn,
    )
    outbox.wake()
    await until(lambda: one.args == [1])


# --- the server ---


@pytest_twisted.ensureDeferred
async def test_postgres_killed_and_back(victim: PostgresServer, node: Any, stalls: Stalls, lines: list[str]) -> None:
    dsn = await deferToThread(prepared, victim)
    one = node(at=dsn)
    outbox = await one.reading(poll_seconds=0.2)
    insert(victim, dsn, "organization.7", "[1]")
    await until(lambda: one.args == [1])
    stalls.begin()
    for number in (2, 3):
        await deferToThread(victim.kill)
        await until(lambda: not outbox.ready)
        await deferToThread(victim.start)
        await deferToThread(insert, victim, dsn, "organization.7", f"[{number}]")
        await until(lambda number=number: one.args[-1:] == [number], 3.0)
    await until(lambda: outbox.ready and outbox._wake.hears)
    stalls.stop()
    assert one.args == [1, 2, 3]
    assert stalls.worst < 0.1
    assert not any("secret-of" in line for line in lines)


@pytest_twisted.ensureDeferred
async def test_postgres_frozen_and_thawed(victim: PostgresServer, node: Any, stalls: Stalls) -> None:
    dsn = await deferToThread(prepared, victim)
    one = node(at=dsn)
    outbox = await one.reading(poll_seconds=0.2, timeout=0.5)
    stalls.begin()
    victim.freeze()
    await until(lambda: not outbox.ready)
    await sleep(1.0)
    victim.thaw()
    await deferToThread(insert, victim, dsn, "organization.7", "[1]")
    await until(lambda: one.args == [1], 4.0)
    await until(lambda: outbox._wake.hears, 8.0)
    stalls.stop()
    assert stalls.worst < 0.1


@pytest_twisted.ensureDeferred
async def test_a_server_that_has_gone_back_publishes_nothing_twice_and_loses_nothing(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    """As after a failover to a replica that lacked the last transactions: places come again, with other rows."""
    for number in range(6):
        insert(postgres, dsn, "organization.7", f"[{number}]")
    one = node()
    outbox = await one.reading(poll_seconds=0.05)
    postgres.execute(
        "DELETE FROM wampgate_outbox WHERE place > 3",
        "UPDATE wampgate_outbox_state SET last = 3",
        "UPDATE wampgate_outbox_nodes SET place = 2",
        dsn=dsn,
    )
    await until(lambda: outbox.counters["went_back"] == 1)
    insert(postgres, dsn, "organization.7", '["another"]')
    await until(lambda: one.args[-1:] == ["another"])
    assert one.args == [*range(6), "another"]
    assert outbox.counters["repeated"] == 1


# --- routers ---


@pytest_twisted.ensureDeferred
async def test_a_restart_goes_on_where_it_ended_and_remembers_what_was(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    one = node()
    outbox = await one.reading()
    for number in range(10):
        insert(postgres, dsn, "organization.7", f"[{number}]")
    insert(postgres, dsn, "elsewhere", "[1]")
    await until(lambda: outbox.counters["dead_letters"] == 1 and len(one.args) == 10)
    await outbox.stop()
    for number in range(10, 20):
        insert(postgres, dsn, "organization.7", f"[{number}]")
    again = Node(one.dsn)
    later = again.outbox()
    await later.start()
    await until(lambda: later.ready)
    assert again.args == list(range(10, 20))
    window = again.history.window("organization.7", "exact")
    position = window.position(one.ids[3])
    assert position is not None
    assert [event.publication for event in window.after(position)] == one.ids[4:]
    assert again.gaps == []
    await later.stop()


@pytest_twisted.ensureDeferred
async def test_a_stop_in_the_middle_of_a_portion_notes_what_was_published(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    postgres.execute(
        "INSERT INTO wampgate_outbox (topic, args) SELECT 'organization.7', jsonb_build_array(n)"
        " FROM generate_series(1, 5000) n",
        dsn=dsn,
    )
    one, again = node(), node()
    outbox = one.outbox()
    starting = outbox.start()
    await until(lambda: len(one.args) > 700)
    await outbox.stop()
    await starting
    published = len(one.args)
    assert published < 5000
    await again.reading()
    assert one.args + again.args == list(range(1, 5001))


@pytest_twisted.ensureDeferred
async def test_a_crash_before_the_place_was_noted_publishes_the_same_ids_again(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    one = node()
    outbox = await one.reading()
    insert(postgres, dsn, "organization.7", "[1]")
    await until(lambda: one.args == [1])
    await outbox.stop()
    postgres.execute("UPDATE wampgate_outbox_nodes SET place = 0", dsn=dsn)
    again = node()
    await again.reading()
    assert again.published == one.published


@pytest_twisted.ensureDeferred
async def test_a_new_router_begins_where_it_is_told(node: Any, postgres: PostgresServer, dsn: str) -> None:
    one = node("one")
    insert(postgres, dsn, "organization.7", '["nobody was there"]')
    await one.reading()
    assert one.args == ["nobody was there"]
    new, old = node("new"), node("old")
    await new.reading()
    await old.reading(oldest=True)
    assert (new.args, old.args) == ([], ["nobody was there"])
    assert new.history.window("organization.7", "exact").position(one.ids[0]) is not None


@pytest_twisted.ensureDeferred
async def test_two_with_one_name_the_later_one_publishes_the_other_says_so(
    node: Any, postgres: PostgresServer, dsn: str, lines: list[str]
) -> None:
    first, second = node("same"), node("same")
    displaced = await first.reading(poll_seconds=0.05)
    await second.reading(poll_seconds=0.05)
    insert(postgres, dsn, "organization.7", "[1]")
    await until(lambda: second.args == [1])
    await until(lambda: not displaced.ready and displaced.counters["name_taken"])
    assert [line for line in lines if "another router uses the node name 'same'" in line]
    # Once that one is gone for long, it takes its place back.
    await second.outboxes[0].stop()
    postgres.execute("UPDATE wampgate_outbox_nodes SET seen_at = now() - interval '1 minute'", dsn=dsn)
    insert(postgres, dsn, "organization.7", "[2]")
    await until(lambda: first.args[-1:] == [2], 12.0)


# --- rights ---


@pytest.mark.parametrize(
    "right",
    ["SELECT ON wampgate_outbox", "UPDATE (place) ON wampgate_outbox", "UPDATE ON wampgate_outbox_nodes"],
)
@pytest_twisted.ensureDeferred
async def test_without_a_right_it_says_so_and_goes_on_when_it_has_it(
    node: Any, postgres: PostgresServer, dsn: str, lines: list[str], right: str
) -> None:
    postgres.execute(f"REVOKE {right} FROM {ROUTER}", dsn=dsn)
    insert(postgres, dsn, "organization.7", "[1]")
    one = node()
    outbox = one.outbox(poll_seconds=0.05)
    await outbox.start()
    await until(lambda: any("Postgres refuses" in line and "insufficient_privilege" in line for line in lines))
    assert not outbox.ready
    assert one.args == []
    postgres.execute(f"GRANT {right} TO {ROUTER}", dsn=dsn)
    await until(lambda: one.args == [1], 12.0)


@pytest.mark.parametrize(
    ("right", "counter"),
    [("INSERT ON wampgate_outbox_dead", "dead_letter_failed"), ("DELETE ON wampgate_outbox", "prune_failed")],
)
@pytest_twisted.ensureDeferred
async def test_other_rights_hold_nothing_up(
    node: Any, postgres: PostgresServer, dsn: str, right: str, counter: str
) -> None:
    postgres.execute(f"REVOKE {right} FROM {ROUTER}", dsn=dsn)
    insert(postgres, dsn, "elsewhere", "[0]")
    insert(postgres, dsn, "organization.7", "[1]")
    one = node()
    outbox = one.outbox(poll_seconds=0.05)
    await outbox.start()
    await until(lambda: one.args == [1] and outbox.counters[counter])


def test_the_backend_can_insert_and_nothing_else(postgres: PostgresServer, dsn: str) -> None:
    insert(postgres, dsn, "organization.7", "[1]")
    for forbidden in (
        "SELECT topic FROM wampgate_outbox",
        "DELETE FROM wampgate_outbox",
        "UPDATE wampgate_outbox SET topic = 'x'",
        "INSERT INTO wampgate_outbox (topic, place) VALUES ('x', 1)",
        "INSERT INTO wampgate_outbox (topic, publication) VALUES ('x', 1)",
        "SELECT last FROM wampgate_outbox_state",
        "SELECT node FROM wampgate_outbox_nodes",
        "SELECT reason FROM wampgate_outbox_dead",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            postgres.execute(forbidden, dsn=as_role(dsn, BACKEND))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        postgres.execute("UPDATE wampgate_outbox SET args = '[2]'", dsn=as_role(dsn, ROUTER))


# --- age ---


@pytest_twisted.ensureDeferred
async def test_old_rows_go_once_all_routers_are_past_them(node: Any, postgres: PostgresServer, dsn: str) -> None:
    one, two = node("one"), node("two")
    stopped = await two.reading()
    await stopped.stop()
    outbox = await one.reading(poll_seconds=0.05, retention_seconds=1.0, dead_letter_seconds=1.0)
    for number in range(5):
        insert(postgres, dsn, "organization.7", f"[{number}]")
    insert(postgres, dsn, "elsewhere", "[]")
    await until(lambda: outbox.counters["published"] == 5)
    postgres.execute("UPDATE wampgate_outbox_nodes SET seen_at = now() + interval '1 hour' WHERE node = 'two'", dsn=dsn)
    await sleep(2.5)
    assert outbox.counters["removed"] == 1  # the dead letter
    [(left,)] = postgres.execute("SELECT count(*) FROM wampgate_outbox", dsn=dsn)
    assert left == 6
    again = await two.reading(retention_seconds=1.0)
    assert two.args == list(range(5))
    assert two.gaps == []
    await until(lambda: outbox.counters["removed"] + again.counters["removed"] == 7, 6.0)
    assert postgres.execute("SELECT count(*) FROM wampgate_outbox", dsn=dsn) == [(0,)]
    # Places go on, whatever was removed.
    insert(postgres, dsn, "organization.7", '["later"]')
    await until(lambda: one.args[-1:] == ["later"] == two.args[-1:])


@pytest_twisted.ensureDeferred
async def test_who_was_away_for_longer_than_rows_are_kept_tells_the_gap(
    node: Any, postgres: PostgresServer, dsn: str, lines: list[str]
) -> None:
    one, two = node("one"), node("two")
    await (await two.reading()).stop()
    postgres.execute("UPDATE wampgate_outbox_nodes SET seen_at = now() - interval '1 hour'", dsn=dsn)
    insert(postgres, dsn, "organization.7", "[1]")
    outbox = await one.reading(poll_seconds=0.05, retention_seconds=1.0)
    await until(lambda: outbox.counters["removed"] == 1)
    again = await two.reading()
    assert again.counters["gap"] == 1
    assert len(two.gaps) == 1
    assert any("the subscribers are told" in line for line in lines)


@pytest_twisted.ensureDeferred
async def test_nothing_is_removed_where_that_is_left_to_the_operator(
    node: Any, postgres: PostgresServer, dsn: str
) -> None:
    postgres.execute(f"REVOKE DELETE ON wampgate_outbox FROM {ROUTER}", dsn=dsn)
    insert(postgres, dsn, "organization.7", "[1]")
    postgres.execute("UPDATE wampgate_outbox SET created_at = now() - interval '1 year'", dsn=dsn)
    one = node()
    outbox = await one.reading(poll_seconds=0.05, retention_seconds=None, dead_letter_seconds=None)
    await sleep(0.3)
    assert one.args == [1]
    assert outbox.counters["removed"] == outbox.counters["prune_failed"] == 0
