"""Samples of every message, and the independent encoders and decoders to try them with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import cbor2
import msgpack  # type: ignore[import-untyped]  # ships no types

from wampgate.wire.messages import ABSENT
from wampgate.wire.serializers import CBOR, JSON, MSGPACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.wire.messages import Message
    from wampgate.wire.serializers import Serializer

Wamp = list[Any]
"""A message as the array that it is on the wire."""


def outgoing(message: Any) -> Message:
    """A received message as one to be sent: then its payload travels beside it."""
    if message.has_payload:
        message.args = message.kwargs = ABSENT
    return message  # type: ignore[no-any-return]  # any message


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _from_json(data: bytes) -> Any:
    return json.loads(data, parse_constant=_refuse_constant)


ENCODE: Final[dict[Serializer, Callable[[Any], bytes]]] = {JSON: _json, MSGPACK: msgpack.packb, CBOR: cbor2.dumps}
"""Encoders that wampgate has not written, in the shortest form."""

DECODE: Final[dict[Serializer, Callable[[bytes], Any]]] = {
    JSON: _from_json,
    MSGPACK: msgpack.unpackb,
    CBOR: cbor2.loads,
}
"""Decoders that wampgate has not written, at their strictest."""

FORWARD_FOR: Final = [{"session": 9007199254740992, "authid": "edge", "authrole": None}]

SAMPLES: Final[dict[str, Wamp]] = {
    "HELLO": [1, "realm1", {"roles": {"publisher": {"features": {"publisher_exclusion": True}}, "subscriber": {}}}],
    "HELLO, asking": [
        1,
        "realm1",
        {"roles": {"caller": {}, "callee": {}}, "authmethods": ["ticket"], "authid": "joe", "agent": "a"},
    ],
    "WELCOME": [2, 9007199254740992, {"authid": "joe", "roles": {"broker": {"features": {}}, "dealer": {}}}],
    "ABORT": [3, {"message": "no"}, "wamp.error.no_such_realm"],
    "ABORT, explained": [3, {}, "wamp.error.no_such_realm", ["sorry"], {"code": 5}],
    "CHALLENGE": [4, "ticket", {}],
    "AUTHENTICATE": [5, "secret!", {"a": [1]}],
    "GOODBYE": [6, {"message": "bye"}, "wamp.close.close_realm"],
    "ERROR": [8, 48, 1, {}, "com.example.error"],
    "ERROR, explained": [8, 68, 2, {"d": 1}, "com.example.error", [], {"severity": 3}],
    "PUBLISH": [16, 1, {}, "com.example.topic"],
    "PUBLISH with args": [16, 1, {"acknowledge": True, "exclude_me": False}, "com.example.topic", ["ä", 1.5, None]],
    "PUBLISH with all": [
        16,
        2,
        {
            "forward_for": FORWARD_FOR,
            "acknowledge": True,
            "disclose_me": True,
            "exclude": [1, 2],
            "exclude_authid": ["a"],
            "exclude_authrole": [],
            "eligible": [3],
            "eligible_authid": ["b"],
            "eligible_authrole": ["c"],
            "retain": True,
            "transaction_hash": "t",
        },
        "com.example.topic",
        [],
        {"k": [True, False, -1, 255, 256, 65536, 4294967296]},
    ],
    "PUBLISHED": [17, 1, 9007199254740992],
    "SUBSCRIBE": [32, 1, {}, "com.example.topic"],
    "SUBSCRIBE to a pattern": [32, 1, {"match": "wildcard", "get_retained": True}, "com..topic"],
    "SUBSCRIBED": [33, 1, 2],
    "UNSUBSCRIBE": [34, 1, 2],
    "UNSUBSCRIBED": [35, 1],
    "EVENT": [36, 1, 2, {}],
    "EVENT with args": [36, 1, 2, {}, ["hello", {"a": {"b": []}}]],
    "EVENT with all": [
        36,
        1,
        2,
        {"publisher": 3, "publisher_authid": "a", "publisher_authrole": "b", "topic": "com.example.topic"},
        [],
        {"k": "v"},
    ],
    "CALL": [48, 1, {}, "com.example.add"],
    "CALL with all": [48, 1, {"disclose_me": True, "timeout": 5000}, "com.example.add", [2, 3], {"round": True}],
    "CANCEL": [49, 1, {}],
    "CANCEL in a way": [49, 1, {"mode": "kill"}],
    "INTERRUPT": [69, 1, {}],
    "INTERRUPT for a reason": [69, 1, {"mode": "killnowait", "reason": "wamp.error.timeout"}],
    "RESULT": [50, 1, {}],
    "RESULT with all": [50, 1, {}, [5], {"exact": True}],
    "REGISTER": [64, 1, {}, "com.example.add"],
    "REGISTER with options": [
        64,
        1,
        {"match": "prefix", "invoke": "roundrobin", "disclose_caller": True},
        "com.example",
    ],
    "REGISTERED": [65, 1, 2],
    "UNREGISTER": [66, 1, 2],
    "UNREGISTERED": [67, 1],
    "INVOCATION": [68, 1, 2, {}],
    "INVOCATION with all": [68, 1, 2, {"caller": 3, "caller_authid": "a", "procedure": "x.y"}, [1], {"k": None}],
    "YIELD": [70, 1, {}],
    "YIELD with all": [70, 1, {"progress": True}, ["x" * 300], {"k": "v" * 40}],
}
