"""The three serializers of the Basic Profile: one decode and one encode each ("Serializers").

Decoding validates the whole message, payload included, so that nothing which
passes here can make a receiver's decoder fail: types and ranges of every
element that the specification defines, UTF-8, nesting, plain types only.

An encoded message is a head and up to two payload parts joined, which makes the
payload's bytes reusable: see :mod:`wampgate.wire.payload`.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final, Protocol

import cbor2
import msgspec

from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import ABSENT, AnyMessage, Message, PayloadMessage
from wampgate.wire.payload import (
    NO_PAYLOAD,
    Payload,
    binary_from_json,
    binary_to_json,
    depth_of,
    to_64_bits,
)
from wampgate.wire.plain_cbor import read_plain, write_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.wire.payload import Parts

MAX_DEPTH: Final = 64
"""How deep arrays and dictionaries of a message may nest."""

_TOO_SHORT_TO_NEST: Final = 2 * MAX_DEPTH
"""JSON text of so many bytes can't nest deeper: each bracket needs another one that closes it."""

_BRACKET: Final = ord("[")
_BRACE: Final = ord("{")
_BACKSLASH: Final = ord("\\")
_NUL: Final = b"\\u0000"
"""How JSON text has to write the NUL that begins binary data: all other control characters are errors."""

_TRAILING: Final = "bytes follow the end of the message"
_TOO_DEEP: Final = f"the message nests deeper than {MAX_DEPTH} levels"


class Serializer(Protocol):
    """One serialization format, in both directions. Stateless: one instance serves all sessions."""

    name: str
    """As in the WebSocket subprotocol: ``json``, ``msgpack``, ``cbor``."""

    subprotocol: str
    """The WebSocket subprotocol that chooses it."""

    binary: bool
    """Whether its messages travel in binary WebSocket messages."""

    def decode(self, data: bytes) -> tuple[Message, Payload]:
        """One message and its payload.

        Raises:
            InvalidMessage: the bytes are no valid WAMP message.
        """

    def encode(self, message: Message, payload: Payload = NO_PAYLOAD) -> bytes:
        """One message with its payload, in the shortest legal form."""

    def encode_value(self, value: Any) -> bytes:
        """One plain value, as a payload part. Never fails on a plain value."""

    def payload_of(self, parts: Parts) -> Payload:
        """The payload that these parts are, which this serializer has decoded or encoded before.

        Raises:
            ValueError: they are not.
        """


class JsonSerializer:
    """``wamp.2.json``."""

    name = "json"
    subprotocol = "wamp.2.json"
    binary = False

    def __init__(self) -> None:
        self._decode_message = msgspec.json.Decoder(AnyMessage).decode
        self._decode_value = msgspec.json.Decoder().decode
        self._encode = msgspec.json.Encoder().encode

    def decode(self, data: bytes) -> tuple[Message, Payload]:
        """See :meth:`Serializer.decode`."""
        try:
            message = self._decode_message(data)
            if not message.has_payload or message.args is ABSENT:
                _check_json_depth(data)
                return message, NO_PAYLOAD
            raw_args = bytes(message.args)
            args = self._decode_value(raw_args)
            if _BACKSLASH in raw_args and _NUL in raw_args:
                args = binary_from_json(args)
            if message.kwargs is not ABSENT:
                return message, self._with_kwargs(message, data, raw_args, args)
            if type(args) is not list:
                _check_args(message, args)
            # Looking for a bracket is much quicker than counting brackets: most payloads have but the first one,
            # and what stands before the payload is short.
            if raw_args.rfind(_BRACKET) or _BRACE in raw_args or len(data) - len(raw_args) > _TOO_SHORT_TO_NEST:
                _check_json_depth(data)
            return message, Payload(args, None, self, (raw_args,))
        except (msgspec.MsgspecError, InvalidMessage, RecursionError, ValueError) as fault:
            # What nests too deep is refused for that, whatever else is wrong with it.
            _check_json_depth(data)
            raise _refusal(fault) from None

    def _with_kwargs(self, message: PayloadMessage, data: bytes, raw_args: bytes, args: Any) -> Payload:
        raw_kwargs = bytes(message.kwargs)
        kwargs = self._decode_value(raw_kwargs)
        if _BACKSLASH in raw_kwargs and _NUL in raw_kwargs:
            kwargs = binary_from_json(kwargs)
        _check_args(message, args, kwargs)
        _check_json_depth(data)
        return Payload(args, kwargs, self, (raw_args, raw_kwargs))

    def encode(self, message: Message, payload: Payload = NO_PAYLOAD) -> bytes:
        """See :meth:`Serializer.encode`."""
        data = self._encode(message)
        if not message.has_payload:
            return data
        # Absent args and kwargs encode to nothing: the message ends in ",,]".
        parts = payload.received if payload.origin is self else payload.parts(self)
        if not parts:
            return data[:-3] + b"]"
        if len(parts) == 1:
            return b"%b%b]" % (data[:-2], parts[0])
        return b"%b%b,%b]" % (data[:-2], parts[0], parts[1])

    def encode_value(self, value: Any) -> bytes:
        """See :meth:`Serializer.encode_value`."""
        return self._encode(binary_to_json(value))

    def payload_of(self, parts: Parts) -> Payload:
        """See :meth:`Serializer.payload_of`."""
        values = [self._decode_value(part) for part in parts]
        for index, part in enumerate(parts):
            if _NUL in part:
                values[index] = binary_from_json(values[index])
        return _payload_of(self, parts, values)


