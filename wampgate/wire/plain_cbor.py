"""CBOR of the plain forms, read and written by their bytes: a third of the time that going through lists takes.

Plain are PUBLISH, CALL and YIELD as most clients send them: an array of known length, options
that are empty (or only ask for PUBLISHED), a URI, then args or args and kwargs; and the router's
answers to them without details. Whatever is not exactly so, or not valid, is left to the
serializer, which has an answer for all of it.
"""

from __future__ import annotations

from io import BytesIO
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import cbor2

from wampgate.wire.messages import (
    MAX_ID,
    NO_EVENT_DETAILS,
    NO_INVOCATION_DETAILS,
    NO_RESULT_DETAILS,
    PLAIN_CALL,
    PLAIN_PUBLISH,
    PLAIN_YIELD,
    Call,
    Event,
    Invocation,
    Publish,
    PublishOptions,
    Result,
    Yield,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.wire.messages import Message, PayloadMessage

    _Read: TypeAlias = tuple[PayloadMessage, list[Any], tuple[bytes, ...]]

# Lead bytes (RFC 8949, section 3).
_UINT_1: Final = 0x18
_UINT_2: Final = 0x19
_UINT_4: Final = 0x1A
_UINT_8: Final = 0x1B
_TEXT: Final = 0x60
_TEXT_1: Final = 0x78
_ARRAY: Final = 0x80
_NO_OPTIONS: Final = 0xA0
_ACKNOWLEDGE: Final = b"\xa1\x6backnowledge\xf5"

_ACKNOWLEDGED: Final = PublishOptions(acknowledge=True)

_read_2: Final = Struct("!H").unpack_from
_read_4: Final = Struct("!I").unpack_from
_read_8: Final = Struct("!Q").unpack_from
_write_2: Final = Struct("!BH").pack
_write_4: Final = Struct("!BI").pack
_write_8: Final = Struct("!BQ").pack
_SHORT: Final = [bytes((number,) if number < _UINT_1 else (_UINT_1, number)) for number in range(256)]


def read_plain(data: bytes, depth: int, hooks: dict[str, Any]) -> _Read | None:
    """A message, the items of its payload, and the bytes of each; None for what is not plain, or not valid.

    Args:
        data: one message.
        depth: how deep an item may nest.
        hooks: what cbor2 is told of tags.
    """
    try:
        if data[1] == _UINT_1:
            request, at = _read_id(data, 3)
            if data[at] != _NO_OPTIONS:
                return None
            if data[2] == Call.code:
                procedure, at = _read_text(data, at + 1)
                message: PayloadMessage = Call(request, PLAIN_CALL, procedure)
                count = data[0] - _ARRAY - 4
            elif data[2] == Yield.code:
                message = Yield(request, PLAIN_YIELD)
                at += 1
                count = data[0] - _ARRAY - 3
            else:
                return None
        elif data[1] == Publish.code:
            message, at = _read_publish(data)
            count = data[0] - _ARRAY - 4
        else:
            return None
        if count not in (1, 2):
            return None
        items, parts = _read_items(data[at:], count, depth, hooks)
    except (
        _NotPlain,
        IndexError,
        UnicodeDecodeError,
        cbor2.CBORDecodeError,
        RecursionError,
        MemoryError,
        OverflowError,
    ):
        return None
    return message, items, parts


class _NotPlain(Exception):
    """A message is not of a plain form."""


def _read_publish(data: bytes) -> tuple[Publish, int]:
    request, at = _read_id(data, 2)
    if data[at] == _NO_OPTIONS:
        topic, at = _read_text(data, at + 1)
        return Publish(request, PLAIN_PUBLISH, topic), at
    if data.startswith(_ACKNOWLEDGE, at):
        topic, at = _read_text(data, at + len(_ACKNOWLEDGE))
        return Publish(request, _ACKNOWLEDGED, topic), at
    raise _NotPlain


def _read_id(data: bytes, at: int) -> tuple[int, int]:
    """An id, and where it ends."""
    lead = data[at]
    if lead < _UINT_1:
        number, end = lead, at + 1
    elif lead == _UINT_2 and len(data) > at + 2:
        (number,), end = _read_2(data, at + 1), at + 3
    elif lead == _UINT_1:
        number, end = data[at + 1], at + 2
    elif lead == _UINT_4 and len(data) > at + 4:
        (number,), end = _read_4(data, at + 1), at + 5
    elif lead == _UINT_8 and len(data) > at + 8:
        (number,), end = _read_8(data, at + 1), at + 9
    else:
        raise _NotPlain
    if not 0 < number <= MAX_ID:
        raise _NotPlain
    return number, end


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    """A text of less than 256 bytes, and where it ends."""
    lead = data[at]
    if _TEXT <= lead < _TEXT_1:
        begin, length = at + 1, lead - _TEXT
    elif lead == _TEXT_1:
        begin, length = at + 2, data[at + 1]
    else:
        raise _NotPlain
    end = begin + length
    if end > len(data):
        raise _NotPlain
    return data[begin:end].decode(), end


def _read_items(payload: bytes, count: int, depth: int, hooks: dict[str, Any]) -> tuple[list[Any], tuple[bytes, ...]]:
    """The items at the end of a message, one or two, and their bytes."""
    stream = BytesIO(payload)
    decode = cbor2.CBORDecoder(stream, max_depth=depth, strict_hashable_types=True, **hooks).decode
    items = [decode()]
    end = stream.tell()
    if count == 1:
        if end != len(payload):
            raise _NotPlain
        return items, (payload,)
    items.append(decode())
    if stream.tell() != len(payload):
        raise _NotPlain
    return items, (payload[:end], payload[end:])


def write_plain(message: Message, parts: Sequence[bytes]) -> bytes | None:
    """An EVENT, INVOCATION or RESULT without details, with its payload; None for any other message."""
    kind: Any = type(message)
    told: Any = message
    if kind is Event and told.details is NO_EVENT_DETAILS:
        head = b"\x18\x24%b%b" % (_number(told.subscription), _number(told.publication))
        size = 4
    elif kind is Invocation and told.details is NO_INVOCATION_DETAILS:
        head = b"\x18\x44%b%b" % (_number(told.request), _number(told.registration))
        size = 4
    elif kind is Result and told.details is NO_RESULT_DETAILS:
        head = b"\x18\x32%b" % _number(told.request)
        size = 3
    else:
        return None
    return b"".join((_ARRAYS[size + len(parts)], head, b"\xa0", *parts))


def _number(number: int) -> bytes:
    """An unsigned integer in the shortest form."""
    if number < 1 << 8:
        return _SHORT[number]
    if number < 1 << 16:
        return _write_2(_UINT_2, number)
    if number < 1 << 32:
        return _write_4(_UINT_4, number)
    return _write_8(_UINT_8, number)


_ARRAYS: Final = [bytes((_ARRAY + length,)) for length in range(8)]
