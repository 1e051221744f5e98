"""socket.io emitters, from bytes that the real packages wrote."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.bridge.rules import (
    BridgedEvent,
    BridgedKill,
    Dropped,
    RedisSubscription,
    SubscriptionKind,
    Undecodable,
)
from wampgate.bridge.templates import InvalidRule, TopicPattern

RULE = SocketIoEmitterRule()

# Written by rase-/socket.io-php-emitter 0.7: in("organization.7")->emit("news", ["data" => "hi"]).
PHP = bytes.fromhex(
    "9283a47479706502a46461746192a46e65777381a464617461a26869a36e7370a12f"
    "82a5726f6f6d7391ae6f7267616e697a6174696f6e2e37a5666c61677390"
)
# Written by npm's socket.io-emitter 2.0 on socket.io#/#organization.7#.
NPM = bytes.fromhex(
    "93a7656d697474657283a47479706502a46461746192a46e65777381a464617461a26869a36e7370a12f"
    "82a5726f6f6d7391ae6f7267616e697a6174696f6e2e37a5666c61677380"
)
EVENT = BridgedEvent("organization.7", ["news", {"data": "hi"}])
SHARED = "socket.io#emitter"
NAMESPACE = "socket.io#/#"
ROOM = "socket.io#/#organization.7#"


def packet(data: Any = ("news", 1), rooms: Any = ("organization.7",), **more: Any) -> list[Any]:
    return [{"type": 2, "data": data, "nsp": "/"} | more, {"rooms": rooms, "flags": {}}]


def outcomes(value: Any, channel: str = SHARED, rule: SocketIoEmitterRule = RULE) -> list[BridgedEvent | Dropped]:
    data = value if isinstance(value, bytes) else msgpack.packb(value)
    return list(rule.translate(channel, data))


def kinds(value: Any, channel: str = SHARED, rule: SocketIoEmitterRule = RULE) -> list[str]:
    try:
        return [o.kind if isinstance(o, Dropped) else o.topic for o in outcomes(value, channel, rule)]
    except Undecodable as error:
        return [error.dropped.kind]


def test_golden_php() -> None:
    assert outcomes(PHP) == [EVENT]


def test_golden_npm() -> None:
    assert outcomes(NPM, ROOM) == [EVENT]


def test_golden_npm_reaches_the_room_of_the_channel_alone() -> None:
    """The emitter publishes once for each room, with all rooms in each message."""
    two = msgpack.packb(["emitter", *packet(rooms=["organization.7", "organization.8"])])
    assert kinds(two, ROOM) == ["organization.7"]
    assert kinds(two, "socket.io#/#organization.8#") == ["organization.8"]
    assert kinds(two, NAMESPACE) == ["organization.7", "organization.8"]


def test_php_packets_of_long_strings() -> None:
    """Raw strings of 32 bytes and more, with the mark da, as PHP's packer writes them."""
    text = "x" * 300
    data = msgpack.packb(packet(data=["news", {"data": text}]), use_bin_type=False)
    assert b"\xda\x01\x2c" in data
    assert outcomes(data) == [BridgedEvent("organization.7", ["news", {"data": text}])]


def test_php_binary_packet() -> None:
    """Type 5: every da is d8, every db is d9; binary data is text where it is UTF-8."""
    value = packet(data=["news", {"data": "x" * 40, "short": b"\x01\x02\x03", "blob": b"\xff" * 70_000}], type=5)
    packed = msgpack.packb(value, use_bin_type=False)
    data = packed.replace(b"\xda", b"\xd8").replace(b"\xdb", b"\xd9")
    assert data != packed
    args = ["news", {"data": "x" * 40, "short": "\x01\x02\x03", "blob": b"\xff" * 70_000}]
    assert outcomes(data) == [BridgedEvent("organization.7", args)]


@pytest.mark.parametrize("binary", [bytes.fromhex("d80003010203"), bytes.fromhex("c403010203")])
def test_npm_binary(binary: bytes) -> None:
    """1.1 writes the mark of before 2013, 2.0 today's."""
    data = msgpack.packb(["emitter", *packet(data=["news", "HERE"], type=5)]).replace(b"\xa4HERE", binary)
    assert outcomes(data, ROOM) == [BridgedEvent("organization.7", ["news", b"\x01\x02\x03"])]


def test_before_1_0_there_was_no_namespace() -> None:
    value = packet()
    del value[0]["nsp"]
    assert kinds(value) == ["organization.7"]