class MsgpackSerializer:
    """``wamp.2.msgpack``."""

    name = "msgpack"
    subprotocol = "wamp.2.msgpack"
    binary = True

    def __init__(self) -> None:
        self._decode_message = msgspec.msgpack.Decoder(AnyMessage, ext_hook=_refuse_extension).decode
        self._decode_value = msgspec.msgpack.Decoder(ext_hook=_refuse_extension).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def decode(self, data: bytes) -> tuple[Message, Payload]:
        """See :meth:`Serializer.decode`."""
        try:
            message = self._decode_message(data)
            if not message.has_payload or message.args is ABSENT:
                _check_msgpack_head(message, data)
                return message, NO_PAYLOAD
            raw_args = bytes(message.args)
            if message.kwargs is not ABSENT:
                return message, self._with_kwargs(message, data, raw_args)
            # Each level takes a byte at least: what is as short as most heads can't nest too deep.
            if len(data) - len(raw_args) > MAX_DEPTH:
                _check_msgpack_head(message, data)
            args = self._decode_value(raw_args)
            if not (type(args) is list and len(args) <= _FEW and _SCALARS.issuperset(map(type, args))):
                _check_msgpack_value(args, raw_args)
                if type(args) is not list:
                    _check_args(message, args)
            return message, Payload(args, None, self, (raw_args,))
        except msgspec.MsgspecError as error:
            raise InvalidMessage(_reason(error)) from None
        except UnicodeDecodeError:
            raise InvalidMessage("the message holds text that is not UTF-8") from None
        except RecursionError:
            raise InvalidMessage(_TOO_DEEP) from None

    def _with_kwargs(self, message: PayloadMessage, data: bytes, raw_args: bytes) -> Payload:
        raw_kwargs = bytes(message.kwargs)
        if len(data) - len(raw_args) - len(raw_kwargs) > MAX_DEPTH:
            _check_msgpack_head(message, data)
        args = self._decode_value(raw_args)
        _check_msgpack_value(args, raw_args)
        kwargs = self._decode_value(raw_kwargs)
        _check_msgpack_value(kwargs, raw_kwargs)
        _check_args(message, args, kwargs)
        return Payload(args, kwargs, self, (raw_args, raw_kwargs))

    def encode(self, message: Message, payload: Payload = NO_PAYLOAD) -> bytes:
        """See :meth:`Serializer.encode`."""
        if not message.is_plain():
            # msgspec writes a struct with defaults left out as a long map.
            head = self._encode(msgspec.to_builtins(message.head()))
            return b"".join((_FIXARRAY[head[0] + len(parts := payload.parts(self))], head[1:], *parts))
        data = self._encode(message)
        if not message.has_payload:
            return data
        # Absent args and kwargs encode to nothing but were counted in the array's length.
        parts = payload.received if payload.origin is self else payload.parts(self)
        return b"".join((_FIXARRAY[data[0] - 2 + len(parts)], data[1:], *parts))

    def encode_value(self, value: Any) -> bytes:
        """See :meth:`Serializer.encode_value`."""
        try:
            return self._encode(value)
        except (OverflowError, TypeError):
            return self._encode(to_64_bits(value))

    def payload_of(self, parts: Parts) -> Payload:
        """See :meth:`Serializer.payload_of`."""
        return _payload_of(self, parts, [self._decode_value(part) for part in parts])


