"""WAMP Advanced Profile, "Session Testament", on a running router over every serializer and transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conformance.watching import watched_configuration
from raw_wamp import WampError, random_name
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Wamp

ADD, FLUSH = "wamp.session.add_testament", "wamp.session.flush_testaments"


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with RouterProcess(watched_configuration()) as process:
        yield process


def args_of(peer: Wamp) -> list[Any]:
    return [event[4] for event in peer.events()]


def test_the_dealer_announces_it(alice: Wamp) -> None:
    assert alice.welcome["roles"]["dealer"]["features"]["testament_meta_api"] is True


def test_a_testament_is_published_when_the_session_ends(carol: Wamp, enter: Callable[..., Wamp]) -> None:
    topic = random_name()
    subscription = carol.subscribe(topic)
    alice = enter("alice")
    result = alice.result(alice.start_call(ADD, [topic, ["Seeya!"], {"my_name": "app1"}]))
    assert result[3:] in ([], [[]], [[], {}])
    assert carol.events() == []
    alice.leave()
    (event,) = carol.events()
    assert [event[1], *event[3:]] == [subscription, {}, ["Seeya!"], {"my_name": "app1"}]


def test_and_when_its_connection_is_lost(carol: Wamp, enter: Callable[..., Wamp]) -> None:
    topic = random_name()
    carol.subscribe(topic)
    alice = enter("alice")
    alice.call(ADD, [topic, ["lost"], {}])
    alice.close()
    # The router hears of it on its own time.
    assert carol.event()[4] == ["lost"]


def test_and_when_it_is_killed(carol: Wamp, enter: Callable[..., Wamp]) -> None:
    topic = random_name()
    carol.subscribe(topic)
    alice = enter("alice")
    alice.call(ADD, [topic, ["killed"], {}])
    carol.call("wamp.session.kill", [alice.session])
    assert args_of(carol) == [["killed"]]


def test_detached_before_destroyed_and_each_in_order(carol: Wamp, enter: Callable[..., Wamp]) -> None:
    topic = random_name()
    carol.subscribe(topic)
    alice = enter("alice")
    for number in range(3):
        alice.call(ADD, [topic, ["destroyed", number], {}])
        alice.call(ADD, [topic, ["detached", number], {}], {"scope": "detached"})
    alice.leave()
    assert args_of(carol) == [[scope, number] for scope in ("detached", "destroyed") for number in range(3)]


@pytest.mark.parametrize("flushed", ["detached", "destroyed"])
def test_flushing_one_scope_leaves_the_other(carol: Wamp, enter: Callable[..., Wamp], flushed: str) -> None:
    topic = random_name()
    carol.subscribe(topic)
    alice = enter("alice")
    for scope in ("detached", "destroyed"):
        alice.call(ADD, [topic, [scope], {}], {"scope": scope})
    assert alice.call(FLUSH, [], {"scope": flushed}) == 1
    assert alice.call(FLUSH, [], {"scope": flushed}) == 0
    alice.leave()
    assert args_of(carol) == [["destroyed" if flushed == "detached" else "detached"]]


def test_the_default_scope_is_destroyed(carol: Wamp, enter: Callable[..., Wamp]) -> None:
    topic = random_name()
    carol.subscribe(topic)
    alice = enter("alice")
    alice.call(ADD, [topic, ["one"], {}])
    alice.call(ADD, [topic, ["two"], {}], {"scope": "detached"})
    assert alice.call(FLUSH) == 1
    alice.leave()
    assert args_of(carol) == [["two"]]


def test_publish_options(carol: Wamp, bob: Wamp, enter: Callable[..., Wamp]) -> None:
    topic = random_name()
    for peer in (bob, carol):
        peer.subscribe(topic)
    alice = enter("alice")
    options = {"exclude": [bob.session], "disclose_me": True, "acknowledge": True}
    alice.call(ADD, [topic, ["to carol"], {}], {"publish_options": options})
    alice.leave()
    (event,) = carol.events()
    identity = {"publisher": alice.session, "publisher_authid": "alice", "publisher_authrole": "client"}
    assert event[3:] == [identity, ["to carol"]]
    assert bob.events() == []


def test_a_retained_testament(carol: Wamp, enter: Callable[..., Wamp]) -> None:
    topic = random_name()
    alice = enter("alice")
    alice.call(ADD, [topic, ["offline"], {}], {"publish_options": {"retain": True}})
    alice.leave()
    carol.subscribe(topic, get_retained=True)
    (event,) = carol.events()
    assert event[3:] == [{"retained": True}, ["offline"]]


def test_what_may_not_be_published_may_not_be_left(alice: Wamp) -> None:
    for topic, error in (
        ("organization.7", "wamp.error.not_authorized"),
        ("wamp.session.on_leave", "wamp.error.not_authorized"),
        ("com..x", "wamp.error.invalid_uri"),
    ):
        with pytest.raises(WampError) as refused:
            alice.call(ADD, [topic, [], {}])
        assert refused.value.uri == error
    with pytest.raises(WampError) as refused:
        alice.call(ADD, [random_name(), [], {}], {"scope": "never"})
    assert refused.value.uri == "wamp.error.invalid_argument"
