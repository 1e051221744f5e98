"""Rights that end while a session lives: what is taken away, what is told, and what overlaps with a change."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from unit.core.routed import Peer, RealmUnderTest, Routed, outcome_of

from wampgate.authorization.standing import Standing
from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change
from wampgate.core.session import State

EXPIRED = "wampgate.close.token_expired"
REVOKED = "wampgate.close.token_revoked"


class Standings:
    """A router whose realm's rights are kept current."""

    def __init__(self) -> None:
        self.routed = Routed(RealmUnderTest())
        self.realm = self.routed.realms[0]
        self.memory = self.realm.memory
        self.standing = Standing(
            self.routed.realm.realm,
            self.routed.router,
            self.realm.store,
            self.realm.memberships,
            now=self.routed.clock,
            run=self.routed.run,
        )

    def join(self, token: str, **details: Any) -> Peer:
        return self.routed.peer().join(token, **details)

    def publish(self, topic: str, text: str = "news") -> None:
        backend = self.routed.peer().join("the ticket of backend")
        backend.ask(16, {}, topic, [text])
        backend.leave()


@pytest.fixture
def world() -> Standings:
    world = Standings()
    world.realm.add_user("joe", "7", "8")
    world.realm.add_user("ann", "7")
    return world


def subscribe(peer: Peer, topic: str, **options: Any) -> int:
    (answer,) = peer.ask(32, options, topic)
    assert answer[0] == 33, answer
    return int(answer[2])


def events(peer: Peer) -> list[Any]:
    return [message[4] for message in peer.heard() if message[0] == 36]


def test_an_ended_membership_takes_its_subscriptions_and_no_others(world: Standings) -> None:
    joe, ann = world.join("the token of joe"), world.join("the token of ann")
    for topic in ("organization.7", "organization.8"):
        subscribe(joe, topic)
    subscribe(joe, "organization.7.", match="prefix")
    subscribe(ann, "organization.7")
    world.memory.remove_membership("joe", "7")
    world.publish("organization.7", "seven")
    world.publish("organization.8", "eight")
    assert events(joe) == [["eight"]]
    assert events(ann) == [["seven"]]
    assert joe.session.established


def test_the_session_is_told_in_its_private_topics(world: Standings) -> None:
    joe = world.join("the token of joe")
    revoked = subscribe(joe, "wampgate.revoked")
    changed = subscribe(joe, "wampgate.organizations.changed")
    seven = subscribe(joe, "organization.7")
    world.memory.remove_membership("joe", "7")
    first, second = joe.heard()
    assert first[:2] == [36, revoked]
    assert first[5] == {
        "topic": "organization.7",
        "match": "exact",
        "subscription": seven,
        "reason": "wamp.error.not_authorized",
        "message": "this session may no longer subscribe organization.7",
    }
    assert second[:2] == [36, changed]
    assert second[5] == {"organizations": ["8"], "organization_count": 1, "added": [], "removed": ["7"]}


def test_what_is_private_reaches_one_session_only(world: Standings) -> None:
    joe, ann = world.join("the token of joe"), world.join("the token of ann")
    for peer in (joe, ann):
        subscribe(peer, "wampgate.organizations.changed")
    world.memory.remove_membership("joe", "7")
    assert len(joe.heard()) == 1
    assert ann.heard() == []


def test_private_topics_are_neither_published_to_nor_matched_by_patterns(world: Standings) -> None:
    joe = world.join("the token of joe")
    assert joe.ask(16, {"acknowledge": True}, "wampgate.revoked", [])[0][4] == "wamp.error.not_authorized"
    assert joe.ask(32, {"match": "prefix"}, "wampgate.")[0][4] == "wamp.error.not_authorized"
    backend = world.routed.peer().join("the ticket of backend")
    assert backend.ask(16, {"acknowledge": True}, "wampgate.revoked", [])[0][4] == "wamp.error.not_authorized"


@pytest.mark.parametrize(
    ("features", "agent", "configured", "told"),
    [
        ({}, "", "auto", False),
        ({"subscription_revocation": True}, "", "auto", True),
        ({"subscription_revocation": True}, "AutobahnPython/26.10.2", "auto", False),
        ({"subscription_revocation": "yes"}, "", "auto", False),
        ({}, "", "always", False),
        ({"subscription_revocation": True}, "", "always", True),
        ({"subscription_revocation": True}, "AutobahnPython/26.10.2", "always", True),
        ({"subscription_revocation": True}, "", "never", False),
        ({"subscription_revocation": True}, "AutobahnPython/26.10.2", "never", False),
    ],
)
def test_unsubscribed_goes_to_those_who_understand_it(
    world: Standings,
    features: dict[str, Any],
    agent: str,
    configured: Literal["auto", "always", "never"],
    told: bool,
) -> None:
    world.routed.router._revocation = configured
    peer = world.routed.peer(agent=agent)
    joe = peer.join("the token of joe", roles={"subscriber": {"features": features}})
    seven = subscribe(joe, "organization.7")
    world.memory.remove_membership("joe", "7")
    expected = [[35, 0, {"subscription": seven, "reason": "wamp.error.not_authorized"}]]
    assert joe.heard() == (expected if told else [])


