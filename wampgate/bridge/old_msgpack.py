"""A MessagePack decoder that forgives what encoders from before 2013 write, and counts what it makes.

Then, MessagePack had one type for text and binary data, "raw" (today's ``str``),
and some encoders had marks of their own. Two of them live on in the emitters of
socket.io:

- msgpack-js 0.3: ``d8`` and ``d9`` begin binary data with a length of two and four
  bytes, ``c4`` is "undefined".
- the PHP emitter, for a packet that it believes binary: it replaces every byte
  ``da`` by ``d8`` and ``db`` by ``d9`` in the encoded packet, so that raw strings
  of 32 bytes and more look like that binary data. Inside of text and numbers
  this can't be undone.

Today both marks are taken: ``d8`` is an extension, ``d9`` a short string, ``c4``
binary data. So the old meaning is used only where today's fails.

It is slow beside msgspec, and only sees what msgspec refuses.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Any, Final, Literal

from wampgate.bridge.rules import Undecodable
from wampgate.wire.serializers import MAX_DEPTH

OldMarks = Literal["raw", "binary"]
"""What ``d8`` and ``d9`` begin: a raw string (the PHP emitter's) or binary data (msgpack-js's)."""

MAX_VALUES: Final = 20_000
"""How many values one message may hold: 1 µs each, so that no message stalls the reactor."""

_NUMBER_BY_MARK: Final = {
    0xCA: Struct(">f"),
    0xCB: Struct(">d"),
    0xCC: Struct(">B"),
    0xCD: Struct(">H"),
    0xCE: Struct(">I"),
    0xCF: Struct(">Q"),
    0xD0: Struct(">b"),
    0xD1: Struct(">h"),
    0xD2: Struct(">i"),
    0xD3: Struct(">q"),
}
_SIMPLE_BY_MARK: Final = {0xC0: None, 0xC2: False, 0xC3: True}
_ONE: Final = Struct(">B")
_TWO: Final = Struct(">H")
_FOUR: Final = Struct(">I")
_TEXT_LENGTH_BY_MARK: Final = {0xD9: _ONE, 0xDA: _TWO, 0xDB: _FOUR}
_BINARY_LENGTH_BY_MARK: Final = {0xC4: _ONE, 0xC5: _TWO, 0xC6: _FOUR}
# The length that follows each; "undefined" has none.
_OLD_MARKS: Final = {0xC4: None, 0xD8: _TWO, 0xD9: _FOUR}
_ARRAY_LENGTH_BY_MARK: Final = {0xDC: _TWO, 0xDD: _FOUR}
_MAP_LENGTH_BY_MARK: Final = {0xDE: _TWO, 0xDF: _FOUR}


def decode_old_msgpack(data: bytes, marks: OldMarks | None = None) -> Any:
    """One MessagePack value; raw strings that aren't UTF-8 are bytes, map keys become text.

    Args:
        data: the value, and nothing after it.
        marks: what ``d8`` and ``d9`` meant to the encoder (``c4`` is then "undefined");
            None if they mean what they do today.

    Raises:
        Undecodable: not MessagePack, nested deeper than 64 levels, or of more than 20,000 values.
    """
    reader = _Reader(data, marks)
    try:
        value = reader.value(MAX_DEPTH)
    except (IndexError, error):
        raise _malformed("it ends too early", len(data)) from None
    if reader.position != len(data):
        raise _malformed("bytes follow its end", reader.position)
    return value


def key_text(key: object) -> str:
    """A map's key as text, as JSON would have it.

    Raises:
        Undecodable: it is neither text nor a number.
    """
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        text = text_or_bytes(key)
        if isinstance(text, str):
            return text
    elif isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise Undecodable("undecodable", "a map's key is neither text nor a whole number")


class _Reader:
    """Where decoding stands in one message.

    Attributes:
        position: the index of the next byte.
    """

    __slots__ = ("_data", "_left", "_marks", "position")

    def __init__(self, data: bytes, marks: OldMarks | None) -> None:
        self._data = data
        self._marks = marks
        self._left = MAX_VALUES
        self.position = 0

    def value(self, depth: int) -> Any:
        """The next value, with at most ``depth`` levels of containers. Raises IndexError or struct.error at the end."""
        self._left -= 1
        if self._left < 0:
            raise Undecodable("too_many_values", f"more than {MAX_VALUES} MessagePack values")
        mark = self._data[self.position]
        self.position += 1
        if mark < 0x80:
            return mark
        if mark >= 0xE0:
            return mark - 0x100
        if mark < 0xC0:
            return self._short(mark, depth)
        return self._long(mark, depth)

    def _short(self, mark: int, depth: int) -> Any:
        """A value whose length stands in its first byte."""
        if mark < 0x90:
            return self._map(mark & 0x0F, depth)
        if mark < 0xA0:
            return self._array(mark & 0x0F, depth)
        return text_or_bytes(self._take(mark & 0x1F))

    def _long(self, mark: int, depth: int) -> Any:
        """A value whose length, if it has one, follows its first byte."""
        if mark in _SIMPLE_BY_MARK:
            return _SIMPLE_BY_MARK[mark]
        if number := _NUMBER_BY_MARK.get(mark):
            return self._number(number)
        if self._marks and mark in _OLD_MARKS:
            return self._old(mark, self._marks)
        if length := _TEXT_LENGTH_BY_MARK.get(mark):
            return text_or_bytes(self._take(self._number(length)))
        if length := _BINARY_LENGTH_BY_MARK.get(mark):
            return self._take(self._number(length))
        if length := _ARRAY_LENGTH_BY_MARK.get(mark):
            return self._array(self._number(length), depth)
        if length := _MAP_LENGTH_BY_MARK.get(mark):
            return self._map(self._number(length), depth)
        raise _malformed(f"the mark {mark:#04x} begins no value that WAMP has", self.position - 1)

    def _old(self, mark: int, marks: OldMarks) -> Any:
        length = _OLD_MARKS[mark]
        if length is None:
            return None
        taken = self._take(self._number(length))
        return taken if marks == "binary" else text_or_bytes(taken)

    def _number(self, layout: Struct) -> Any:
        number = layout.unpack_from(self._data, self.position)[0]
        self.position += layout.size
        return number

    def _take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self._data):
            raise IndexError
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _array(self, length: int, depth: int) -> list[Any]:
        if not depth:
            raise _too_deep()
        return [self.value(depth - 1) for _ in range(length)]

    def _map(self, length: int, depth: int) -> dict[str, Any]:
        if not depth:
            raise _too_deep()
        # A key is read before its value: a comprehension promises that.
        return {self._key(): self.value(depth - 1) for _ in range(length)}

    def _key(self) -> str:
        start = self.position
        try:
            return key_text(self.value(0))
        except Undecodable as refused:
            if refused.dropped.kind != "too_deep":
                raise
            raise _malformed("a map's key is a container", start) from None


def text_or_bytes(data: bytes) -> str | bytes:
    """UTF-8 as text, anything else as it is."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _malformed(what: str, position: int) -> Undecodable:
    return Undecodable("undecodable", f"not MessagePack: {what} (byte {position})")


def _too_deep() -> Undecodable:
    return Undecodable("too_deep", f"nested deeper than {MAX_DEPTH} levels")
