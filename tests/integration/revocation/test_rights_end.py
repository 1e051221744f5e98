"""A row goes, and within a second so does the right: what is delivered, what is told, and who is left alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from raw_wamp import EVENT, PUBLISH, WampError
from raw_websocket import Closed

from .rights import AT_ONCE, Door, News, farewell, next_private, token_of, topics_of

if TYPE_CHECKING:
    from raw_wamp import Peer

EXPIRED = "wampgate.close.token_expired"
REVOKED_TOKEN = "wampgate.close.token_revoked"


def publish(backend: Peer, *topics: str) -> None:
    for topic in topics:
        backend.publish(topic, [topic])


def test_a_membership_that_is_deleted(door: Door) -> None:
    anna, bert, backend = door.member("anna", "organization.8"), door.member("bert", "organization.7"), door.backend()
    seven = anna.subscribe("organization.7")
    with News(backend, "organization.7", "organization.8"):
        anna.event()
        door.rows.drop_member("7", "anna")
        committed = time.monotonic()
        told = next_private(anna)
        assert time.monotonic() - committed < AT_ONCE
        assert told[5]["topic"] == "organization.7"
        assert told[5]["subscription"] == seven
        assert told[5]["reason"] == "wamp.error.not_authorized"
        changed = next_private(anna)
        assert changed[5] == {"organizations": ["8"], "organization_count": 1, "added": [], "removed": ["7"]}
        # Nothing of it comes after it was said to be over, and the rest goes on.
        after = [anna.event() for _ in range(50)]
    assert set(topics_of(after)) == {"organization.8"}
    assert {event[1] for event in after} != {seven}
    publish(backend, "organization.7")
    assert "organization.7" in topics_of(bert.events())
    assert anna.events() is not None
    with pytest.raises(WampError, match=r"wamp\.error\.not_authorized"):
        anna.subscribe("organization.7")


def test_a_token_that_is_deleted(door: Door) -> None:
    door.rows.add_token(token_of("anna", 1), "anna")
    first, second = door.member("anna", "organization.7"), door.member("anna", "organization.7", number=1)
    bert, backend = door.member("bert", "organization.7"), door.backend()
    door.rows.drop_token(token_of("anna"))
    assert farewell(first) == REVOKED_TOKEN
    publish(backend, "organization.7")
    assert topics_of(second.events()) == ["organization.7"]
    assert topics_of(bert.events()) == ["organization.7"]
    first.send(6, {}, "wamp.close.goodbye_and_out")
    assert first.closed() == (1000, "wamp.close.goodbye_and_out")


def test_a_session_that_does_not_answer_goodbye_gets_nothing_more(door: Door) -> None:
    anna, backend = door.member("anna", "organization.7"), door.backend()
    door.rows.drop_token(token_of("anna"))
    assert farewell(anna) == REVOKED_TOKEN
    publish(backend, "organization.7")
    # Not even to itself: a publication after GOODBYE is none.
    anna.send(PUBLISH, anna.next_request(), {"exclude_me": False, "acknowledge": True}, "organization.7", ["late"])
    with pytest.raises(Closed) as closed:
        anna.receive()
    assert closed.value.reason == REVOKED_TOKEN


def test_a_token_that_expires_now(door: Door) -> None:
    anna = door.member("anna", "organization.7")
    door.rows.change_life(token_of("anna"), -1)
    assert farewell(anna) == EXPIRED


def test_a_token_that_is_shortened(door: Door) -> None:
    anna, bert = door.member("anna", "organization.7"), door.member("bert", "organization.7")
    door.rows.change_life(token_of("anna"), 1.5)
    start = time.monotonic()
    assert farewell(anna, seconds=4) == EXPIRED
    assert 1.0 < time.monotonic() - start < 2.5
    assert bert.events() == []


def test_a_token_that_is_prolonged(door: Door) -> None:
    door.rows.add_token(token_of("bert", 1), "bert", 2)
    bert, backend = door.member("bert", "organization.7", number=1), door.backend()
    door.rows.change_life(token_of("bert", 1), 3600)
    time.sleep(2.5)
    publish(backend, "organization.7")
    # The last of what came: it may have been warned of its end before.
    assert topics_of(bert.events())[-1:] == ["organization.7"]


def test_a_membership_that_is_new(door: Door) -> None:
    bert, backend = door.member("bert"), door.backend()
    with pytest.raises(WampError, match=r"wamp\.error\.not_authorized"):
        bert.subscribe("organization.8")
    door.rows.add_member("8", "bert")
    told = next_private(bert)
    assert told[5] == {"organizations": ["7", "8"], "organization_count": 2, "added": ["8"], "removed": []}
    bert.subscribe("organization.8")
    publish(backend, "organization.8")
    assert topics_of(bert.events()) == ["organization.8"]


def test_a_membership_that_comes_and_goes(door: Door) -> None:
    """However the hints are put together, nothing of what was granted in between stays."""
    bert, backend = door.member("bert"), door.backend()
    for _ in range(5):
        door.rows.add_member("8", "bert")
        granted = False
        while not granted:
            try:
                bert.subscribe("organization.8")
                granted = True
            except WampError:
                time.sleep(0.005)
        door.rows.drop_member("8", "bert")
        time.sleep(AT_ONCE)
        bert.events()
        publish(backend, "organization.8")
        assert topics_of(bert.events()) == []


def test_all_memberships_at_once(door: Door) -> None:
    anna, bert, backend = door.member("anna", "organization.7"), door.member("bert", "organization.7"), door.backend()
    door.rows.empty("organization_members")
    for peer in (anna, bert):
        assert next_private(peer)[5]["topic"] == "organization.7"
        assert next_private(peer)[5]["organizations"] == []
    publish(backend, "organization.7", "organization.8")
    assert anna.events() == bert.events() == []


def test_all_tokens_at_once(door: Door) -> None:
    peers = [door.member(user) for user in ("anna", "bert", "cleo")]
    backend = door.backend()
    door.rows.empty("oauth_access_tokens")
    for peer in peers:
        assert farewell(peer) == REVOKED_TOKEN
    # Who has no token of the store's is not concerned.
    publish(backend, "organization.7")


def test_what_is_rolled_back_has_no_effect(door: Door) -> None:
    anna, backend = door.member("anna", "organization.7"), door.backend()
    door.rows.rolled_back("DELETE FROM organization_members")
    door.rows.rolled_back("DELETE FROM oauth_access_tokens")
    time.sleep(AT_ONCE)
    publish(backend, "organization.7")
    messages = anna.events()
    assert [message[0] for message in messages] == [EVENT]
    assert topics_of(messages) == ["organization.7"]


def test_patterns_go_with_the_organization(door: Door) -> None:
    anna, backend = door.member("anna"), door.backend()
    anna.subscribe("organization.7.", match="prefix")
    anna.subscribe("organization.7.", match="wildcard")
    anna.subscribe("organization.8.", match="prefix")
    door.rows.drop_member("7", "anna")
    assert {next_private(anna)[5]["match"] for _ in range(2)} == {"prefix", "wildcard"}
    publish(backend, "organization.7.news", "organization.8.news")
    assert topics_of(anna.events()) == ["organization.8.news"]


def test_no_token_reaches_the_log(door: Door) -> None:
    anna = door.member("anna", "organization.7")
    door.rows.drop_member("7", "anna")
    next_private(anna)
    door.rows.drop_token(token_of("anna"))
    farewell(anna)
    log = door.router.wait_for_log("lost its subscription to 'organization.7'")
    assert "canary-token" not in log
