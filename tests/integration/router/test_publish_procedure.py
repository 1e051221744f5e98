"""``wampgate.publish``: its arguments, its rights (the caller's), what it discloses, and the id that it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from raw_wamp import SERIALIZERS, WampError, random_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer

PUBLISH = "wampgate.publish"


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize(
    ("args", "kwargs", "payload"),
    [
        (["T"], {}, []),
        (["T", ["a", 1]], {}, [["a", 1]]),
        (["T", ["a"], {"k": [None]}], {}, [["a"], {"k": [None]}]),
        (["T", [], {"k": 1}, {}], {}, [[], {"k": 1}]),
        (["T", [], {}, {}], {}, []),
        (["T", None, None, None], {}, []),
        ([], {"topic": "T", "args": [1], "kwargs": {"k": 2}, "options": {}}, [[1], {"k": 2}]),
        (["T"], {"kwargs": {"k": 2}}, [[], {"k": 2}]),
        (["T", [1]], {"options": {"acknowledge": True, "unknown_to_us": 1}}, [[1]]),
    ],
)
def test_arguments_come_by_position_or_by_name(
    join: Callable[..., Peer], serializer: str, args: list[Any], kwargs: dict[str, Any], payload: list[Any]
) -> None:
    topic = random_name()
    alice, bob = join("alice", serializer), join("bob")
    subscription = bob.subscribe(topic)
    args = [topic if value == "T" else value for value in args]
    kwargs = {key: topic if value == "T" else value for key, value in kwargs.items()}
    publication = alice.call(PUBLISH, args, kwargs)
    assert bob.events() == [[36, subscription, publication, {}, *payload]]


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ([], "invalid_argument"),
        ([[]], "invalid_argument"),
        ([[7]], "invalid_argument"),
        ([[None]], "invalid_argument"),
        ([[["com.example.t"]]], "invalid_argument"),
        ([["com.example.t", {}]], "invalid_argument"),
        ([["com.example.t", "text"]], "invalid_argument"),
        ([["com.example.t", [], []]], "invalid_argument"),
        ([["com.example.t", [], {}, []]], "invalid_argument"),
        ([["com.example.t", [], {}, {"acknowledge": 1}]], "invalid_argument"),
        ([["com.example.t", [], {}, {"exclude": "all"}]], "invalid_argument"),
        ([["com.example.t", [], {}, {"eligible": [0]}]], "invalid_argument"),
        ([["com.example.t", [], {}, {}, 1]], "invalid_argument"),
        ([["com.example.t"], {"topic": "com.example.u"}], "invalid_argument"),
        ([["com.example.t"], {"tpoic": "com.example.u"}], "invalid_argument"),
        ([[], {"args": [1]}], "invalid_argument"),
        ([["com..t"]], "invalid_uri"),
        ([["com.example.a b"]], "invalid_uri"),
        ([[""]], "invalid_uri"),
        ([["organization.7"]], "not_authorized"),
        ([["com.elsewhere"]], "not_authorized"),
        ([["wamp.session.on_join"]], "not_authorized"),
        ([["wampgate.publish"]], "not_authorized"),
        ([["com.example.secret.t", [], {}, {"disclose_me": True}]], "option_disallowed.disclose_me"),
    ],
)
def test_what_is_wrong_is_an_error(join: Callable[..., Peer], serializer: str, payload: list[Any], error: str) -> None:
    alice = join("alice", serializer)
    with pytest.raises(WampError) as refused:
        alice.call(PUBLISH, *payload)
    assert refused.value.uri == f"wamp.error.{error}"
    assert alice.call(PUBLISH, [random_name()]) > 0


@pytest.mark.parametrize("serializer", ["msgpack", "cbor"])
def test_keys_that_are_no_text_reach_no_one(join: Callable[..., Peer], serializer: str) -> None:
    topic = random_name()
    bob = join("bob")
    bob.subscribe(topic)
    for kwargs in ({1: 2}, {None: 2}, {b"k": 2}):
        alice = join("alice", serializer)
        alice.send(48, 1, {}, PUBLISH, [topic, [], kwargs])
        # JSON has no such keys: "dict with string keys" is all that WAMP knows.
        assert alice.aborted() == ("wamp.error.protocol_violation", 1002)
    assert bob.events() == []


def test_who_may_not_call_it(join: Callable[..., Peer]) -> None:
    guest = join(None)
    with pytest.raises(WampError) as refused:
        guest.call(PUBLISH, [random_name()])
    assert refused.value.uri == "wamp.error.not_authorized"


def test_the_caller_is_the_publisher(join: Callable[..., Peer]) -> None:
    alice, bob = join("alice"), join("bob")
    who = {"publisher": alice.session, "publisher_authid": "alice", "publisher_authrole": "client"}
    open_, plain, secret = random_name("com.example.open"), random_name(), random_name("com.example.secret")
    for topic in (open_, plain, secret):
        bob.subscribe(topic)
    cases: list[tuple[str, dict[str, Any]]] = [(open_, {}), (plain, {}), (plain, {"disclose_me": True}), (secret, {})]
    for topic, options in cases:
        alice.call(PUBLISH, [topic, [], {}, options])
    assert [event[3] for event in bob.events()] == [who, {}, who, {}]


def test_no_one_publishes_under_another_name(join: Callable[..., Peer]) -> None:
    alice, bob = join("alice"), join("bob")
    topic = random_name()
    bob.subscribe(topic)
    forged = {"publisher": bob.session, "publisher_authid": "bob", "publisher_authrole": "backend"}
    alice.call(PUBLISH, [topic, [], {}, forged])
    alice.call(PUBLISH, [topic, [], {}, forged | {"disclose_me": True}])
    alice.publish(topic, [], **forged)
    events = bob.events()
    assert [event[3].get("publisher_authid") for event in events] == [None, "alice", None]


def test_the_caller_does_not_hear_itself_unless_it_wants_to(join: Callable[..., Peer]) -> None:
    alice, bob = join("alice"), join("bob")
    topic = random_name()
    alice.subscribe(topic)
    bob.subscribe(topic)
    first = alice.call(PUBLISH, [topic])
    second = alice.call(PUBLISH, [topic, [], {}, {"exclude_me": False}])
    assert [event[2] for event in alice.events()] == [second]
    assert [event[2] for event in bob.events()] == [first, second]


def test_receivers_can_be_chosen(join: Callable[..., Peer]) -> None:
    alice, bob, carol = join("alice"), join("bob"), join("carol")
    topic = random_name()
    bob.subscribe(topic)
    carol.subscribe(topic)
    choices: list[dict[str, Any]] = [
        {"eligible": [bob.session]},
        {"exclude": [bob.session]},
        {"eligible_authid": ["carol"]},
        {"exclude_authid": ["carol"]},
        {"eligible_authrole": ["nobody"]},
        {"eligible": []},
    ]
    for options in choices:
        alice.call(PUBLISH, [topic, [str(options)], {}, options])
    told = {"bob": [event[4][0] for event in bob.events()], "carol": [event[4][0] for event in carol.events()]}
    assert told == {
        "bob": [str({"eligible": [bob.session]}), str({"exclude_authid": ["carol"]})],
        "carol": [str({"exclude": [bob.session]}), str({"eligible_authid": ["carol"]})],
    }


def test_bytes_arrive_in_each_serialization(join: Callable[..., Peer]) -> None:
    topic = random_name()
    sender, receivers = join("alice", "msgpack"), [join("bob", serializer) for serializer in SERIALIZERS]
    for receiver in receivers:
        receiver.subscribe(topic)
    sender.call(PUBLISH, [topic, [b"\x00\xff"], {"k": [b"\x01"]}])
    assert [receiver.event()[4:] for receiver in receivers] == [
        [["\0AP8="], {"k": ["\0AQ=="]}],
        [[b"\x00\xff"], {"k": [b"\x01"]}],
        [[b"\x00\xff"], {"k": [b"\x01"]}],
    ]
