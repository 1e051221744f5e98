"""What socket.io servers tell each other: the classic adapter, the sharded one, and the one over streams."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgpack
import pytest
from unit.bridge.translated import entry_kinds, entry_outcomes, kinds, outcomes

from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_adapter import SocketIoAdapterRule
from wampgate.bridge.dialects.socketio_streams import SocketIoStreamRule
from wampgate.bridge.rules import BridgedEvent, BridgedKill, RedisSubscription, SubscriptionKind
from wampgate.bridge.templates import TopicPattern

RULE = SocketIoAdapterRule()
SHARDED = SocketIoAdapterRule(sharded=True)
STREAMS = SocketIoStreamRule()
EVENT = BridgedEvent("organization.7", ["news", {"data": "hi"}])
ALL = "socket.io#/#"
ROOM = "socket.io#/#organization.7#"
KILLING = RoomOptions(disconnects=True)
KILL = BridgedKill(subscribers=TopicPattern("organization.7", "exact"))


def classic(rooms: Any = ("organization.7",), uid: Any = "x3fTq1", **more: Any) -> bytes:
    packet = {"type": 2, "data": ["news", {"data": "hi"}], "nsp": "/"} | more
    return msgpack.packb([uid, packet, {"rooms": rooms, "except": [], "flags": {}}])


def cluster(kind: Any = 3, nsp: Any = "/", **opts: Any) -> dict[str, Any]:
    options = {"rooms": ["organization.7"], "except": [], "flags": {}} | opts
    packet = {"type": 2, "data": ["news", {"data": "hi"}], "nsp": "/"}
    return {"uid": "a1b2c3", "nsp": nsp, "type": kind, "data": {"packet": packet, "opts": options}}


def entry(message: dict[str, Any]) -> dict[bytes, bytes]:
    data = json.dumps(message["data"]).encode()
    return {b"uid": b"emitter", b"nsp": message["nsp"].encode(), b"type": b"%d" % message["type"], b"data": data}


@pytest.mark.parametrize("channel", [ALL, ROOM, ROOM.removesuffix("#")])
def test_classic(channel: str) -> None:
    """5.0.0 leaves out the ``#`` behind the room."""
    assert outcomes(RULE, channel, classic()) == [EVENT]
    assert outcomes(RULE, channel, classic(uid="emitter")) == [EVENT]


def test_the_channels_room_goes_before_the_packets() -> None:
    both = classic(["organization.7", "organization.8"])
    assert kinds(RULE, ROOM, both) == ["organization.7"]
    assert kinds(RULE, ALL, both) == ["organization.7", "organization.8"]


@pytest.mark.parametrize("pack", [msgpack.packb, lambda value: json.dumps(value).encode()])
def test_sharded_in_both_encodings(pack: Any) -> None:
    assert outcomes(SHARDED, ALL, pack(cluster())) == [EVENT]
    assert outcomes(SHARDED, ROOM, pack(cluster())) == [EVENT]
    (event,) = outcomes(SHARDED, ALL, pack(cluster(**{"except": ["organization.8", 5]})))
    assert (event.exclude, event.exclude_subscribers) == ((5,), ("organization.8",))


def test_binary_values_of_the_sharded_adapter() -> None:
    message = cluster()
    message["data"]["packet"]["data"] = ["news", b"\x01\xff"]
    message["data"]["packet"]["type"] = 5
    assert outcomes(SHARDED, ROOM, msgpack.packb(message)) == [BridgedEvent("organization.7", ["news", b"\x01\xff"])]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (cluster(nsp="/chat"), "other_namespace"),
        (cluster(4), "join_ignored"),
        (cluster(5), "join_ignored"),
        (cluster(6), "disconnect_ignored"),
        (cluster(1), "not_an_event"),
        (cluster(9), "not_an_event"),
        (cluster([]), "not_an_event"),
        (cluster(rooms=[]), "no_room"),
        (cluster() | {"data": 7}, "undecodable"),
        (cluster() | {"data": {"opts": {}}}, "undecodable"),
        (cluster() | {"data": {"opts": [], "packet": {}}}, "undecodable"),
    ],
)
def test_other_messages_between_servers(message: dict[str, Any], expected: str) -> None:
    assert kinds(SHARDED, ALL, json.dumps(message).encode()) == [expected]


