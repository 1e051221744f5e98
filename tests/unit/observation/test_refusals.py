"""The last refusals: whose they are, how many are kept, and that nobody floods another's away."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import Clock, Peer, RealmUnderTest, Routed

from wampgate.observation.refusals import KEPT, SHARE, Refusals


class Refusing:
    """A router of two realms whose records go to :class:`Refusals`."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.refusals = Refusals(self.clock)
        self.one, self.two = RealmUnderTest(), RealmUnderTest("realm2")
        self.routed = Routed(self.one, self.two, guesses=1_000_000)
        for realm in (self.one, self.two):
            realm.realm.record = self.refusals
            realm.add_user("joe", "7")
            realm.add_user("ann", "7")
        self.routed.router._record = self.refusals

    def user(self, name: str, realm: str = "realm1", address: str = "127.0.0.1") -> Peer:
        return self.routed.peer(address).join(f"the token of {name}", realm=realm)

    def recent(self, realm: str = "realm1", limit: int = 1000) -> list[dict[str, Any]]:
        return self.refusals.recent(realm, limit)


@pytest.fixture
def refusing() -> Refusing:
    return Refusing()


def refuse(peer: Peer, number: int) -> None:
    assert peer.ask(32, {}, f"organization.8{number}")[0][0] == 8


def test_what_is_kept_of_a_refusal(refusing: Refusing) -> None:
    joe = refusing.user("joe", address="192.0.2.1")
    refusing.clock.now = 0.25
    joe.ask(32, {"match": "prefix"}, "organization.7")
    assert refusing.recent() == [
        {
            "time": "1970-01-01T00:00:00.250Z",
            "event": "refused",
            "session": joe.session.id,
            "authid": "joe",
            "authrole": "member",
            "peer": "192.0.2.1:50000",
            "action": "subscribe",
            "uri": "organization.7",
            "match": "prefix",
            "because": "no rule allows it",
            "count": 1,
        }
    ]


def test_only_refusals_are_kept(refusing: Refusing) -> None:
    refusing.user("joe").leave()
    assert refusing.recent() == []


def test_newest_first_and_so_many_at_most(refusing: Refusing) -> None:
    joe, ann = refusing.user("joe"), refusing.user("ann")
    for number in range(3):
        refuse(joe, number)
        refuse(ann, number)
    assert [(one["authid"], one["uri"]) for one in refusing.recent(limit=3)] == [
        ("ann", "organization.82"),
        ("joe", "organization.82"),
        ("ann", "organization.81"),
    ]


def test_the_same_again_and_again_is_one(refusing: Refusing) -> None:
    joe = refusing.user("joe")
    for _ in range(5):
        refuse(joe, 1)
    refuse(joe, 2)
    refuse(joe, 1)
    assert [(one["uri"], one["count"]) for one in refusing.recent()] == [
        ("organization.81", 1),
        ("organization.82", 1),
        ("organization.81", 5),
    ]


def test_each_realm_has_its_own(refusing: Refusing) -> None:
    refuse(refusing.user("joe"), 1)
    refuse(refusing.user("joe", "realm2"), 2)
    assert [one["uri"] for one in refusing.recent("realm1")] == ["organization.81"]
    assert [one["uri"] for one in refusing.recent("realm2")] == ["organization.82"]


def test_a_refused_token_is_of_its_realm_and_shows_no_token(refusing: Refusing) -> None:
    peer = refusing.routed.peer()
    peer.hello("realm1", authmethods=["ticket"])
    peer.say(5, "geheim" * 3, {})
    (refusal,) = refusing.recent("realm1")
    assert (refusal["event"], refusal["session"], refusal["authid"]) == ("join_refused", None, None)
    assert "geheim" not in str(refusal)
    assert refusing.recent("realm2") == []


def test_who_named_no_realm_yet_is_seen_from_all(refusing: Refusing) -> None:
    refusing.routed.peer().say(32, 1, {}, "too.early")
    assert [one["event"] for one in refusing.recent("realm1")] == ["violated"]
    assert refusing.recent("realm1") == refusing.recent("realm2")


def test_a_flood_of_one_user_leaves_others_where_they_are(refusing: Refusing) -> None:
    refuse(refusing.user("ann"), 1)
    joe = refusing.user("joe")
    for number in range(1000):
        refuse(joe, number)
    by_authid = [one["authid"] for one in refusing.recent()]
    assert by_authid.count("joe") == SHARE
    assert by_authid.count("ann") == 1


def test_a_flood_of_one_address_under_many_names_leaves_others_where_they_are(refusing: Refusing) -> None:
    refuse(refusing.user("ann"), 1)
    for number in range(1000):
        refuse(refusing.routed.peer("192.0.2.66").join(), number)
    rows = refusing.recent()
    assert sum(one["peer"].startswith("192.0.2.66:") for one in rows) == SHARE
    assert [one["authid"] for one in rows if one["peer"].startswith("127.")] == ["ann"]


def test_a_flood_of_many_addresses_keeps_the_rarer_ones_longest(refusing: Refusing) -> None:
    refuse(refusing.user("ann"), 1)
    for number in range(40 * SHARE):
        refuse(refusing.routed.peer(f"192.0.2.{number % 40}").join(), number)
    rows = refusing.recent()
    assert KEPT <= len(rows) <= 1.2 * KEPT
    assert rows[-1]["authid"] == "ann"


def test_a_uri_is_kept_whole_and_a_long_name_is_cut(refusing: Refusing) -> None:
    name = "x" * 2_000
    refusing.one.add_user(name)
    refusing.user(name).ask(32, {}, "organization." + "x" * 900)
    (refusal,) = refusing.recent()
    assert len(refusal["uri"]) == 913
    assert len(refusal["authid"]) < 400


def test_a_violation_and_a_limit_say_why(refusing: Refusing) -> None:
    joe = refusing.user("joe")
    refusing.refusals("exceeded", joe.session, limit="calls_per_second", count=1)
    joe.say(2, 1, {})
    violation, exceeded = refusing.recent()
    assert violation["event"] == "violated"
    assert "WELCOME" in violation["because"]
    assert exceeded["because"] == "sends more than limits.calls_per_second (1 refused so far)"