class CborSerializer:
    """``wamp.2.cbor``.

    cbor2 has no undecoded values, so the message is decoded item by item, and
    where each item ends tells which bytes are the payload's.
    """

    name = "cbor"
    subprotocol = "wamp.2.cbor"
    binary = True

    def decode(self, data: bytes) -> tuple[Message, Payload]:
        """See :meth:`Serializer.decode`."""
        try:
            return self._decode(data)
        except msgspec.MsgspecError as error:
            raise InvalidMessage(_reason(error)) from None
        except cbor2.CBORDecodeError as error:
            raise InvalidMessage(f"the message is not valid CBOR: {error}") from None
        except (RecursionError, MemoryError, OverflowError):
            raise InvalidMessage(_TOO_DEEP) from None

    def _decode(self, data: bytes) -> tuple[Message, Payload]:
        plain = read_plain(data, MAX_DEPTH, _HOOKS)
        if plain is not None:
            message, payload_items, parts = plain
            return message, _checked_payload(self, message, payload_items, parts)
        # Tags and odd simple values have lead bytes that ASCII text and small numbers
        # never hold: most messages are cleared of both by one look at their bytes.
        suspicious = len(data.translate(None, _ODD_CBOR)) != len(data)
        hooks: dict[str, Any] = _HOOKS if suspicious else {}
        length = _cbor_array_length(data)
        if length is None:
            # Indefinite length or no array at all: legal but rare, and never what
            # an encoder in the shortest form sends. The message itself is one level more.
            stream = io.BytesIO(data)
            items = cbor2.CBORDecoder(stream, max_depth=MAX_DEPTH + 1, strict_hashable_types=True, **hooks).decode()
            if stream.tell() != len(data):
                raise InvalidMessage(_TRAILING)
            return self._from_items(items, True)
        stream = io.BytesIO(data)
        stream.seek(1)
        decoder = cbor2.CBORDecoder(stream, max_depth=MAX_DEPTH, strict_hashable_types=True, **hooks)
        items = []
        ends = []
        for _ in range(length):
            items.append(decoder.decode())
            ends.append(stream.tell())
        if length and ends[-1] != len(data):
            raise InvalidMessage(_TRAILING)
        return self._from_items(items, suspicious, data, ends)

    def _from_items(
        self, items: Any, suspicious: bool, data: bytes = b"", ends: list[int] | None = None
    ) -> tuple[Message, Payload]:
        if not isinstance(items, list):
            raise InvalidMessage("a message is an array")
        message_type = _TYPE_BY_CODE.get(items[0]) if items and type(items[0]) is int else None
        if message_type is None:
            raise InvalidMessage("the first element is not the code of a WAMP message")
        if not message_type.has_payload:
            return msgspec.convert(items, message_type), NO_PAYLOAD
        size = 1 + len(message_type.__struct_fields__) - 2
        message = msgspec.convert(items[:size], message_type)
        payload_items = items[size : size + 2]
        if not payload_items:
            return message, NO_PAYLOAD
        payload = data[ends[size - 1] :] if ends else b""
        if suspicious or len(payload.translate(None, _CBOR_MAPS)) != len(payload):
            _refuse_odd(payload_items)
        _check_args(message, *payload_items)  # type: ignore[arg-type]  # has_payload says so
        args, kwargs = payload_items if len(payload_items) > 1 else (payload_items[0], None)
        if ends is None:
            return message, Payload(args, kwargs)
        parts = tuple(data[ends[i - 1] : ends[i]] for i in range(size, size + len(payload_items)))
        return message, Payload(args, kwargs, self, parts)

    def encode(self, message: Message, payload: Payload = NO_PAYLOAD) -> bytes:
        """See :meth:`Serializer.encode`."""
        parts = payload.parts(self) if message.has_payload else ()
        plain = write_plain(message, parts)
        if plain is not None:
            return plain
        head = cbor2.dumps(msgspec.to_builtins(message.head(), builtin_types=(bytes,)))
        if not message.has_payload:
            return head
        # An array of less than 24 items has its length in its first byte.
        return b"".join((_CBOR_ARRAY[head[0] + len(parts)], head[1:], *parts))

    def encode_value(self, value: Any) -> bytes:
        """See :meth:`Serializer.encode_value`."""
        try:
            data: bytes = cbor2.dumps(to_64_bits(value))
        except cbor2.CBOREncodeError:
            data = cbor2.dumps(binary_to_json(value))
        return data

    def payload_of(self, parts: Parts) -> Payload:
        """See :meth:`Serializer.payload_of`."""
        return _payload_of(self, parts, [cbor2.loads(part) for part in parts])


