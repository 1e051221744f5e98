"""What receives from the router: decoders that wampgate has not written, Autobahn's among them."""

from __future__ import annotations

import math
from typing import Any, Final

import txaio

# Autobahn's serializers take their clock from txaio when they are imported.
txaio.use_twisted()

from autobahn.wamp import serializer as autobahn  # noqa: E402 - after the framework is chosen
from unit.wire.samples import DECODE  # noqa: E402

from wampgate.wire.messages import Event, EventDetails, Message, Result, ResultDetails  # noqa: E402
from wampgate.wire.payload import Payload  # noqa: E402
from wampgate.wire.serializers import CBOR, JSON, MSGPACK, SERIALIZERS, Serializer  # noqa: E402

AUTOBAHN: Final[dict[Serializer, Any]] = {
    JSON: autobahn.JsonSerializer(),
    MSGPACK: autobahn.MsgPackSerializer(),
    CBOR: autobahn.CBORSerializer(),
}


def received(serializer: Serializer, message: Message, payload: Payload) -> Any:
    """What the independent decoder makes of a message; Autobahn has to take it too."""
    data = serializer.encode(message, payload)
    (parsed,) = AUTOBAHN[serializer].unserialize(data)
    assert parsed.MESSAGE_TYPE == message.code
    return DECODE[serializer](data)


def reaches_everyone(payload: Payload) -> None:
    """Assert that a payload makes no receiver of an EVENT or a RESULT fail, in any serializer."""
    for serializer in SERIALIZERS:
        received(serializer, Event(1, 2, EventDetails(topic="a.b")), payload)
        received(serializer, Result(1, ResultDetails()), payload)


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same in type and value; NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (one == other and math.copysign(1, one * other) >= 0)
    return bool(one == other)
