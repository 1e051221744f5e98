"""Testaments: added, bounded, read when their session has gone, by the rights of that moment ("Session Testament")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from unit.core.routed import rule
from unit.procedures.observed import META, Listener, Observed, call, subscribe

from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rules
from wampgate.authorization.templates import TopicTemplate
from wampgate.core.buckets import Buckets, Rates
from wampgate.core.limits import SessionLimits
from wampgate.core.topics import HistoryOptions, TopicOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.routed import Peer

ADD = "wamp.session.add_testament"
FLUSH = "wamp.session.flush_testaments"
TOPIC = "com.example.left"
DENIED = "(wamp.error.not_authorized)"
BAD = "(wamp.error.invalid_argument)"
FULL = "(wampgate.error.limit_exceeded)"

MEMBERS_PUBLISH = TopicTemplate.parse("room.{organization}", below=True, actions=("subscribe", "publish"))


def with_rooms(authorizer: OrganizationAuthorizer) -> OrganizationAuthorizer:
    """The same, where members of an organization may publish in its room."""
    rules = Rules((*authorizer._rules._rules, rule("backend", ("subscribe",), "room.", "prefix")))
    return OrganizationAuthorizer(rules, authorizer._memberships, templates=[MEMBERS_PUBLISH])


@pytest.fixture
def observed() -> Observed:
    return Observed(rules=META, authorizer=with_rooms)


def heard(listener: Listener) -> list[list[Any]]:
    return [args for _, args in listener.heard()]


# --- what is published ---


def test_a_testament_is_read_when_its_session_is_gone(observed: Observed) -> None:
    ears = Listener(observed.backend(), TOPIC)
    joe = observed.user("joe")
    assert call(joe, ADD, TOPIC, ["Seeya!"], {"my_name": "app1"}) is None
    assert ears.heard() == []
    joe.leave()
    (event,) = ears.peer.messages[-1:]
    assert event[0] == 36
    assert event[3:] == [{}, ["Seeya!"], {"my_name": "app1"}]
    assert len(observed.realm.testaments) == 0
    assert observed.realm.counters["testaments_published"] == 1


@pytest.mark.parametrize(
    "end",
    [
        lambda observed, peer: peer.leave(),
        lambda observed, peer: peer.say(6, {}, "wamp.close.close_realm"),
        lambda observed, peer: peer.say(3, {}, "wamp.close.aborted"),
        lambda observed, peer: peer.say(1, "realm1", {"roles": {"caller": {}}}),
        lambda observed, peer: observed.routed.router.goodbye(peer.session, "wamp.close.killed", None),
        lambda observed, peer: observed.routed.router.shut(peer.session, 1013, "com.example.tired"),
        lambda observed, peer: observed.under_test.memory.remove_token("the token of joe"),
    ],
    ids=["connection lost", "GOODBYE", "ABORT", "violation", "killed", "shut", "token revoked"],
)
def test_however_it_ends(observed: Observed, end: Callable[[Observed, Peer], object]) -> None:
    ears = Listener(observed.backend(), TOPIC)
    joe = observed.user("joe")
    call(joe, ADD, TOPIC, ["joe"], {})
    end(observed, joe)
    assert heard(ears) == [["joe"]]


def test_those_for_detaching_come_first_and_each_in_order(observed: Observed) -> None:
    ears = Listener(observed.backend(), TOPIC)
    joe = observed.user("joe")
    for number in range(3):
        call(joe, ADD, TOPIC, ["destroyed", number], {})
        call(joe, ADD, TOPIC, ["detached", number], {}, scope="detached")
    joe.leave()
    assert heard(ears) == [[scope, number] for scope in ("detached", "destroyed") for number in range(3)]


def test_before_it_is_told_that_the_session_has_left_and_behind_all_else_of_it(observed: Observed) -> None:
    ears = Listener(observed.backend(), TOPIC, "wamp.session.on_leave", "wamp.subscription.on_delete")
    joe = observed.user("joe")
    subscribe(joe, "organization.7")
    call(joe, ADD, TOPIC, ["joe"], {})
    joe.leave()
    assert [topic for topic, _ in ears.heard()] == ["subscription.on_delete", TOPIC, "session.on_leave"]


def test_the_session_itself_receives_nothing(observed: Observed) -> None:
    joe = observed.user("joe")
    subscribe(joe, TOPIC)
    call(joe, ADD, TOPIC, ["joe"], {}, publish_options={"exclude_me": False})
    joe.heard()
    assert joe.say(6, {}, "wamp.close.close_realm") == [[6, {}, "wamp.close.goodbye_and_out"]]


def test_publish_options_hold(observed: Observed) -> None:
    backend, ann, guest = observed.backend(), observed.user("ann"), observed.guest()
    ears = {name: Listener(peer, TOPIC) for name, peer in (("backend", backend), ("ann", ann), ("guest", guest))}
    joe = observed.user("joe")
    for name, options in (
        ("one", {"exclude": [ann.session.id], "acknowledge": True}),
        ("two", {"eligible_authrole": ["guest", "backend"]}),
        ("three", {"exclude_authid": ["backend"], "eligible": [ann.session.id, backend.session.id]}),
    ):
        assert call(joe, ADD, TOPIC, [name], {}, publish_options=options) is None
    joe.leave()
    assert {name: [args[0] for args in heard(listener)] for name, listener in ears.items()} == {
        "backend": ["one", "two"],
        "ann": ["three"],
        "guest": ["one", "two"],
    }


def test_the_publisher_is_disclosed_if_it_asks(observed: Observed) -> None:
    ears = Listener(observed.backend(), TOPIC)
    joe = observed.user("joe")
    call(joe, ADD, TOPIC, ["joe"], {}, publish_options={"disclose_me": True})
    joe.leave()
    assert ears.peer.messages[-1][3] == {
        "publisher": joe.session.id,
        "publisher_authid": "joe",
        "publisher_authrole": "member",
    }
    ann = observed.user("ann")
    refused = call(ann, ADD, "com.example.secret.x", ["ann"], {}, publish_options={"disclose_me": True})
    assert refused == "(wamp.error.option_disallowed.disclose_me)"


def test_a_sealed_payload_tells_how_it_is_packed(observed: Observed) -> None:
    ears = Listener(observed.backend(), TOPIC)
    joe = observed.user("joe")
    call(joe, ADD, TOPIC, ["\0AAEC"], {}, publish_options={"ppt_scheme": "x_my", "ppt_cipher": "aes256gcm"})
    joe.leave()
    assert ears.peer.messages[-1][3:] == [{"ppt_scheme": "x_my", "ppt_cipher": "aes256gcm"}, ["\0AAEC"]]


def test_it_is_a_publication_like_any_other_for_the_history() -> None:
    keep = TopicOptions("com.example.", "prefix", history=HistoryOptions())
    observed = Observed(topics=[keep])
    backend = observed.backend()
    subscription = subscribe(backend, TOPIC)
    joe = observed.user("joe")
    call(joe, ADD, TOPIC, ["joe"], {})
    joe.leave()
    answers = backend.ask(48, {}, "wamp.subscription.get_events", [subscription])
    (answer,) = [message for message in answers if message[0] == 50]
    assert [event["args"] for event in answer[3]] == [["joe"]]


# --- flushing ---


def test_flush_by_scope(observed: Observed) -> None:
    ears = Listener(observed.backend(), TOPIC)
    joe, ann = observed.user("joe"), observed.user("ann")
    for scope in ("destroyed", "destroyed", "detached"):
        call(joe, ADD, TOPIC, [scope], {}, scope=scope)
    call(ann, ADD, TOPIC, ["ann"], {})
    assert call(joe, FLUSH) == 2
    assert call(joe, FLUSH) == 0
    joe.leave()
    assert heard(ears) == [["detached"]]
    assert call(ann, FLUSH, scope="detached") == 0
    assert call(ann, FLUSH, "destroyed") == 1
    ann.leave()
    assert heard(ears) == []
    assert len(observed.realm.testaments) == 0


def test_what_was_flushed_gives_its_place_back(observed: Observed) -> None:
    joe = observed.user("joe")
    for _ in range(10):
        assert call(joe, ADD, TOPIC) is None
    assert call(joe, ADD, TOPIC) == FULL
    assert call(joe, FLUSH) == 10
    assert call(joe, ADD, TOPIC) is None


# --- bounds ---


def test_no_more_than_there_may_be() -> None:
    observed = Observed(limits=SessionLimits(testaments=2, testament_bytes=2_000))
    joe, ann = observed.user("joe"), observed.user("ann")
    assert call(joe, ADD, TOPIC, ["x"], {}) is None
    assert call(joe, ADD, TOPIC, ["x"], {}, scope="detached") is None
    assert call(joe, ADD, TOPIC, ["x"], {}) == FULL
    assert observed.realm.counters["limit_testaments_per_session"] == 1
    assert call(ann, ADD, TOPIC, ["x" * 1_000], {}) is None
    assert call(ann, ADD, TOPIC, ["x" * 1_000], {}) == FULL
    assert call(ann, ADD, TOPIC, [], {}, publish_options={"eligible": list(range(1, 1_000))}) == FULL
    assert observed.realm.counters["limit_testament_bytes_per_session"] == 2


def test_they_count_as_publications(observed: Observed) -> None:
    """One that is added is published at most once: so a rate that bounds publications bounds what is left."""
    buckets = Buckets(session=Rates(publishes=2), burst_seconds=1.0, now=observed.routed.clock)
    observed.realm.requests.buckets = buckets
    joe = observed.user("joe")
    assert [call(joe, ADD, TOPIC) for _ in range(3)] == [None, None, FULL]
    assert observed.realm.counters["limit_publishes_per_second_per_session"] == 1


def test_none_at_all() -> None:
    observed = Observed(limits=SessionLimits(testaments=0))
    assert call(observed.user("joe"), ADD, TOPIC) == FULL


@pytest.mark.parametrize(
    ("args", "kwargs", "error"),
    [
        ([], {}, BAD),
        ([5], {}, BAD),
        ([TOPIC, {}], {}, BAD),
        ([TOPIC, [], []], {}, BAD),
        ([TOPIC], {"scope": "someday"}, BAD),
        ([TOPIC], {"scope": 5}, BAD),
        ([TOPIC], {"publish_options": []}, BAD),
        ([TOPIC], {"publish_options": {"exclude": "all"}}, BAD),
        ([TOPIC], {"publish_options": {"eligible": [0]}}, BAD),
        ([TOPIC], {"when": "now"}, BAD),
        (["com..x"], {}, "(wamp.error.invalid_uri)"),
    ],
)
def test_arguments_that_are_none(observed: Observed, args: list[Any], kwargs: dict[str, Any], error: str) -> None:
    joe = observed.user("joe")
    assert call(joe, ADD, *args, **kwargs) == error
    assert call(joe, FLUSH, scope="never") == BAD
    assert len(observed.realm.testaments) == 0


# --- rights ---


@pytest.mark.parametrize("topic", ["organization.7", "room.8", "com.elsewhere", "wamp.session.on_leave", "wampgate.x"])
def test_what_one_may_not_publish_one_may_not_leave(observed: Observed, topic: str) -> None:
    ann = observed.user("ann")
    assert call(ann, ADD, topic, ["forged"], {}) == DENIED
    assert observed.guest().ask(48, {}, ADD, [topic])[0][4] == "wamp.error.not_authorized"
    assert len(observed.realm.testaments) == 0


def test_rights_that_ended_meanwhile_are_asked_again(observed: Observed) -> None:
    """It may be added by a member; who is none any more when its session ends publishes nothing."""
    ears = Listener(observed.backend(), "room.7", "room.8")
    joe = observed.user("joe")
    for topic in ("room.7", "room.8"):
        assert call(joe, ADD, topic, [topic], {}) is None
    observed.under_test.memory.remove_membership("joe", "8")
    joe.leave()
    assert heard(ears) == [["room.7"]]
    (fields,) = (fields for event, fields in observed.routed.records if event == "testament_refused")
    assert fields == {"uri": "room.8", "because": "not a member of 8"}
    assert observed.realm.counters["testaments_refused"] == 1


def test_a_user_who_is_gone_publishes_nothing_any_more(observed: Observed) -> None:
    """The token and the membership end together: what the token's session left is the user's to publish no more."""
    ears = Listener(observed.backend(), "room.7")
    ann = observed.user("ann")
    call(ann, ADD, "room.7", ["ann"], {})
    observed.under_test.store.slow = True
    observed.under_test.memory.remove_membership("ann", "7")
    observed.under_test.memory.remove_token("the token of ann")
    observed.under_test.store.slow = False
    while observed.routed.waiting:
        observed.routed.answer()
    assert not ann.session.established
    assert heard(ears) == []


@pytest.mark.parametrize(
    ("reason", "published"),
    [
        ("wampgate.close.token_revoked", []),
        ("wampgate.close.token_expired", []),
        ("wamp.close.killed", [["joe"]]),
    ],
)
def test_what_a_signed_token_says_ends_with_it(observed: Observed, reason: str, published: list[Any]) -> None:
    """Its organizations are no row that could be asked for again."""
    ears = Listener(observed.backend(), "room.99")
    joe = observed.user("joe")
    joe.session.principal = replace(joe.session.principal, organizations={"99": ""})
    assert call(joe, ADD, "room.99", ["joe"], {}) is None
    observed.routed.router.goodbye(joe.session, reason, "")
    assert heard(ears) == published


def test_a_store_that_is_slow_is_waited_for_in_order(observed: Observed) -> None:
    ears = Listener(observed.backend(), "room.7", TOPIC)
    joe = observed.user("joe")
    for topic in ("room.7", TOPIC, "room.7"):
        call(joe, ADD, topic, [topic], {})
    observed.routed.pass_time(6)
    observed.under_test.store.slow = True
    joe.leave()
    assert ears.heard() == []
    while observed.routed.waiting:
        observed.routed.answer()
    assert heard(ears) == [["room.7"], [TOPIC], ["room.7"]]


def test_where_nothing_can_be_decided_nothing_is_published(observed: Observed) -> None:
    ears = Listener(observed.backend(), "room.7", TOPIC)
    joe = observed.user("joe")
    call(joe, ADD, "room.7", ["room"], {})
    call(joe, ADD, TOPIC, ["topic"], {})
    observed.routed.pass_time(6)
    observed.under_test.memory.go_down()
    joe.leave()
    assert heard(ears) == [["topic"]]
    (fields,) = (fields for event, fields in observed.routed.records if event == "testament_refused")
    assert fields["uri"] == "room.7"


def test_adding_waits_for_a_slow_store_and_comes_too_late_for_a_session_that_has_left(observed: Observed) -> None:
    ears = Listener(observed.backend(), "room.7")
    joe, ann = observed.user("joe"), observed.user("ann")
    observed.routed.pass_time(6)
    observed.under_test.store.slow = True
    assert joe.ask(48, {}, ADD, ["room.7", ["joe"]]) == []
    assert ann.ask(48, {}, ADD, ["room.7", ["ann"]]) == []
    ann.leave()
    observed.under_test.store.slow = False
    while observed.routed.waiting:
        observed.routed.answer()
    assert joe.heard() == [[50, joe.request, {}]]
    assert len(observed.realm.testaments) == 1
    joe.leave()
    assert heard(ears) == [["joe"]]


# --- everyone is sent away ---


def test_at_a_shutdown_only_what_is_kept_or_led_out_hears_of_it() -> None:
    keep = TopicOptions("com.example.", "prefix", history=HistoryOptions())
    observed = Observed(topics=[keep])
    realm = observed.realm
    led_out: list[Any] = []
    outlet = observed.routed.peer()
    outlet.join("the ticket of backend")
    realm.broker.lead_out(outlet.session, TOPIC, "exact", lambda *args: led_out.append(args))
    ears = Listener(observed.backend(), TOPIC, "wamp.session.on_leave", "wamp.subscription.on_delete")
    joe = observed.user("joe")
    subscribe(joe, TOPIC)
    call(joe, ADD, TOPIC, ["joe"], {})
    realm.clear()
    observed.routed.router.shut(joe.session, 1012, "wamp.close.system_shutdown")
    assert ears.heard() == []
    assert len(led_out) == 1
    assert realm.history is not None
    assert [event.topic for event in realm.history.window(TOPIC, "exact").after(0)] == [TOPIC]
