"""What keeps the log readable though clients cause its lines: their length and their number are bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LINES: Final = 200
"""So many lines of one kind are written in a period: what an operator reads, and no attacker fills a disk with."""

PERIOD_SECONDS: Final = 10.0

LENGTH: Final = 300
"""Characters of one value in a line."""


class Sparing:
    """Lets so many lines of each kind pass in a period, and counts those that it leaves out.

    Args:
        now: the monotonic clock, in seconds.
        lines: of one kind in one period.
        seconds: the period's length.
    """

    def __init__(self, now: Callable[[], float], *, lines: int = LINES, seconds: float = PERIOD_SECONDS) -> None:
        self._now = now
        self._lines = lines
        self._seconds = seconds
        self._begun: dict[str, float] = {}
        self._written: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def take(self, kind: str) -> int | None:
        """Ask whether a line may be written.

        Args:
            kind: one of a few; each has its own count.

        Returns:
            How many lines of this kind were left out since one was written; None if this one is left out, too.
        """
        now = self._now()
        if now - self._begun.get(kind, -self._seconds) >= self._seconds:
            self._begun[kind], self._written[kind] = now, 0
        if self._written[kind] >= self._lines:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._written[kind] += 1
        return self._left_out.pop(kind, 0)


def clipped(text: str, length: int = LENGTH) -> str:
    """A value that a client may have chosen, no longer than a line has room for."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def printable(text: str) -> str:
    """A value with its control characters escaped, so that no client can write a line of its own."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "replace").decode() for one in text)