def test_disconnects() -> None:
    rule = SocketIoAdapterRule(sharded=True, options=KILLING)
    assert outcomes(rule, ALL, json.dumps(cluster(6)).encode()) == [KILL]
    assert entry_outcomes(SocketIoStreamRule(options=KILLING), entry(cluster(6))) == [KILL]
    classic_rule = SocketIoAdapterRule(options=KILLING)
    request = {"uid": "x", "type": 4, "opts": {"rooms": ["organization.7"], "except": []}, "close": True}
    assert outcomes(classic_rule, "socket.io-request#/#", json.dumps(request).encode()) == [KILL]
    assert outcomes(classic_rule, "socket.io-request#/#", msgpack.packb(request)) == [KILL]


def test_subscriptions() -> None:
    exact, pattern, sharded = SubscriptionKind.EXACT, SubscriptionKind.PATTERN, SubscriptionKind.SHARDED
    assert RULE.subscriptions() == ((ALL, exact), ("socket.io#/#organization.*", pattern))
    assert RULE.subscriptions_for("organization.7") == ((ALL, exact), (ROOM, exact), (ROOM[:-1], exact))
    assert SHARDED.subscriptions() == ((ALL, sharded),)
    assert SHARDED.subscriptions_for("organization.7") == ((ALL, sharded), (ROOM, sharded))
    assert SHARDED.subscriptions_for("elsewhere.7") == ()
    one = SocketIoAdapterRule(room="all", topic="news.all", sharded=True)
    assert one.subscriptions() == ((ALL, sharded), ("socket.io#/#all#", sharded))


def test_a_pattern_for_any_room_leaves_out_the_channel_without_one() -> None:
    rule = SocketIoAdapterRule(room="{organization}")
    assert rule.subscriptions()[1] == RedisSubscription("socket.io#/#?*", SubscriptionKind.PATTERN)


def test_golden_stream_entry() -> None:
    """As @socket.io/redis-streams-emitter writes it."""
    data = (
        b'{"packet":{"type":2,"data":["news",{"data":"hi"}],"nsp":"/"},'
        b'"opts":{"rooms":["organization.7"],"except":[],"flags":{}}}'
    )
    fields = {b"uid": b"emitter", b"nsp": b"/", b"type": b"3", b"data": data}
    assert entry_outcomes(STREAMS, fields) == [EVENT]
    assert STREAMS.streams() == ("socket.io",)


def test_binary_stream_entry() -> None:
    message = cluster()
    message["data"]["packet"]["data"] = ["news", b"\x01\xff"]
    fields = entry(cluster()) | {b"data": base64.b64encode(msgpack.packb(message["data"]))}
    assert entry_outcomes(STREAMS, fields) == [BridgedEvent("organization.7", ["news", b"\x01\xff"])]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "undecodable"),
        ({b"type": b"\xb2"}, "undecodable"),
        ({b"type": b"9" * 5000}, "undecodable"),
        (entry(cluster()) | {b"data": b"!"}, "undecodable"),
        (entry(cluster()) | {b"data": b"gARL"}, "undecodable"),
        (entry(cluster()) | {b"data": b"{"}, "undecodable"),
        (entry(cluster()) | {b"nsp": b"\xff"}, "other_namespace"),
        ({b"type": b"2", b"nsp": b"/"}, "not_an_event"),
        (entry(cluster(4)), "join_ignored"),
    ],
)
def test_stream_entries_that_are_no_event(fields: dict[bytes, bytes], expected: str) -> None:
    assert entry_kinds(STREAMS, fields) == [expected]
