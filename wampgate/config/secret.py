"""A text that is never shown: passwords, tickets and what contains them."""

from __future__ import annotations

from hmac import compare_digest
from typing import Final, NoReturn

HIDDEN: Final = "(hidden)"
"""Stands where a secret would."""


class Secret:
    """Holds a text that only :meth:`reveal` gives back; ``repr``, ``str`` and formatting hide it.

    Args:
        text: the secret.
        written: what may be shown in its place, such as ``${WAMPGATE_POSTGRES_DSN}``.
    """

    __slots__ = ("_text", "written")

    def __init__(self, text: str, written: str = HIDDEN) -> None:
        self._text = text
        self.written = written

    def reveal(self) -> str:
        """The secret itself, for the one who has to use it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({self.written})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