def _payload_of(serializer: Serializer, parts: Parts, values: Sequence[Any]) -> Payload:
    if not values:
        return NO_PAYLOAD
    return Payload(values[0], values[1] if len(values) > 1 else None, serializer, parts)


def _checked_payload(serializer: Serializer, message: PayloadMessage, items: Sequence[Any], parts: Parts) -> Payload:
    """The payload of these items, one or two; values that are no containers have nothing to look for in them."""
    args = items[0]
    if len(items) == 1 and type(args) is list:
        if len(args) > _FEW or not _SCALARS.issuperset(map(type, args)):
            _refuse_odd(args)
        return Payload(args, None, serializer, parts)
    _refuse_odd(items)
    _check_args(message, *items)
    return Payload(args, items[1] if len(items) > 1 else None, serializer, parts)


def _is_opaque(attributes: Any) -> bool:
    """Whether options or details say that the payload is sealed; those of ABORT and ERROR are plain dictionaries."""
    if isinstance(attributes, dict):
        return "enc_algo" in attributes or "ppt_scheme" in attributes
    return getattr(attributes, "opaque", False)


def _check_args(message: PayloadMessage, args: Any, kwargs: Any = ABSENT) -> None:
    """Args are a list and kwargs a dictionary with string keys, unless the payload is opaque."""
    attributes: Any = message.options if hasattr(message, "options") else message.details
    if kwargs is not ABSENT and not (isinstance(kwargs, dict) and all(type(key) is str for key in kwargs)):
        raise InvalidMessage("ArgumentsKw is not a dictionary with string keys")
    if not isinstance(args, list) and not (isinstance(args, str | bytes) and _is_opaque(attributes)):
        raise InvalidMessage("Arguments is not a list")


def _reason(error: msgspec.MsgspecError) -> str:
    """A decoder's complaint for the peer: it names types and places, never values of a payload."""
    return f"the message is not valid: {error}"


def _refusal(fault: Exception) -> InvalidMessage:
    """Why JSON text is refused that could not be decoded."""
    if isinstance(fault, InvalidMessage):
        return fault
    if isinstance(fault, msgspec.MsgspecError):
        return InvalidMessage(_reason(fault))
    if isinstance(fault, UnicodeDecodeError):
        return InvalidMessage("the message holds text that is not UTF-8")
    if isinstance(fault, RecursionError):
        return InvalidMessage(_TOO_DEEP)
    return InvalidMessage("text that begins with NUL is binary data, and this holds no Base64")


def _check_json_depth(data: bytes) -> None:
    """Refuse JSON text that nests too deep, in a message or beside it."""
    # Short messages cannot nest too deep; counting brackets (in strings too)
    # is cheaper than measuring and tells when measuring is needed.
    if len(data) > _TOO_SHORT_TO_NEST and data.count(_BRACKET) + data.count(_BRACE) > MAX_DEPTH:
        _refuse_json_depth(data)


def _refuse_depth(value: Any, limit: int) -> None:
    if depth_of(value, limit) > limit:
        raise InvalidMessage(_TOO_DEEP)


