"""Bytes that nobody should send, and one rule of each dialect to meet them: for tests and for fuzzing."""

from __future__ import annotations

import base64
import json
import pickle
from typing import TYPE_CHECKING, Any, Final

import msgpack

from wampgate.bridge.dialects.action_cable import ActionCableRule
from wampgate.bridge.dialects.anycable import AnyCableRule
from wampgate.bridge.dialects.event_shape import EventShape
from wampgate.bridge.dialects.laravel import LaravelRule
from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.dialects.python_socketio import PythonSocketIoRule
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_adapter import SocketIoAdapterRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.bridge.dialects.socketio_streams import SocketIoStreamRule
from wampgate.bridge.rules import BridgedEvent, BridgedKill, Dropped, Undecodable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.bridge.rules import Outcome, Rule, StreamRule

ALL: Final = RoomOptions(EventShape("topic", "keywords"), "everyone.{event}", disconnects=True)
OWN: Final = "organization.{organization}"
NAMED: Final = "organization.{organization}.{event}"
GID: Final = "gid://shop/Organization/{organization}"

RULES: Final[tuple[Rule, ...]] = (
    PlainRule("channel.{organization}", OWN),
    PlainRule("channel.{organization}", OWN, "msgpack"),
    PlainRule("channel.{organization}", OWN, "text"),
    SocketIoEmitterRule(),
    SocketIoEmitterRule(topic=NAMED, options=ALL),
    SocketIoAdapterRule(topic=NAMED, options=ALL),
    SocketIoAdapterRule(sharded=True),
    PythonSocketIoRule(topic=NAMED, options=ALL),
    PythonSocketIoRule(options=RoomOptions(EventShape("keyword", "keywords"))),
    LaravelRule(prefix="laravel_database_"),
    LaravelRule(topic=NAMED, options=RoomOptions(EventShape("topic", "keywords"))),
    ActionCableRule(),
    ActionCableRule("news:{gid}", gid=GID, channel_prefix="shop", connection="{user}"),
    AnyCableRule(connection="{user}"),
)
STREAM_RULES: Final[tuple[StreamRule, ...]] = (
    PlainStreamRule("news", OWN),
    PlainStreamRule("news", OWN, payload_field=None),
    SocketIoStreamRule(topic=NAMED, options=ALL),
    AnyCableRule(connection="{user}"),
)
CHANNELS: Final = (
    "channel.7",
    "socket.io#emitter",
    "socket.io#/#",
    "socket.io#/#organization.7#",
    "socket.io#/#organization.7",
    "socket.io#/##",
    "socket.io-request#/#",
    "socketio",
    "laravel_database_private-organization.7",
    "private-organization.7",
    "organization.7",
    "shop:news:Z2lkOi8vc2hvcC9Pcmdhbml6YXRpb24vNw",
    "shop:action_cable/joe",
    "action_cable/joe",
    "__anycable__",
    "",
    "#",
)

_PACKET: Final = {"type": 2, "data": ["news", {"data": "hi"}], "nsp": "/"}
_OPTIONS: Final = {"rooms": ["organization.7", 8], "except": ["organization.9", 4711], "flags": {"volatile": True}}
_VALUES: Final[tuple[Any, ...]] = (
    [_PACKET, _OPTIONS],
    ["emitter", _PACKET, _OPTIONS],
    ["x3fTq1", _PACKET | {"type": 5}, _OPTIONS | {"rooms": []}],
    {"uid": "a", "nsp": "/", "type": 3, "data": {"packet": _PACKET, "opts": _OPTIONS}},
    {"uid": "a", "nsp": "/", "type": 6, "data": {"opts": {"rooms": ["organization.7"], "except": []}, "close": True}},
    {"type": 4, "opts": {"rooms": ["organization.7"], "except": []}, "close": True},
    {"type": 2, "opts": {"rooms": ["user:1"], "except": []}, "rooms": ["organization.7"]},
    {
        "method": "emit",
        "event": "news",
        "data": [[{"_placeholder": True, "num": 0}], "AQL/"],
        "binary": True,
        "namespace": "/",
        "room": "organization.7",
        "skip_sid": ["4711"],
        "callback": None,
        "host_id": "0123",
    },
    {"method": "disconnect", "sid": "4711", "namespace": "/"},
    {"event": "App\\Events\\News", "data": {"text": "hi", "socket": None}, "socket": None},
    {"type": "disconnect", "reconnect": True},
    {"stream": "organization.7", "data": '{"text":"hi"}', "meta": {"exclude_socket": "sid"}},
    [{"stream": "organization.7", "data": "[1]"}, {"stream": "user.7", "data": "text"}],
    {"command": "disconnect", "payload": {"identifier": '{"current_user":"joe"}', "reconnect": False}},
)


def corpus() -> list[bytes]:
    """What backends write, in both encodings, and what no backend should."""
    regular = [pack(value) for value in _VALUES for pack in (msgpack.packb, lambda value: json.dumps(value).encode())]
    old = [msgpack.packb(value, use_bin_type=False).replace(b"\xda", b"\xd8") for value in _VALUES]
    hostile = [
        b"",
        b"\x80\x04\x95",
        pickle.dumps(_VALUES[0]),
        pickle.dumps(_VALUES[7], protocol=0),
        b'O:8:"stdClass":1:{s:4:"data";O:7:"Phar":0:{}}',
        b'a:2:{i:0;s:4:"news";i:1;a:0:{}}',
        b"\x92" * 70 + b"\x01\x02",
        b"[" * 200 + b"]" * 200,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x93\xa7emitter\x83\xa4type\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x80\x80",
        b'{"type":1e999}',
        b'{"event":"\\ud800","data":"\\u0000!"}',
        b'{"method":"emit","event":"news","data":[[{"_placeholder":true,"num":9}]],"binary":true,"room":true}',
        b'["emitter",{"type":2,"data":["a.b"],"nsp":"/"},{"rooms":{"1":"organization.7","x":{}}}]',
        b"123456789012345678901234567890",
        b"\xef\xbb\xbf{}",
        "\u202e{}".encode(),
        b"4711",
        b"null",
    ]
    return regular + old + hostile


def entries(message: bytes) -> list[Mapping[bytes, bytes]]:
    """Stream entries that hold a message in every place where rules look."""
    return [
        {b"payload": message, b"topic": b"organization.7"},
        {b"topic": message, b"payload": b"1"},
        {b"uid": b"emitter", b"nsp": b"/", b"type": b"3", b"data": message},
        {b"uid": b"emitter", b"nsp": b"/", b"type": b"6", b"data": base64.b64encode(message)},
        {b"nsp": message, b"type": message[:3], b"data": message},
        {message: message},
    ]


def check(channel: str, message: bytes) -> None:
    """Show a message to every rule: events go where rules may publish, and nothing but Undecodable is raised.

    Raises:
        AssertionError: a rule did something else.
    """
    for rule in RULES:
        try:
            outcomes = list(rule.translate(channel, message))
        except Undecodable:
            continue
        _check_outcomes(outcomes)
    for fields in entries(message):
        for stream_rule in STREAM_RULES:
            try:
                outcomes = list(stream_rule.translate_entry(stream_rule.streams()[0], fields))
            except Undecodable:
                continue
            _check_outcomes(outcomes)


def _check_outcomes(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, BridgedEvent):
            assert outcome.topic.startswith(("organization.", "everyone.")), outcome.topic
            assert all(topic.startswith("organization.") for topic in outcome.exclude_subscribers)
            assert all(isinstance(key, str) for key in outcome.kwargs)
        else:
            assert isinstance(outcome, (BridgedKill, Dropped))
