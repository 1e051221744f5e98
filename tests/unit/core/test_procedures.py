"""``wampgate.publish``: authorized, narrowed and disclosed as its caller, whatever the caller claims."""

from __future__ import annotations

from typing import Any

import pytest
from unit.core.routed import Peer, RealmUnderTest, Routed
from unit.core.test_publishing import error, events, subscribed

from wampgate.wire.messages import MAX_ID

TOPIC = "com.example.topic"


@pytest.fixture
def routed() -> Routed:
    return Routed()


@pytest.fixture
def member(routed: Routed) -> Peer:
    return routed.peer().join(routed.realm.add_user("joe", "7"))


def publish(peer: Peer, *args: Any, **kwargs: Any) -> list[Any]:
    return peer.ask(48, {}, "wampgate.publish", list(args), kwargs)


def test_it_publishes_and_tells_the_publication(routed: Routed, member: Peer) -> None:
    peer = routed.peer().join()
    subscription = subscribed(peer)
    ((code, request, details, args),) = publish(member, TOPIC, ["hello"], {"k": 1})
    assert (code, request, details) == (50, 1, {})
    assert 1 <= args[0] <= MAX_ID
    assert peer.heard() == [[36, subscription, args[0], {}, ["hello"], {"k": 1}]]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((TOPIC,), {}),
        ((TOPIC, []), {}),
        ((TOPIC, None, None, None), {}),
        ((TOPIC, [], {}, {}), {}),
        ((), {"topic": TOPIC}),
        ((TOPIC,), {"args": [], "kwargs": {}, "options": {}}),
    ],
)
def test_arguments_by_position_and_by_name(
    routed: Routed, member: Peer, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    peer = routed.peer().join()
    subscribed(peer)
    assert publish(member, *args, **kwargs)[0][0] == 50
    assert [event[2] for event in events(peer)] == [[]]


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((), {}, "wamp.error.invalid_argument"),
        ((5,), {}, "wamp.error.invalid_argument"),
        ((None,), {}, "wamp.error.invalid_argument"),
        ((TOPIC, {}), {}, "wamp.error.invalid_argument"),
        ((TOPIC, "text"), {}, "wamp.error.invalid_argument"),
        ((TOPIC, [], []), {}, "wamp.error.invalid_argument"),
        ((TOPIC, [], {}, "x"), {}, "wamp.error.invalid_argument"),
        ((TOPIC, [], {}, {"exclude_me": "yes"}), {}, "wamp.error.invalid_argument"),
        ((TOPIC, [], {}, {"eligible": 5}), {}, "wamp.error.invalid_argument"),
        ((TOPIC, [], {}, {}, {}), {}, "wamp.error.invalid_argument"),
        ((TOPIC,), {"topic": TOPIC}, "wamp.error.invalid_argument"),
        ((TOPIC,), {"unknown": 1}, "wamp.error.invalid_argument"),
        (("not a uri",), {}, "wamp.error.invalid_uri"),
        (("a..b",), {}, "wamp.error.invalid_uri"),
        (("com.forbidden",), {}, "wamp.error.not_authorized"),
        (("organization.7",), {}, "wamp.error.not_authorized"),
        (("wamp.session.on_join",), {}, "wamp.error.not_authorized"),
        (("wampgate.revoked",), {}, "wamp.error.not_authorized"),
        (("com.example.closed.x",), {}, "wamp.error.not_authorized"),
        (("com.example.secret.x", [], {}, {"disclose_me": True}), {}, "wamp.error.option_disallowed.disclose_me"),
    ],
)
def test_what_is_refused(member: Peer, args: tuple[Any, ...], kwargs: dict[str, Any], reason: str) -> None:
    heard = publish(member, *args, **kwargs)
    assert error([heard[0][:5]], 48, 1) == reason
    assert isinstance(heard[0][5][0], str)
    assert not member.session.calls


def test_who_may_not_call_it_does_not(routed: Routed) -> None:
    guest = routed.peer().join()
    assert error(publish(guest, TOPIC), 48, 1) == "wamp.error.not_authorized"


def test_the_caller_is_the_publisher(routed: Routed, member: Peer) -> None:
    subscribed(member)
    other = routed.peer().join()
    subscribed(other)
    publish(member, TOPIC, [1])
    assert len(events(other)) == 1
    heard = publish(member, TOPIC, [2], {}, {"exclude_me": False, "disclose_me": True})
    assert [message[0] for message in heard] == [36, 50]
    assert events(other)[0][1] == {
        "publisher": member.session.id,
        "publisher_authid": "joe",
        "publisher_authrole": "member",
    }
    publish(member, TOPIC, [3], {}, {"eligible_authid": ["nobody"]})
    assert events(other) == []


def test_a_caller_that_left_publishes_nothing() -> None:
    routed = Routed(RealmUnderTest(authorizer=Later))
    caller = routed.peer().join(routed.realm.add_user("joe", "7"))
    peer = routed.peer().join()
    subscribed(peer)
    assert publish(caller, TOPIC, ["too late"]) == []
    caller.leave()
    later: Any = routed.realm.realm._authorizer
    later.asked.pop().resolve(later.yes)
    routed.flush()
    assert peer.heard() == []
    peer.leave()
    assert routed.is_empty()


@pytest.mark.parametrize(("answer", "reason"), [("no", "not_authorized"), ("failed", "authorization_failed")])
def test_a_decision_that_comes_later_counts(answer: str, reason: str) -> None:
    routed = Routed(RealmUnderTest(authorizer=Later))
    caller = routed.peer().join(routed.realm.add_user("joe", "7"))
    assert publish(caller, TOPIC) == []
    later: Any = routed.realm.realm._authorizer
    later.asked.pop().resolve(getattr(later, answer))
    routed.flush()
    (heard,) = caller.heard()
    assert heard[4] == f"wamp.error.{reason}"


class Later:
    """An authorizer that never knows at once whether one may publish."""

    def __init__(self, authorizer: Any) -> None:
        from wampgate.core.decisions import Decision

        self.authorizer = authorizer
        self.asked: list[Any] = []
        self.yes = Decision(True, "at last")
        self.no = Decision(False, "at last")
        self.failed = Decision(False, "nobody knows", failed=True)

    def authorize(self, who: Any, action: Any, uri: str, match: Any) -> Any:
        """See :class:`wampgate.core.interfaces.Authorizer`."""
        from wampgate.core.decisions import Pending

        if action == "publish":
            self.asked.append(Pending())
            return self.asked[-1]
        return self.authorizer.authorize(who, action, uri, match)
