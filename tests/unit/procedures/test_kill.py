"""``wampgate.sessions.kill``: exactly those who are meant, by what names them, and never the caller."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from unit.procedures.offered import Offered, call, subscribe

KILL = "wampgate.sessions.kill"
KILLED = "wamp.close.killed"


@pytest.fixture
def offered() -> Offered:
    return Offered()


@pytest.mark.parametrize(
    ("by", "ended"),
    [
        ({"authid": "joe"}, {"joe 1", "joe 2"}),
        ({"authid": "ann"}, {"ann"}),
        ({"authid": "nobody"}, set()),
        ({"token_hash": sha256(b"the token of joe").hexdigest()}, {"joe 1"}),
        ({"organization": "7"}, {"joe 1", "joe 2", "ann"}),
        ({"organization": "8"}, {"joe 1", "joe 2"}),
        ({"organization": "70"}, set()),
        ({"address": "192.0.2.7"}, {"joe 2", "ann"}),
    ],
)
def test_whom(offered: Offered, by: dict[str, str], ended: set[str]) -> None:
    offered.memory.add_token("another of joe", "joe")
    peers = {
        "joe 1": offered.user("joe"),
        "joe 2": offered.routed.peer("192.0.2.7").join("another of joe"),
        "ann": offered.user("ann", "192.0.2.7"),
        "guest": offered.guest(),
    }
    backend = offered.backend()
    assert call(backend, KILL, **by) == ([len(ended)], {})
    for name, peer in peers.items():
        heard = peer.heard()
        assert [message[2] for message in heard] == ([KILLED] if name in ended else []), name
    assert backend.session.established


def test_an_ipv6_address_is_meant_whole_though_limits_count_its_network(offered: Offered) -> None:
    near, far = offered.user("joe", "2001:db8::1"), offered.user("ann", "2001:db8::2")
    assert call(offered.backend(), KILL, address="2001:db8::1") == ([1], {})
    assert not near.session.established
    assert far.session.established


def test_todays_members_are_meant(offered: Offered) -> None:
    joe, ann, backend = offered.user("joe"), offered.user("ann"), offered.backend()
    offered.memory.remove_membership("joe", "7")
    assert call(backend, KILL, organization="7") == ([1], {})
    assert joe.session.established
    assert not ann.session.established


def test_the_caller_lives_on(offered: Offered) -> None:
    first, second = offered.backend(), offered.backend()
    assert call(first, KILL, authid="backend") == ([1], {})
    assert first.session.established
    assert not second.session.established


def test_reason_and_message(offered: Offered) -> None:
    joe = offered.user("joe")
    call(offered.backend(), KILL, authid="joe", reason="com.example.moved", message="go elsewhere")
    assert joe.heard() == [[6, {"message": "go elsewhere"}, "com.example.moved"]]


def test_who_was_ended_gets_nothing_more(offered: Offered) -> None:
    joe, backend = offered.user("joe"), offered.backend()
    subscribe(joe, "organization.7")
    call(backend, KILL, authid="joe")
    backend.ask(16, {}, "organization.7", ["text"])
    assert [message[0] for message in joe.heard()] == [6]
    assert joe.ask(32, {}, "organization.7") == []


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"authid": "joe", "organization": "7"},
        {"authid": 7},
        {"authid": None},
        {"authid": ["joe"]},
        {"user": "joe"},
        {"authid": "joe", "reason": "no uri"},
        {"authid": "joe", "reason": 7},
        {"authid": "joe", "message": 7},
    ],
)
def test_arguments_that_name_no_one(offered: Offered, arguments: dict[str, Any]) -> None:
    joe = offered.user("joe")
    assert call(offered.backend(), KILL, **arguments) == "wamp.error.invalid_argument"
    assert joe.session.established


def test_a_member_ends_no_one(offered: Offered) -> None:
    joe, ann = offered.user("joe"), offered.user("ann")
    assert call(joe, KILL, authid="ann") == "wamp.error.not_authorized"
    assert ann.session.established
