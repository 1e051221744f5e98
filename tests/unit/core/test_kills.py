"""Ending sessions from inside: by user, by session, and by what they subscribe to."""

from __future__ import annotations

import pytest
from unit.procedures.offered import Offered, subscribe

from wampgate.core.kills import Kills


@pytest.fixture
def offered() -> Offered:
    return Offered()


def kills(offered: Offered) -> Kills:
    return Kills(offered.under_test.realm)


def test_by_session(offered: Offered) -> None:
    joe, ann = offered.user("joe"), offered.user("ann")
    assert kills(offered).end("session", str(joe.session.id)) == 1
    assert kills(offered).end("session", "1") == 0
    assert not joe.session.established
    assert ann.session.established
    assert joe.heard()[0][2] == "wamp.close.killed"


def test_a_user_is_no_principal_of_the_configuration(offered: Offered) -> None:
    """An authid is any session's; who is named by Redis can only be a user of the store."""
    joe, backend = offered.user("joe"), offered.backend()
    assert kills(offered).end("user", "backend") == 0
    assert backend.session.established
    assert kills(offered).end("user", "joe") == 1
    assert not joe.session.established


def test_by_subscription(offered: Offered) -> None:
    joe, ann, backend = offered.user("joe"), offered.user("ann"), offered.backend()
    subscribe(joe, "organization.7")
    subscribe(ann, "com.example.other")
    backend.ask(32, {"match": "prefix"}, "organization.")
    assert kills(offered).end_subscribers("organization.7", "exact") == 1
    assert not joe.session.established
    assert ann.session.established
    assert backend.session.established, "who subscribes to more than the room lives on"


def test_by_all_subscriptions_below_a_prefix(offered: Offered) -> None:
    peers = [offered.user("joe") for _ in range(4)]
    for peer, (topic, match) in zip(
        peers,
        (
            ("organization.7.", "prefix"),
            ("organization.7.news", "exact"),
            ("organization.7", "exact"),
            ("organization.8.", "prefix"),
        ),
        strict=True,
    ):
        (answer,) = peer.ask(32, {"match": match}, topic)
        assert answer[0] == 33
    assert kills(offered).end_subscribers("organization.7.", "prefix") == 2
    assert [peer.session.established for peer in peers] == [False, False, True, True]


def test_organizations_of_signed_tokens_only_where_nobody_else_knows(offered: Offered) -> None:
    joe = offered.user("joe")
    assert kills(offered).end("organization", "7") == 0
    assert Kills(offered.under_test.realm, offered.standing.belongs).end("organization", "7") == 1
    assert not joe.session.established