def test_a_new_membership_is_effective_at_once(world: Standings) -> None:
    ann = world.join("the token of ann")
    changed = subscribe(ann, "wampgate.organizations.changed")
    assert ann.ask(32, {}, "organization.8")[0][4] == "wamp.error.not_authorized"
    world.memory.add_membership("ann", "8")
    (event,) = ann.heard()
    assert event[1] == changed
    assert event[5] == {"organizations": ["7", "8"], "organization_count": 2, "added": ["8"], "removed": []}
    subscribe(ann, "organization.8")


def test_a_removed_token_ends_its_session_and_no_other(world: Standings) -> None:
    world.memory.add_token("another of joe", "joe")
    first, second = world.join("the token of joe"), world.join("another of joe")
    world.memory.remove_token("the token of joe")
    assert first.heard() == [[6, {"message": "the token was revoked"}, REVOKED]]
    assert first.session.state is State.CLOSING
    assert second.session.established
    assert second.heard() == []


def test_a_shortened_token_ends_its_session_when_it_says_now(world: Standings) -> None:
    joe = world.join("the token of joe")
    world.memory.add_token("the token of joe", "joe", 30)
    world.routed.pass_time(29)
    assert joe.session.established
    world.routed.pass_time(2)
    assert joe.heard() == [[6, {"message": "the token has expired"}, EXPIRED]]


def test_an_extended_token_lets_its_session_go_on(world: Standings) -> None:
    world.realm.add_user("joe", seconds=100)
    joe = world.join("the token of joe")
    world.memory.add_token("the token of joe", "joe", 1000)
    world.routed.pass_time(500)
    assert joe.session.established


def test_a_session_is_warned_before_its_token_expires(world: Standings) -> None:
    world.realm.add_user("joe", seconds=100)
    joe = world.join("the token of joe")
    expiring = subscribe(joe, "wampgate.auth.expiring")
    world.routed.pass_time(39)
    assert joe.heard() == []
    world.routed.pass_time(2)
    (event,) = joe.heard()
    assert event[1] == expiring
    assert event[5]["seconds"] == pytest.approx(59, abs=1)
    world.routed.pass_time(60)
    assert joe.heard()[0][2] == EXPIRED


def test_a_hint_is_only_a_hint(world: Standings) -> None:
    joe = world.join("the token of joe")
    subscribe(joe, "organization.7")
    world.standing.changed(Change(users=frozenset({"joe", "ann", "nobody"})))
    world.standing.changed(Change(everything=True))
    world.publish("organization.7")
    assert joe.session.established
    assert events(joe) == [["news"]]


def test_a_store_that_is_down_takes_nothing_away_and_gives_nothing(world: Standings) -> None:
    joe = world.join("the token of joe")
    subscribe(joe, "organization.7")
    world.memory.go_down()
    world.memory.remove_membership("joe", "7")
    world.publish("organization.7")
    assert events(joe) == [["news"]]
    world.routed.pass_time(6)  # what was known holds no more
    assert joe.ask(32, {}, "organization.8")[0][4] == "wamp.error.authorization_failed"
    world.memory.come_back()
    world.standing.sweep()
    world.publish("organization.7")
    assert events(joe) == []


def test_what_can_not_be_decided_stays_as_it_is(world: Standings) -> None:
    """Rights are looked through anew, because of a refreshed token say, while the store says nothing."""
    joe = world.join("the token of joe")
    seven = subscribe(joe, "organization.7")
    world.routed.pass_time(60)
    world.memory.go_down()
    joe.heard()
    joe.session.realm.reconsider(joe.session)
    assert joe.heard() == []
    assert seven in (joe.session.subscriptions or {})


def test_a_sweep_finds_what_no_one_told_of(world: Standings) -> None:
    joe, ann = world.join("the token of joe"), world.join("the token of ann")
    subscribe(joe, "organization.7")
    world.memory.watch(lambda _: None)
    world.memory.remove_membership("joe", "7")
    world.memory.remove_token("the token of ann")
    world.publish("organization.7")
    assert events(joe) == [["news"]]
    world.standing.sweep()
    world.publish("organization.7")
    assert events(joe) == []
    assert ann.heard()[0][2] == REVOKED


