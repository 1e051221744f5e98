"""What receives from the router: decoders that wampgate has not written, Autobahn's among them."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from unit.wire.samples import DECODE

from wampgate.wire.messages import Event, EventDetails, Result, ResultDetails
from wampgate.wire.serializers import CBOR, JSON, MSGPACK, SERIALIZERS

if TYPE_CHECKING:
    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload
    from wampgate.wire.serializers import Serializer


def _autobahn() -> Any:
    """Autobahn's serializers, which take their clock from txaio when they are imported."""
    import_module("txaio").use_twisted()
    return import_module("autobahn.wamp.serializer")


autobahn: Final = _autobahn()
AUTOBAHN: Final[dict[Serializer, Any]] = {
    JSON: autobahn.JsonSerializer(),
    MSGPACK: autobahn.MsgPackSerializer(),
    CBOR: autobahn.CBORSerializer(),
}


def received(serializer: Serializer, message: Message, payload: Payload) -> Any:
    """What the independent decoder makes of a message; Autobahn has to take it too."""
    data = serializer.encode(message, payload)
    (parsed,) = AUTOBAHN[serializer].unserialize(data)
    assert message.code == type(parsed).MESSAGE_TYPE
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
