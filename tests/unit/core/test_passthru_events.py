"""Sealed payloads of events through the router: who may send them, and that they arrive as they were packed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from unit.core.routed import RealmUnderTest, Routed
from unit.procedures.offered import call

from wampgate.core.interfaces import Connection, Principal
from wampgate.core.local import LocalLink
from wampgate.core.session import Session
from wampgate.core.topics import HistoryOptions, TopicOptions
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from unit.core.routed import Peer

TOPIC = "com.example.topic"
SEALED = "\0c2VhbGVk"
"""Binary data in JSON."""

SPECIFIED = {"ppt_scheme": "wamp", "ppt_serializer": "cbor", "ppt_cipher": "xsalsa20poly1305", "ppt_keyid": "GTtQ37="}
AUTOBAHNS = {"enc_algo": "cryptobox", "enc_key": "abc", "enc_serializer": "json"}
VIOLATION = "wamp.error.protocol_violation"


def publisher_of(routed: Routed, feature: str = "payload_passthru_mode", **join: Any) -> Peer:
    roles = {"publisher": {"features": {feature: True}}, "subscriber": {}, "caller": {}}
    return routed.peer().join(roles=roles, **join)


@pytest.fixture
def routed() -> Routed:
    return Routed(RealmUnderTest(topics=[TopicOptions("com.example.kept.", "prefix", history=HistoryOptions())]))


@pytest.mark.parametrize(
    "seal", [SPECIFIED, {"ppt_scheme": "mqtt"}, {"ppt_scheme": "x_own", "ppt_serializer": "native"}]
)
def test_the_attributes_and_the_payload_arrive_untouched(routed: Routed, seal: dict[str, str]) -> None:
    """Also at subscribers that have not announced the feature: that "must be covered at the subscriber side"."""
    publisher, subscriber = publisher_of(routed), routed.peer().join()
    subscriber.ask(32, {}, TOPIC)
    subscriber.ask(32, {"match": "prefix"}, "com.example.")
    assert [message[0] for message in publisher.ask(16, {"acknowledge": True, **seal}, TOPIC, [SEALED])] == [17]
    assert [message[3:] for message in subscriber.heard()] == [
        [seal, [SEALED]],
        [{"topic": TOPIC, **seal}, [SEALED]],
    ]


def test_autobahns_own_attributes_and_its_bare_payload(routed: Routed) -> None:
    publisher, subscriber = publisher_of(routed, "payload_transparency"), routed.peer().join()
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(16, AUTOBAHNS, TOPIC, SEALED)
    assert [message[3:] for message in subscriber.heard()] == [[AUTOBAHNS, SEALED]]


def test_nothing_of_it_clings_to_the_next_event(routed: Routed) -> None:
    publisher, subscriber = publisher_of(routed), routed.peer().join()
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(16, SPECIFIED, TOPIC, [SEALED])
    publisher.ask(16, {}, TOPIC, [1])
    publisher.ask(16, {"ppt_keyid": "no scheme, no seal"}, TOPIC, [2])
    assert [message[3:] for message in subscriber.heard()] == [[SPECIFIED, [SEALED]], [{}, [1]], [{}, [2]]]


@pytest.mark.parametrize("seal", [SPECIFIED, AUTOBAHNS])
def test_who_has_not_announced_it_breaks_the_protocol(routed: Routed, seal: dict[str, str]) -> None:
    subscriber = routed.peer().join()
    subscriber.ask(32, {}, TOPIC)
    silent: list[dict[str, Any]] = [
        {"publisher": {}},
        {"publisher": {"features": {"payload_passthru_mode": False}}},
        {"caller": {}},
    ]
    for roles in silent:
        ((code, _, reason),) = routed.peer().join(roles=roles).ask(16, seal, TOPIC, [SEALED])
        assert (code, reason) == (3, VIOLATION)
    assert subscriber.heard() == []


def test_disclosure_and_lists_hold_as_ever(routed: Routed) -> None:
    joe, ann = (routed.peer().join(routed.realm.add_user(name)) for name in ("joe", "ann"))
    publisher = publisher_of(routed)
    for peer in (joe, ann):
        peer.ask(32, {}, TOPIC)
    publisher.ask(16, {**SPECIFIED, "eligible_authid": ["joe"], "disclose_me": True}, TOPIC, [SEALED])
    ((*_, details, args),) = joe.heard()
    assert (details["publisher"], details["ppt_scheme"], args) == (publisher.session.id, "wamp", [SEALED])
    assert ann.heard() == []


@pytest.mark.parametrize(("seal", "payload"), [(SPECIFIED, [SEALED]), (AUTOBAHNS, SEALED)])
def test_it_is_retained_with_its_attributes(routed: Routed, seal: dict[str, str], payload: Any) -> None:
    publisher_of(routed).ask(16, {"retain": True, **seal}, TOPIC, payload)
    _, event = routed.peer().join().ask(32, {"get_retained": True}, TOPIC)
    assert event[3:] == [{"retained": True, **seal}, payload]


@pytest.mark.parametrize(("seal", "payload"), [(SPECIFIED, [SEALED]), (AUTOBAHNS, SEALED)])
def test_a_history_keeps_its_attributes(routed: Routed, seal: dict[str, str], payload: Any) -> None:
    topic = "com.example.kept.x"
    reader = routed.peer().join()
    ((_, _, subscription),) = reader.ask(32, {}, topic)
    publisher_of(routed).ask(16, seal, topic, payload)
    reader.heard()
    ((event,), _) = call(reader, "wamp.subscription.get_events", subscription)
    assert (event["details"], event["args"]) == (seal, payload)
    (_, recovered) = call(reader, "wampgate.history.recover", topic)
    assert recovered["events"][0] == {
        "publication": event["publication"],
        "topic": topic,
        "args": payload,
        "kwargs": {},
        "timestamp": event["timestamp"],
        **seal,
    }


def test_publishing_by_call(routed: Routed) -> None:
    member, subscriber = routed.peer().join(routed.realm.add_user("joe")), routed.peer().join()
    subscriber.ask(32, {}, TOPIC)
    call(member, "wampgate.publish", TOPIC, [SEALED], {}, SPECIFIED)
    assert [message[3:] for message in subscriber.heard()] == [[SPECIFIED, [SEALED]]]


def test_what_leaves_the_router_by_a_bridge_is_not_sealed(routed: Routed) -> None:
    """An outlet tells nothing of how a payload is packed, so it gets none that nobody could open."""
    out: list[tuple[str, Any]] = []
    listener = Session(LocalLink(lambda _message, _payload: None), Connection("inside", "inside"))
    listener.principal = Principal("bridge", "bridge", "bridge", "router")
    broker = routed.realm.realm.broker
    broker.lead_out(listener, "", "prefix", lambda _who, topic, _id, payload, _told: out.append((topic, payload.args)))
    for options in (PublishOptions(), PublishOptions(ppt_scheme="wamp")):
        broker.publish(publisher_of(routed).session, TOPIC, options, Payload([1]), "on_request")
    assert out == [(TOPIC, [1])]
