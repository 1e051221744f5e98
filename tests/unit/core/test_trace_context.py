"""A trace's context goes from who publishes or calls to who receives, if it is of W3C's form; nothing else does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.core.routed import RealmUnderTest, Routed

from wampgate.core.trace_context import trace_context
from wampgate.wire.messages import Event, EventDetails, Invocation, InvocationDetails, PublishOptions
from wampgate.wire.payload import NO_PAYLOAD
from wampgate.wire.serializers import CBOR, JSON, MSGPACK

if TYPE_CHECKING:
    from unit.core.routed import Peer

    from wampgate.wire.serializers import Serializer

PARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE: Final = "vendor=value,other=more"
CONTEXT: Final = {"_traceparent": PARENT, "_tracestate": STATE}

TOPIC: Final = "com.example.topic"

WRONG: Final = [
    "",
    "00",
    PARENT.upper(),
    PARENT[:-1],
    f"{PARENT}-more",
    f"{PARENT}\n",
    PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
    PARENT.replace("00f067aa0ba902b7", "0" * 16),
    f"ff{PARENT[2:]}",
    "<script>alert(1)</script>",
]


def joined() -> tuple[Routed, Peer, Peer]:
    realm = RealmUnderTest()
    routed = Routed(realm)
    tokens = [realm.add_user(user) for user in ("ann", "ben")]
    first, second = [routed.peer().join(token) for token in tokens]
    routed_answers(routed, first, second)
    return routed, first, second


def routed_answers(routed: Routed, *peers: Peer) -> None:
    """Let the store answer those who join."""
    while routed.waiting:
        routed.answer()
    for peer in peers:
        peer.heard()


def test_an_event_carries_what_its_publisher_said() -> None:
    _, publisher, subscriber = joined()
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(16, CONTEXT, TOPIC, [1])
    assert subscriber.heard()[0][3:] == [CONTEXT, [1]]


def test_an_event_of_a_pattern_carries_it_beside_the_topic() -> None:
    _, publisher, subscriber = joined()
    subscriber.ask(32, {"match": "prefix"}, "com.example.t")
    publisher.ask(16, {"_traceparent": PARENT}, TOPIC)
    assert subscriber.heard()[0][3] == {"topic": TOPIC, "_traceparent": PARENT}


def test_an_invocation_carries_what_its_caller_said() -> None:
    _, caller, callee = joined()
    callee.ask(64, {}, "com.example.procedure")
    caller.ask(48, CONTEXT, "com.example.procedure", ["x"])
    assert callee.heard()[0][3:] == [CONTEXT, ["x"]]


def test_more_of_a_progressive_call_carries_it_too() -> None:
    realm = RealmUnderTest()
    routed = Routed(realm)
    features = {"features": {"progressive_call_invocations": True, "call_canceling": True}}
    roles = {"caller": features, "callee": features}
    caller, callee = [routed.peer().join(realm.add_user(user), roles=roles) for user in ("ann", "ben")]
    routed_answers(routed, caller, callee)
    callee.ask(64, {}, "com.example.procedure")
    caller.ask(48, {"progress": True, **CONTEXT}, "com.example.procedure", [1])
    caller.say(48, caller.request, {"progress": False}, "com.example.procedure", [2])
    assert [invocation[3].get("_traceparent") for invocation in callee.heard()] == [PARENT, PARENT]


@pytest.mark.parametrize("parent", WRONG)
def test_what_is_not_of_the_form_stays_behind(parent: str) -> None:
    _, publisher, subscriber = joined()
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(16, {"_traceparent": parent, "_tracestate": STATE}, TOPIC, [1])
    assert subscriber.heard()[0][3:] == [{}, [1]]


def test_a_state_that_is_too_long_or_not_printable_stays_behind_alone() -> None:
    assert trace_context(PARENT, "x" * 513) == (PARENT, None)
    assert trace_context(PARENT, "a=\x1b[31m") == (PARENT, None)
    assert trace_context(PARENT, "x" * 512) == (PARENT, "x" * 512)


def test_a_publication_by_call_belongs_to_the_trace_of_the_call() -> None:
    realm = RealmUnderTest()
    routed = Routed(realm)
    publisher, subscriber = routed.peer().join("the ticket of backend"), routed.peer().join(realm.add_user("ann"))
    routed_answers(routed, publisher, subscriber)
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(48, CONTEXT, "wampgate.publish", [TOPIC, [1]])
    assert subscriber.heard()[-1][3:] == [CONTEXT, [1]]


def test_its_own_options_go_before_the_trace_of_the_call() -> None:
    realm = RealmUnderTest()
    routed = Routed(realm)
    publisher, subscriber = routed.peer().join("the ticket of backend"), routed.peer().join(realm.add_user("ann"))
    routed_answers(routed, publisher, subscriber)
    subscriber.ask(32, {}, TOPIC)
    other = PARENT.replace("4bf9", "4bfa")
    publisher.ask(48, CONTEXT, "wampgate.publish", [TOPIC, [1], {}, {"_traceparent": other}])
    assert subscriber.heard()[-1][3] == {"_traceparent": other}


@pytest.mark.parametrize("serializer", [JSON, MSGPACK, CBOR], ids=["json", "msgpack", "cbor"])
def test_every_serializer_has_the_custom_attributes_under_their_names(serializer: Serializer) -> None:
    for message in (
        Event(1, 2, EventDetails(traceparent=PARENT, tracestate=STATE)),
        Invocation(1, 2, InvocationDetails(traceparent=PARENT, tracestate=STATE)),
    ):
        data = serializer.encode(message, NO_PAYLOAD)
        again, _ = serializer.decode(data)
        assert again.details == message.details
        assert b"_traceparent" in data


def test_options_take_them_from_json() -> None:
    message, _ = JSON.decode(json.dumps([16, 1, CONTEXT, TOPIC]).encode())
    assert message.options == PublishOptions(traceparent=PARENT, tracestate=STATE)


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    found = trace_context(text, text)
    assert found is None or found.parent == text