@pytest.mark.parametrize(
    ("rooms", "expected"),
    [
        ([], ["no_room"]),
        (None, ["no_room"]),
        ({}, ["no_room"]),
        (["organization.7", "organization.8"], ["organization.7", "organization.8"]),
        (["organization.7", "organization.7"], ["organization.7"]),
        ({"0": "organization.7", "2": "organization.8"}, ["organization.7", "organization.8"]),
        (["user.1", "organization.7"], ["room_mismatch", "organization.7"]),
        (["organization.acme.eu"], ["room_mismatch"]),
        (["organization."], ["room_mismatch"]),
        ([b"\xff"], ["room_mismatch"]),
        ([None, True, {}, []], ["room_mismatch"] * 4),
        ("organization.7", ["undecodable"]),
        (7, ["undecodable"]),
        (["organization.7"] * 1001, ["undecodable"]),
    ],
)
def test_rooms(rooms: Any, expected: list[str]) -> None:
    assert kinds(packet(rooms=rooms)) == expected


def test_rooms_may_be_numbers() -> None:
    rule = SocketIoEmitterRule(room="{organization}")
    assert kinds(packet(rooms=[7, "8"]), rule=rule) == ["organization.7", "organization.8"]


def test_rooms_that_lead_to_one_topic_yield_one_event() -> None:
    rule = SocketIoEmitterRule(room="{kind}:{organization}")
    assert kinds(packet(rooms=["a:7", "b:7"]), rule=rule) == ["organization.7"]


def test_room_may_hold_a_hash() -> None:
    rule = SocketIoEmitterRule(room="o#{organization}", topic="organization.{organization}")
    assert kinds(["emitter", *packet()], "socket.io#/#o#7#", rule) == ["organization.7"]


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("socket.io#/#organization.7#8#", ["room_mismatch"]),
        ("socket.io#/##", ["room_mismatch"]),
        ("socket.io#/#organization.7\n#", ["room_mismatch"]),
    ],
)
def test_rooms_of_hostile_channels(channel: str, expected: list[str]) -> None:
    assert kinds(["emitter", *packet()], channel) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (packet(nsp="/chat"), "other_namespace"),
        (packet(nsp="chat"), "other_namespace"),
        (packet(nsp=5), "other_namespace"),
        (packet(type=0), "not_an_event"),
        (packet(type=6), "not_an_event"),
        (packet(type="2"), "not_an_event"),
        (packet(type=[]), "not_an_event"),
        (packet(data=[]), "undecodable"),
        (packet(data=[1, 2]), "undecodable"),
        (packet(data={"a": 1}), "undecodable"),
        (packet(data=None), "undecodable"),
        (["emitter", "x", {}], "undecodable"),
        (["emitter", {}, "x"], "undecodable"),
        (["a1b2c3", *packet()], "not_an_emitter"),
        ([{}, *packet()], "not_an_emitter"),
        ([{}], "undecodable"),
        ([{}, {}, {}, {}], "undecodable"),
        ({}, "undecodable"),
        (7, "undecodable"),
        (b'{"type":4,"opts":{"rooms":["organization.7"],"except":[]},"close":true}', "undecodable"),
    ],
)
def test_what_is_no_emit_goes_nowhere(value: Any, expected: str) -> None:
    assert kinds(value) == [expected]


def excluding(*excluded: Any) -> list[Any]:
    return ["emitter", packet()[0], {"rooms": ["organization.7"], "except": list(excluded), "flags": {}}]


def test_exclusions() -> None:
    (event,) = outcomes(excluding(4711, "815", "organization.8"), NAMESPACE)
    assert event == BridgedEvent("organization.7", ["news", 1], {}, (4711, 815), ("organization.8",))
    assert outcomes(excluding(), NAMESPACE) == [BridgedEvent("organization.7", ["news", 1])]
    assert outcomes(excluding("organization.8"), ROOM) == outcomes(excluding("organization.8"), NAMESPACE)


def test_exclusions_of_socket_io_sessions_are_counted() -> None:
    for unknown in ("Xq3-sid", 2**53 + 1, "0", "-1", None, True, [], b"\xff"):
        assert kinds(excluding(unknown), NAMESPACE) == ["except_ignored", "organization.7"]
    assert kinds(excluding(*["x"] * 1001), NAMESPACE) == ["undecodable"]


def test_an_emit_that_excludes_its_own_room_reaches_nobody() -> None:
    assert kinds(excluding("organization.7"), NAMESPACE) == ["all_excluded"]


# Written by npm's @socket.io/redis-emitter 5.1: in("organization.7").emit("news", {data: "hi"}).
NPM_5 = bytes.fromhex(NPM.hex().replace("82a5726f6f6d73", "83a5726f6f6d73") + "a665786365707490")


def test_golden_npm_5() -> None:
    assert outcomes(NPM_5, ROOM) == [EVENT]


REQUEST = "socket.io-request#/#"
DISCONNECTING = SocketIoEmitterRule(options=RoomOptions(disconnects=True))


def requests(message: bytes, rule: SocketIoEmitterRule = DISCONNECTING) -> list[Any]:
    return list(rule.translate(REQUEST, message))


