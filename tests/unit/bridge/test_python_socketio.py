"""python-socketio's JSON from 5.14 on; pickles of older versions are refused unread."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import pytest
from unit.bridge.translated import kinds, outcomes

from wampgate.bridge.dialects.event_shape import EventShape
from wampgate.bridge.dialects.python_socketio import PythonSocketIoRule
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.rules import BridgedEvent, BridgedKill, RedisSubscription, Undecodable
from wampgate.bridge.templates import InvalidRule, TopicPattern

CHANNEL = "socketio"
RULE = PythonSocketIoRule()
# Written by python-socketio 5.14.
GOLDEN = (
    b'{"method":"emit","event":"news","data":[{"data":"hi"}],"binary":false,"namespace":"/",'
    b'"room":"organization.7","skip_sid":null,"callback":null,"host_id":"0123456789abcdef"}'
)


def message(**changed: Any) -> bytes:
    return json.dumps(json.loads(GOLDEN) | changed).encode()


def test_golden() -> None:
    assert outcomes(RULE, CHANNEL, GOLDEN) == [BridgedEvent("organization.7", ["news", {"data": "hi"}])]
    assert RULE.subscriptions() == (RedisSubscription("socketio"),)
    assert RULE.subscriptions_for("organization.7") == (RedisSubscription("socketio"),)
    assert RULE.subscriptions_for("user.7") == ()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"room": ["organization.7", "organization.8"]}, ["organization.7", "organization.8"]),
        ({"room": None}, ["no_room"]),
        ({"room": 7}, ["room_mismatch"]),
        ({"room": {}}, ["no_room"]),
        ({"room": 1.5}, ["undecodable"]),
        ({"namespace": None}, ["organization.7"]),
        ({"namespace": "/chat"}, ["other_namespace"]),
        ({"skip_sid": "Xq3"}, ["except_ignored", "organization.7"]),
        ({"event": None}, ["undecodable"]),
        ({"data": None}, ["undecodable"]),
        ({"data": [None]}, ["organization.7"]),
        ({"method": "enter_room"}, ["join_ignored"]),
        ({"method": "leave_room"}, ["join_ignored"]),
        ({"method": "close_room"}, ["join_ignored"]),
        ({"method": "callback"}, ["not_an_event"]),
        ({"method": []}, ["not_an_event"]),
        ({"method": None}, ["not_an_event"]),
        ({"method": "disconnect", "sid": "4711"}, ["disconnect_ignored"]),
    ],
)
def test_messages(changed: dict[str, Any], expected: list[str]) -> None:
    assert kinds(RULE, CHANNEL, message(**changed)) == expected


def test_no_values() -> None:
    assert outcomes(RULE, CHANNEL, message(data=[None])) == [BridgedEvent("organization.7", ["news"])]
    assert outcomes(RULE, CHANNEL, message(data=[])) == [BridgedEvent("organization.7", ["news"])]
    assert outcomes(RULE, CHANNEL, message(data=[1, None])) == [BridgedEvent("organization.7", ["news", 1, None])]


def test_exclusions() -> None:
    (event,) = outcomes(RULE, CHANNEL, message(skip_sid=["4711", "organization.8"]))
    assert (event.exclude, event.exclude_subscribers) == ((4711,), ("organization.8",))


def binary(frame: Any, *attachments: Any) -> bytes:
    return message(binary=True, data=[frame, *attachments])


def test_binary_values() -> None:
    text = base64.b64encode(b"\x01\xff").decode()
    frame = [{"blob": {"_placeholder": True, "num": 1}}, [{"_placeholder": True, "num": 0}]]
    (event,) = outcomes(RULE, CHANNEL, binary(frame, "", text))
    assert event.args == ["news", {"blob": b"\x01\xff"}, [b""]]


@pytest.mark.parametrize(
    "damaged",
    [
        binary({}, "AA=="),
        message(binary=True, data=[]),
        binary([{"_placeholder": True, "num": 1}], "AA=="),
        binary([{"_placeholder": True, "num": -1}], "AA=="),
        binary([{"_placeholder": True, "num": True}], "AA=="),
        binary([{"_placeholder": True}], "AA=="),
        binary([1], "no base64"),
        binary([1], "Ä"),
        binary([1], 7),
        binary([1], None),
        b"[]",
        b"7",
        b"",
        b"{",
    ],
)
def test_damaged_messages(damaged: bytes) -> None:
    assert kinds(RULE, CHANNEL, damaged) == ["undecodable"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_never_read_and_the_log_says_what_to_do(protocol: int) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("a pickle was read",))

    with pytest.raises(Undecodable, match=r"upgrade .* python-socketio to 5\.14") as caught:
        outcomes(RULE, CHANNEL, pickle.dumps({"method": "emit", "bomb": Bomb()}, protocol=protocol))
    assert caught.value.dropped.kind == "pickled"


@pytest.mark.parametrize("protocol", [0, 1])
def test_pickles_of_the_oldest_protocols_are_just_not_json(protocol: int) -> None:
    assert kinds(RULE, CHANNEL, pickle.dumps({"method": "emit"}, protocol=protocol)) == ["undecodable"]


def test_disconnects() -> None:
    rule = PythonSocketIoRule(options=RoomOptions(disconnects=True))
    assert outcomes(rule, CHANNEL, message(method="disconnect", sid="4711")) == [BridgedKill(session=4711)]
    assert outcomes(rule, CHANNEL, message(method="disconnect", sid="organization.7")) == [
        BridgedKill(subscribers=TopicPattern("organization.7", "exact"))
    ]
    assert kinds(rule, CHANNEL, message(method="disconnect", sid="Xq3-sid")) == ["disconnect_ignored"]
    assert kinds(rule, CHANNEL, message(method="disconnect")) == ["disconnect_ignored"]


def test_emit_to_everyone() -> None:
    rule = PythonSocketIoRule(options=RoomOptions(EventShape("keyword"), broadcast_topic="news.all"))
    assert outcomes(rule, CHANNEL, message(room=None)) == [
        BridgedEvent("news.all", [{"data": "hi"}], {"event": "news"})
    ]
    assert rule.topics() == (("organization.", "wildcard"), ("news.all", "exact"))
    assert rule.subscriptions_for("news.all") == (RedisSubscription("socketio"),)


@pytest.mark.parametrize("arguments", [("",), ("socketio", "chat")])
def test_bad_rule_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRule):
        PythonSocketIoRule(*arguments)