def _refuse_json_depth(data: bytes) -> None:
    """Refuse JSON text that nests too deep, without recursion and before it is decoded."""
    depth = 0
    in_string = False
    escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            # The message itself is one level more than what it carries.
            if depth > MAX_DEPTH + 1:
                raise InvalidMessage(_TOO_DEEP)
        elif byte in b"]}":
            depth -= 1


def _check_msgpack_head(message: Message, data: bytes) -> None:
    """Refuse a message whose options or details nest too deep."""
    if len(data) > MAX_DEPTH and len(data.translate(None, _NO_MSGPACK_CONTAINER)) > MAX_DEPTH:
        _refuse_depth(msgspec.to_builtins(message.head()[1:]), MAX_DEPTH + 1)


def _check_msgpack_value(value: Any, raw: bytes) -> None:
    """Refuse a payload item that nests too deep, or holds what WAMP has no counterpart for."""
    if len(raw) > MAX_DEPTH and len(raw.translate(None, _NO_MSGPACK_CONTAINER)) > MAX_DEPTH:
        _refuse_depth(value, MAX_DEPTH)
    if len(raw.translate(None, _ODD_MSGPACK)) != len(raw):
        _refuse_odd(value)


def _refuse_extension(code: int, _data: memoryview) -> Any:
    raise InvalidMessage(f"MessagePack extension type {code} is not accepted")


def _refuse_tag(*_: Any) -> Any:
    raise InvalidMessage("CBOR tags are not accepted")


def _refuse_odd(value: Any) -> None:
    """Refuse what only one serializer has, since it would make receivers of the others fail.

    That is CBOR's undefined and unassigned simple values, MessagePack's
    timestamps, and keys that are no strings.
    """
    level = [value]
    while level:
        item = level.pop()
        if isinstance(item, dict):
            if not all(type(key) is str for key in item):
                raise InvalidMessage("a dictionary of the payload has a key that is not a string")
            level.extend(item.values())
        elif isinstance(item, list):
            level.extend(item)
        elif item is not None and not isinstance(item, str | bool | int | float | bytes):
            raise InvalidMessage("a value of the payload has no counterpart in WAMP")


def _cbor_array_length(data: bytes) -> int | None:
    """The length of an array whose header is one byte; None for any other."""
    return data[0] - 0x80 if data and 0x80 <= data[0] <= 0x97 else None


_FIXARRAY: Final = {0x90 + n: bytes((0x90 + n,)) for n in range(16)}
_CBOR_ARRAY: Final = {0x80 + n: bytes((0x80 + n,)) for n in range(24)}
_NO_MSGPACK_CONTAINER: Final = bytes(byte for byte in range(256) if not (0x80 <= byte <= 0x9F or 0xDC <= byte <= 0xDF))
_ODD_MSGPACK: Final = bytes((*range(0x80, 0x90), 0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9), 0xDE, 0xDF))
"""Lead bytes of MessagePack's maps, whose keys need a look, and of its extension types."""
_CBOR_MAPS: Final = bytes(range(0xA0, 0xC0))
_ODD_CBOR: Final = bytes((*range(0xC0, 0xDC), *range(0xE0, 0xF4), 0xF7, 0xF8))
_TAGS: Final = dict.fromkeys(
    (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799), _refuse_tag
)
_HOOKS: Final = {"tag_hook": _refuse_tag, "semantic_decoders": _TAGS}
_SCALARS: Final = frozenset((str, int, float, bool, bytes, type(None)))
_FEW: Final = 16
"""More items are not looked through one by one in the hope that none of them is a container."""

_TYPE_BY_CODE: Final[dict[int, type[Message]]] = {
    message_type.code: message_type for message_type in AnyMessage.__args__
}

JSON: Final = JsonSerializer()
MSGPACK: Final = MsgpackSerializer()
CBOR: Final = CborSerializer()
SERIALIZERS: Final[tuple[Serializer, ...]] = (JSON, MSGPACK, CBOR)
SERIALIZER_BY_SUBPROTOCOL: Final = {serializer.subprotocol: serializer for serializer in SERIALIZERS}