def test_golden_requests() -> None:
    disconnect = b'{"type":4,"opts":{"rooms":["organization.7"],"except":[]},"close":true}'
    assert requests(disconnect) == [BridgedKill(subscribers=TopicPattern("organization.7", "exact"))]
    join = b'{"type":2,"opts":{"rooms":["user:1"],"except":[]},"rooms":["organization.7"]}'
    for request in (join, join.replace(b":2,", b":3,")):
        (dropped,) = requests(request)
        assert dropped.kind == "join_ignored"


def test_requests_are_read_only_where_disconnects_are_wanted() -> None:
    assert RedisSubscription(REQUEST) in DISCONNECTING.subscriptions()
    assert RedisSubscription(REQUEST) not in RULE.subscriptions()


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (b'{"type":4,"opts":{"rooms":[],"except":[]},"close":true}', "disconnect_ignored"),
        (b'{"type":4,"opts":{"rooms":["organization.7"],"except":["x"]}}', "disconnect_ignored"),
        (b'{"type":4,"opts":{"rooms":["elsewhere"]}}', "disconnect_ignored"),
        (b'{"type":4}', "disconnect_ignored"),
        (b'{"type":4,"opts":[]}', "disconnect_ignored"),
        (b'{"type":6,"data":["ping"]}', "not_an_event"),
        (b"{}", "not_an_event"),
    ],
)
def test_other_requests(request_: bytes, kind: str) -> None:
    (dropped,) = requests(request_)
    assert dropped.kind == kind


@pytest.mark.parametrize("request_", [b"[]", b"7", b"{", b'{"type":4,"opts":{"rooms":7}}'])
def test_requests_that_are_none(request_: bytes) -> None:
    with pytest.raises(Undecodable):
        requests(request_)


def test_namespace_and_key_of_ones_own() -> None:
    rule = SocketIoEmitterRule("app[1]", "/chat", "room-{user}", "chat.{user}")
    assert rule.subscriptions() == (
        RedisSubscription("app[1]#emitter"),
        RedisSubscription("app[1]#/chat#"),
        RedisSubscription("app\\[1\\]#/chat#room-*#", SubscriptionKind.PATTERN),
    )
    assert rule.topics() == (("chat.", "wildcard"),)
    assert kinds(packet(rooms=["room-x"], nsp="/chat"), "app[1]#emitter", rule) == ["chat.x"]
    assert kinds(packet(rooms=["room-x"], nsp="chat"), "app[1]#emitter", rule) == ["chat.x"]
    assert kinds(packet(rooms=["room-x"]), "app[1]#emitter", rule) == ["other_namespace"]
    assert kinds(["emitter", *packet(nsp="/chat")], "app[1]#/chat#room-x#", rule) == ["chat.x"]


def test_room_without_variables() -> None:
    rule = SocketIoEmitterRule(room="everyone", topic="news.all")
    assert rule.subscriptions()[2] == RedisSubscription("socket.io#/#everyone#")
    assert rule.topics() == (("news.all", "exact"),)
    assert kinds(["emitter", *packet()], "socket.io#/#everyone#", rule) == ["news.all"]
    assert kinds(packet(rooms=["everyone"]), rule=rule) == ["news.all"]


@pytest.mark.parametrize(
    ("key", "namespace"), [("", "/"), ("socket.io", "chat"), ("socket.io", "/a#b"), ("socket.io", "")]
)
def test_bad_rule_is_refused(key: str, namespace: str) -> None:
    with pytest.raises(InvalidRule):
        SocketIoEmitterRule(key, namespace)


CHANNELS = st.sampled_from([SHARED, NAMESPACE, ROOM, "socket.io#/##", "", "#"]) | st.text(max_size=30)


@given(CHANNELS, st.binary(max_size=200))
def test_random_bytes_never_raise(channel: str, message: bytes) -> None:
    kinds(message, channel)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10) | st.text(max_size=12) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


PACKETS = st.fixed_dictionaries({}, optional={"type": ODD, "data": ODD, "nsp": ODD, "more": ODD})
OPTIONS = st.fixed_dictionaries({}, optional={"rooms": ODD, "except": ODD, "flags": ODD})


@given(CHANNELS, st.tuples(PACKETS, OPTIONS) | st.tuples(ODD, PACKETS, OPTIONS) | ODD)
def test_odd_packets_never_raise(channel: str, value: Any) -> None:
    kinds(value, channel)


@given(CHANNELS, ODD, ODD)
def test_odd_rooms_and_values_lead_to_no_other_topic(channel: str, value: Any, rooms: Any) -> None:
    for kind in kinds(packet(data=["news", value], rooms=rooms), channel):
        assert "." not in kind or kind.startswith("organization.")


@given(st.sampled_from([PHP, NPM]), st.data())
def test_damaged_packets_never_raise(golden: bytes, data: st.DataObject) -> None:
    damaged = bytearray(golden)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    kinds(bytes(damaged), data.draw(CHANNELS))
