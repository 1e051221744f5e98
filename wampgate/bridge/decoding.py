"""Foreign bytes to plain values (see :mod:`wampgate.wire.payload`), within limits and no objects unserialised."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wampgate.bridge.old_msgpack import OldMarks, decode_old_msgpack, key_text
from wampgate.bridge.rules import Undecodable
from wampgate.wire.payload import binary_from_json, depth_of
from wampgate.wire.serializers import MAX_DEPTH

MAX_SIZE: Final = 1 << 20
"""The longest message that is read, in bytes: 1 MiB, as for messages of WAMP clients."""

MAX_CONTAINERS: Final = 100_000
"""How many arrays and maps a message may hold: a million empty ones in 1 MiB would take 0.3 s to make."""

_decode_json: Final = msgspec.json.Decoder().decode
_decode_msgpack: Final = msgspec.msgpack.Decoder().decode
_SCALARS: Final = frozenset((str, int, float, bool, bytes, type(None)))
_STRINGS: Final = frozenset((str,))
# Every byte that begins no array and no map.
_NO_CONTAINER: Final = bytes(byte for byte in range(256) if not (0x80 <= byte <= 0x9F or 0xDC <= byte <= 0xDF))


def decode_json(data: bytes) -> Any:
    """One JSON value (RFC 8259); text that stands for binary data becomes bytes ("Binary support in JSON").

    Raises:
        Undecodable: not JSON, nested deeper than 64 levels, or of too many arrays and objects.
    """
    containers = data.count(b"[") + data.count(b"{")
    if containers > MAX_CONTAINERS:
        raise Undecodable("too_many_values", f"more than {MAX_CONTAINERS} arrays and objects")
    try:
        value = _decode_json(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Undecodable("undecodable", f"not JSON: {reason_of(error)}") from None
    except RecursionError:
        raise _too_deep() from None
    if containers > MAX_DEPTH and depth_of(value, MAX_DEPTH) > MAX_DEPTH:
        raise _too_deep()
    try:
        return binary_from_json(value) if b"\\u0000" in data else value
    except ValueError:
        raise Undecodable(
            "undecodable", "text that begins with NUL stands for binary data, but holds no Base64"
        ) from None


def decode_msgpack(data: bytes, marks: OldMarks | None = None) -> Any:
    """One MessagePack value, as today's and yesterday's encoders write it.

    Text that isn't UTF-8 is bytes, since encoders before 2013 know no difference,
    and map keys become text, as in JSON. Extensions have no counterpart in WAMP
    and are refused.

    Args:
        data: the value, and nothing after it.
        marks: the meaning that ``d8`` and ``d9`` had before 2013, for a message that
            makes no sense in today's; None to refuse such a message.

    Raises:
        Undecodable: not MessagePack, nested deeper than 64 levels, or of too many values.
    """
    if len(data) > MAX_CONTAINERS and len(data.translate(None, _NO_CONTAINER)) > MAX_CONTAINERS:
        # Letters of other scripts look like containers here, so this may be harmless;
        # the other decoder counts what it makes.
        return decode_old_msgpack(data)
    try:
        value = _decode_msgpack(data)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _decode_unusual_msgpack(data, marks)
    try:
        return _plain(value, MAX_DEPTH)
    except Undecodable:
        if marks is None:
            raise
        return decode_old_msgpack(data, marks)


def _decode_unusual_msgpack(data: bytes, marks: OldMarks | None) -> Any:
    try:
        return decode_old_msgpack(data)
    except Undecodable:
        if marks is None:
            raise
    return decode_old_msgpack(data, marks)


def _plain(value: Any, depth: int) -> Any:
    """A decoded value without extensions, its keys as text; ``depth`` levels of containers are left."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is not list and kind is not dict:
        raise Undecodable("undecodable", "a MessagePack extension, which has no counterpart in WAMP")
    if not depth:
        raise _too_deep()
    # Most containers hold scalars only, and that is quickly seen.
    if kind is list:
        if _SCALARS.issuperset(map(type, value)):
            return value
        return [_plain(item, depth - 1) for item in value]
    if _STRINGS.issuperset(map(type, value)) and _SCALARS.issuperset(map(type, value.values())):
        return value
    return {key_text(key): _plain(item, depth - 1) for key, item in value.items()}


def reason_of(error: Exception) -> str:
    """A decoder's complaint, which names places and types; Unicode's shows bytes, so only its name is told."""
    return "text that is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _too_deep() -> Undecodable:
    return Undecodable("too_deep", f"nested deeper than {MAX_DEPTH} levels")