def test_an_answer_from_before_the_change_grants_nothing(world: Standings) -> None:
    """A SUBSCRIBE waits for the memberships; they change; the old answer arrives."""
    joe = world.join("the token of joe")
    world.routed.pass_time(6)  # what was known holds no more
    world.realm.store.slow = True
    assert joe.ask(32, {}, "organization.7") == []
    assert len(world.routed.waiting) == 1
    question = world.routed.waiting[0][0]
    world.realm.store.remember(question)  # read now, delivered later
    world.realm.store.slow = False
    world.memory.remove_membership("joe", "7")
    world.routed.answer()
    (answer,) = joe.heard()
    assert answer[:2] == [8, 32]
    assert answer[4] == "wamp.error.not_authorized"


def test_an_answer_from_before_a_change_that_no_check_could_follow_grants_nothing(
    world: Standings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, but the store does not answer the check that the change calls for."""

    async def unavailable(_: Any) -> Any:
        raise StoreUnavailable("not now")

    joe = world.join("the token of joe")
    world.routed.pass_time(6)
    world.realm.store.slow = True
    assert joe.ask(32, {}, "organization.7") == []
    world.realm.store.remember(world.routed.waiting[0][0])
    world.realm.store.slow = False
    with monkeypatch.context() as patch:
        patch.setattr(world.realm.store, "look_up_all", unavailable)
        world.memory.remove_membership("joe", "7")
    world.routed.answer()
    assert [message[:1] + message[4:5] for message in joe.heard()] == [[8, "wamp.error.not_authorized"]]


def test_a_request_in_the_inbox_is_decided_by_todays_rights(world: Standings) -> None:
    """The second SUBSCRIBE was decided at once but waits behind the first one."""
    joe = world.join("the token of joe")
    world.routed.pass_time(6)
    world.realm.store.slow = True
    joe.ask(32, {}, "organization.7")
    joe.ask(32, {}, "com.example.open")
    joe.ask(32, {}, "organization.8")
    world.realm.store.slow = False
    world.memory.remove_membership("joe", "8")
    while world.routed.waiting:
        world.routed.answer()
    assert [message[0] for message in joe.heard()] == [33, 33, 8]


def test_what_was_granted_while_it_waits_in_the_inbox_is_granted_no_more(world: Standings) -> None:
    """It was decided when it came, by what a sweep had just learnt; the one before it waits for an answer still."""
    joe = world.join("the token of joe")
    world.routed.pass_time(6)
    world.realm.store.slow = True
    assert joe.ask(32, {}, "organization.7") == []
    world.realm.store.slow = False
    world.standing.sweep()
    assert joe.ask(32, {}, "organization.8") == []
    world.memory.remove_membership("joe", "8")
    while world.routed.waiting:
        world.routed.answer()
    assert [(message[0], message[1]) for message in joe.heard()] == [(33, 1), (8, 32)]


def test_a_change_while_joining_counts(world: Standings) -> None:
    world.realm.store.slow = True
    peer = world.routed.peer()
    peer.hello(authmethods=["ticket"])
    peer.say(5, "the token of joe", {})
    world.routed.answer()  # the token is good
    world.realm.store.slow = False
    world.memory.remove_token("the token of joe")
    world.routed.answer()  # the memberships
    heard = peer.heard()
    assert heard[0][0] == 2
    assert heard[1][2] == REVOKED


def test_nothing_is_kept_of_those_who_left(world: Standings) -> None:
    joe, ann = world.join("the token of joe"), world.join("the token of ann")
    joe.leave()
    ann.leave()
    assert world.routed.realm.realm.sessions_by_user == {}
    assert not world.standing.belongs(joe.session, "7")


def test_belonging(world: Standings) -> None:
    joe = world.join("the token of joe")
    assert world.standing.belongs(joe.session, "7")
    world.memory.remove_membership("joe", "7")
    assert not world.standing.belongs(joe.session, "7")


def test_ten_thousand_are_asked_for_in_batches(world: Standings) -> None:
    for number in range(1200):
        world.realm.add_user(f"u{number}", "7")
        world.join(f"the token of u{number}")
    world.realm.store.asked_all.clear()
    world.standing.sweep()
    assert max(len(batch) for batch in world.realm.store.asked_all) <= 500
    assert sum(len(batch) for batch in world.realm.store.asked_all) == 1200
    assert outcome_of(world.realm.store.memberships("u1"))
