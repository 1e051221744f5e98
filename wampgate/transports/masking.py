"""Takes the mask off what clients send (RFC 6455, section 5.3), by Autobahn's C function or by arithmetic."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

try:
    # The C part of Autobahn's wheels; built from source, Autobahn may be without it.
    from _nvx_xormasker import ffi, lib  # type: ignore[import-not-found]  # nothing there has types
except ImportError:
    ffi = lib = None

_ffi: Final[Any] = ffi
_lib: Final[Any] = lib

_BY_ARITHMETIC: Final = 200 if lib is not None else 1 << 63
"""Below so many bytes the arithmetic is quicker than the C function with what it takes to call that."""

_MASK: Final = 4
"""Bytes of a mask."""

_from_bytes: Final = int.from_bytes
_number_at: Final = Struct("<I").unpack_from
_REPEAT: Final = [((1 << 32 * words) - 1) // 0xFFFFFFFF for words in range(257)]
"""What a 32-bit number has to be multiplied by to stand so many times in a row."""


def unmasked(data: bytes, begin: int, end: int) -> bytes:
    """A frame's payload without its mask.

    Args:
        data: what holds the whole frame.
        begin: where the payload begins, behind the four bytes of its mask.
        end: where it ends.
    """
    if end - begin < _BY_ARITHMETIC:
        return by_arithmetic(data, begin, end)
    # Made and freed here: it would remember how much it has masked so far, and has but one mask.
    masker = _lib.nvx_xormask_new(data[begin - _MASK : begin])
    plain = bytearray(data[begin:end])
    _lib.nvx_xormask_process(masker, _ffi.from_buffer(plain), end - begin)
    _lib.nvx_xormask_free(masker)
    return bytes(plain)


def by_arithmetic(data: bytes, begin: int, end: int) -> bytes:
    """The same, as numbers: what takes Python the least time for each byte."""
    words = (end - begin + 3) >> 2
    if words < len(_REPEAT):
        # Multiplying repeats the mask in half the time that repeating its bytes takes.
        key: int = _number_at(data, begin - _MASK)[0] * _REPEAT[words]
    else:
        key = _from_bytes(data[begin - _MASK : begin] * words, "little")
    return (_from_bytes(data[begin:end], "little") ^ key).to_bytes(words << 2, "little")[: end - begin]
