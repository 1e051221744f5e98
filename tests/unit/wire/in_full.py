"""The serializers' decoding with every check made of every message, none left out because it can't find anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import msgspec

from wampgate.wire import serializers
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import ABSENT
from wampgate.wire.payload import NO_PAYLOAD, Payload, binary_from_json
from wampgate.wire.serializers import CBOR, JSON, MAX_DEPTH, MSGPACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.wire.messages import Message
    from wampgate.wire.serializers import Serializer

Read = tuple[Any, Payload]


def json_in_full(data: bytes) -> Read:
    """What JSON text says, its depth looked at first."""
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        serializers._refuse_json_depth(data)
    try:
        message = JSON._decode_message(data)
        items = []
        for raw in _payload_of(message):
            value = JSON._decode_value(raw)
            items.append(binary_from_json(value) if b"\\u0000" in raw else value)
        return _read(JSON, message, items)
    except msgspec.MsgspecError as error:
        raise InvalidMessage(f"the message is not valid: {error}") from None
    except UnicodeDecodeError:
        raise InvalidMessage("the message holds text that is not UTF-8") from None
    except RecursionError:
        raise InvalidMessage(f"the message nests deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        raise InvalidMessage("text that begins with NUL is binary data, and this holds no Base64") from None


def msgpack_in_full(data: bytes) -> Read:
    """What MessagePack says, head and payload looked through."""
    try:
        message = MSGPACK._decode_message(data)
        serializers._refuse_depth(msgspec.to_builtins(message.head()[1:]), MAX_DEPTH + 1)
        items = []
        for raw in _payload_of(message):
            value = MSGPACK._decode_value(raw)
            serializers._refuse_depth(value, MAX_DEPTH)
            serializers._refuse_odd(value)
            items.append(value)
        return _read(MSGPACK, message, items)
    except msgspec.MsgspecError as error:
        raise InvalidMessage(f"the message is not valid: {error}") from None
    except UnicodeDecodeError:
        raise InvalidMessage("the message holds text that is not UTF-8") from None
    except RecursionError:
        raise InvalidMessage(f"the message nests deeper than {MAX_DEPTH} levels") from None


def cbor_in_full(data: bytes) -> Read:
    """What CBOR says, read item by item."""
    with mock.patch.object(serializers, "read_plain", return_value=None):
        return CBOR.decode(data)


IN_FULL: Final[dict[Serializer, Callable[[bytes], Read]]] = {
    JSON: json_in_full,
    MSGPACK: msgpack_in_full,
    CBOR: cbor_in_full,
}


def _payload_of(message: Any) -> list[bytes]:
    if not message.has_payload:
        return []
    return [bytes(raw) for raw in (message.args, message.kwargs) if raw is not ABSENT]


def _read(serializer: Serializer, message: Message, items: list[Any]) -> Read:
    if not items:
        return message, NO_PAYLOAD
    told: Any = message
    serializers._check_args(told, *items)
    kwargs = items[1] if len(items) > 1 else None
    return message, Payload(items[0], kwargs, serializer, tuple(_payload_of(message)))
