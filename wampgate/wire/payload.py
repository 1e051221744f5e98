"""Args and kwargs on their way through: bytes until a receiver speaks another serializer.

A router has no business with the payload ("Structure"), so what a publisher sent
goes byte for byte to everyone who speaks the publisher's serializer. For the
others it is converted once per serializer and kept for the next receiver.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.wire.serializers import Serializer

Parts = tuple[bytes, ...]
"""Encoded args, or args and kwargs, or nothing: what stands at the end of a message."""


class Payload(Struct, gc=False, eq=False):
    """The application payload of one message, in as many serializations as were asked for.

    A value is "plain" when it consists of None, bool, int, float, str, bytes,
    list and dict only; ``args`` and ``kwargs`` are plain. Made from values, or by
    a serializer from what it received, then in this order:

    Attributes:
        args: the positional arguments, decoded: a sequence, or the one value of an opaque
            payload ("Payload Passthru Mode").
        _kwargs: the keyword arguments; None for none.
        origin: the serializer in which it was received; None if it was made here.
        received: the payload as ``origin`` received it; ask :meth:`parts` unless ``origin`` is the same.
        _parts_by_serializer: what it was converted to; None for nothing yet.
    """

    # One is made for each message: a struct is made in a third of the time of other objects, and
    # nothing that a payload holds can lead back to it, so the collector need not look.
    args: Any = ()
    _kwargs: Mapping[str, Any] | None = None
    origin: Serializer | None = None
    received: Parts = ()
    _parts_by_serializer: dict[str, Parts] | None = None

    def __repr__(self) -> str:
        # What is in it is the clients' own, and must not reach a log.
        return "Payload(…)"

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments, decoded."""
        return self._kwargs or {}

    def parts(self, serializer: Serializer) -> Parts:
        """The payload in a serializer's encoding, converted at most once.

        Empty args and kwargs are left out where they may be ("Empty Arguments
        and Keyword Arguments").
        """
        if serializer is self.origin:
            return self.received
        if self._parts_by_serializer is None:
            self._parts_by_serializer = {}
        parts = self._parts_by_serializer.get(serializer.name)
        if parts is None:
            parts = self._encode(serializer)
            self._parts_by_serializer[serializer.name] = parts
        return parts

    def _encode(self, serializer: Serializer) -> Parts:
        args, kwargs = self.args, self._kwargs
        if kwargs:
            return (serializer.encode_value(args), serializer.encode_value(kwargs))
        if isinstance(args, list | tuple) and not args:
            return ()
        return (serializer.encode_value(args),)


NO_PAYLOAD: Final = Payload()


def binary_to_json(value: Any) -> Any:
    """A plain value with each byte string as JSON text ("Binary support in JSON").

    Whatever JSON cannot hold is brought as near to it as can be, since a
    receiver is better served by text than by silence: keys become strings, and
    a number that is not finite becomes null. Text that begins with NUL would be
    read as Base64, and one that holds none makes a receiver close its
    connection: it goes as the bytes that it is.
    """
    if isinstance(value, str):
        return value if not value.startswith("\0") else binary_to_json(value.encode())
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return "\0" + base64.b64encode(value).decode("ascii")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): binary_to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [binary_to_json(item) for item in value]
    return str(value)


def binary_from_json(value: Any) -> Any:
    """A decoded JSON value with each text that stands for binary data as bytes ("Binary support in JSON").

    Raises:
        ValueError: text begins with NUL but holds no Base64. Receivers would fail on it.
    """
    if isinstance(value, str):
        return base64.b64decode(value[1:], validate=True) if value.startswith("\0") else value
    if isinstance(value, dict):
        return {key: binary_from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [binary_from_json(item) for item in value]
    return value


def to_64_bits(value: Any) -> Any:
    """A plain value with each integer that needs more than 64 bits as a float.

    JSON's integers have no bound, MessagePack's and CBOR's plain ones end at 64
    bits; a float is what a JSON reader in a browser makes of them as well, and
    infinity of those beyond a float's range.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else _as_float(value)
    if isinstance(value, dict):
        return {key: to_64_bits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_64_bits(item) for item in value]
    return value


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def depth_of(value: Any, limit: int) -> int:
    """How deep a plain value's containers nest, counted up to ``limit + 1`` and without recursion."""
    level: Sequence[Any] = [value]
    depth = 0
    while level and depth <= limit:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list | tuple):
                inner.extend(item)
            else:
                continue
            # An empty container is a level of its own too.
            inner.append(None)
        if not inner:
            break
        depth += 1
        level = inner
    return depth
