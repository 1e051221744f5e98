"""What only Postgres does: forged notifications, lost ones, a database that is frozen or killed."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import Closed

from wampgate.stores.preparing import removal_of_triggers

from .rights import AT_ONCE, Door, PostgresRows, farewell, next_private, token_of, topics_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rights import Rows

FORGED = (
    "",
    "rubbish",
    '{"users": ["anna", "bert", "nobody"]}',
    '{"everything": true}',
    '{"users": ["anna"], "organizations": [], "revoked": true}',
    '{"users": "anna"}',
    '{"heartbeat": "0"}',
    "[" * 3000,
)


def postgres_of(door: Door) -> PostgresRows:
    assert isinstance(door.rows, PostgresRows)
    return door.rows


def news(backend: Peer, peer: Peer, topic: str = "organization.7") -> list[Any]:
    """What a peer gets of an event that is published now."""
    backend.publish(topic, [topic])
    return topics_of(peer.events())


def test_forged_notifications_do_nothing(postgres_door: Door) -> None:
    door = postgres_door
    anna, backend = door.member("anna", "organization.7"), door.backend()
    rows = postgres_of(door)
    with closing(psycopg2.connect(rows.dsn)) as forger:
        forger.autocommit = True
        cursor = forger.cursor()
        for payload in FORGED * 20:
            cursor.execute("SELECT pg_notify('wampgate', %s)", (payload,))
    time.sleep(AT_ONCE)
    assert news(backend, anna) == ["organization.7"]
    # Nor do they deafen it.
    rows.drop_member("7", "anna")
    assert next_private(anna)[5]["topic"] == "organization.7"
    assert news(backend, anna) == []


def test_a_transaction_counts_when_it_is_committed(postgres_door: Door) -> None:
    door = postgres_door
    anna, backend = door.member("anna", "organization.7"), door.backend()
    with closing(psycopg2.connect(postgres_of(door).dsn)) as application:
        application.cursor().execute("DELETE FROM organization_members WHERE user_id = 'anna'")
        time.sleep(0.5)
        assert news(backend, anna) == ["organization.7"]
        application.commit()
        assert next_private(anna)[5]["topic"] == "organization.7"
    assert news(backend, anna) == []


@pytest.mark.parametrize("kept", [None, 300.0], ids=["asked", "kept"])
def test_a_lost_notification_costs_a_sweep(postgres_rows: Callable[[str], Rows], kept: float | None) -> None:
    """The triggers are gone, so that nothing is told; however long answers are kept, the sweep asks."""
    authorization = {"sweep_seconds": 1, **({} if kept is None else {"cache_seconds": kept})}
    with Door(postgres_rows, authorization=authorization) as door:
        door.rows.execute(removal_of_triggers())
        anna, bert, backend = door.member("anna", "organization.7"), door.member("bert"), door.backend()
        assert news(backend, anna) == ["organization.7"]
        door.rows.drop_member("7", "anna")
        assert next_private(anna, seconds=1.5)[5]["topic"] == "organization.7"
        assert news(backend, anna) == []
        door.rows.add_member("8", "bert")
        assert next_private(bert, seconds=1.5)[5]["added"] == ["8"]
        door.rows.drop_token(token_of("bert"))
        assert farewell(bert, seconds=1.5) == "wampgate.close.token_revoked"


def test_while_nothing_can_be_heard_it_asks_more_often_than_configured(postgres_rows: Callable[[str], Rows]) -> None:
    """Ten minutes are configured: a router that knows that it is deaf takes no longer than ten seconds."""
    with Door(postgres_rows, authorization={"sweep_seconds": 600}) as door:
        door.wait_until_it_hears()
        door.rows.execute(removal_of_triggers())
        door.router.wait_for_log("no table here has the triggers", seconds=30)
        anna = door.member("anna", "organization.7")
        anna.socket.settimeout(15)
        door.rows.drop_member("7", "anna")
        assert next_private(anna, seconds=12)[5]["topic"] == "organization.7"


def test_what_came_and_went_between_two_sweeps_leaves_nothing(postgres_rows: Callable[[str], Rows]) -> None:
    with Door(postgres_rows, authorization={"sweep_seconds": 1, "cache_seconds": 0}) as door:
        door.rows.execute(removal_of_triggers())
        bert, backend = door.member("bert"), door.backend()
        door.rows.add_member("8", "bert")
        bert.subscribe("organization.8")
        door.rows.drop_member("8", "bert")
        time.sleep(1.5)
        bert.events()
        assert news(backend, bert, "organization.8") == []


def test_a_frozen_database_takes_nothing_away_and_gives_nothing(postgres_rows: Callable[[str], Rows]) -> None:
    with Door(postgres_rows, authorization={"cache_seconds": 0, "sweep_seconds": 1}) as door:
        door.wait_until_it_hears()
        rows, backend = postgres_of(door), door.backend()
        anna = door.member("anna", "organization.7")
        with closing(psycopg2.connect(rows.dsn)) as application:
            application.cursor().execute("DELETE FROM organization_members WHERE organization_id = '7'")
            rows.server.freeze()
            try:
                _nothing_is_granted(door, anna)
                assert news(backend, anna) == ["organization.7"]
            finally:
                rows.server.thaw()
            assert news(backend, anna) == ["organization.7"]
            application.commit()
        # The listener has to come back first.
        assert next_private(anna, seconds=5)[5]["topic"] == "organization.7"
        assert news(backend, anna) == []
        anna.subscribe("organization.8")


def test_a_database_that_was_killed_while_rights_changed(postgres_rows: Callable[[str], Rows]) -> None:
    with Door(postgres_rows, authorization={"cache_seconds": 0}) as door:
        door.wait_until_it_hears()
        rows, backend = postgres_of(door), door.backend()
        anna, cleo = door.member("anna", "organization.7"), door.member("cleo", "organization.8")
        rows.server.kill()
        try:
            _nothing_is_granted(door, anna)
            assert news(backend, anna) == ["organization.7"]
        finally:
            rows.server.start()
        rows.drop_member("7", "anna")
        rows.drop_token(token_of("cleo"))
        assert next_private(anna, seconds=10)[5]["topic"] == "organization.7"
        assert farewell(cleo, seconds=10) == "wampgate.close.token_revoked"
        assert news(backend, anna) == []


def _nothing_is_granted(door: Door, member: Peer) -> None:
    with pytest.raises(WampError, match=r"wamp\.error\.authorization_failed"):
        member.subscribe("organization.8")
    with pytest.raises((Aborted, Closed), match=r"wamp\.error\.authentication_failed"):
        door.join("bert")
