"""SASLprep (RFC 4013): names and passwords that look the same are the same bytes."""

from __future__ import annotations

import stringprep
import unicodedata
from typing import Final

_PROHIBITED: Final = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def saslprep(text: str) -> str:
    """A name or password in its one form.

    Raises:
        ValueError: it holds a character that none may hold, or mixes directions of writing.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if any(prohibited(character) for character in normal for prohibited in _PROHIBITED):
        raise ValueError("a character in it is not allowed in names and passwords (RFC 4013)")
    _check_direction(normal)
    return normal


def _check_direction(text: str) -> None:
    """RFC 3454, section 6: text from right to left is that from its first character to its last."""
    if any(stringprep.in_table_d1(character) for character in text):
        ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
        if not ends or any(stringprep.in_table_d2(character) for character in text):
            raise ValueError("it mixes text from left to right with text from right to left (RFC 4013)")
