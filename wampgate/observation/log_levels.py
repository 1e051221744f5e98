"""The parts of the log, and from which level on each of them is heard; both may change while the router runs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from twisted.logger import LogLevel

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS: Final[Mapping[str, int]] = {"debug": 0, "info": 1, "warn": 2, "error": 3, "critical": 4}
"""The levels, from that on which most is said to that on which least is."""

DEFAULTS: Final[Mapping[str, str]] = {
    "router": "info",
    "sessions": "info",
    "authentication": "info",
    "authorization": "info",
    "administration": "info",
    "stores": "info",
    "bridges": "info",
    "http": "info",
    "access": "warn",
    "transports": "info",
    "twisted": "warn",
}
"""The parts, and from which level on each is heard where nothing else is said."""

_RANKS: Final = {getattr(LogLevel, name): rank for name, rank in LEVELS.items()}

# The longest beginning decides. What the core records has namespaces of its own, see `journal.py`.
_PART_BY_NAMESPACE: Final[Mapping[str, str]] = {
    "wampgate": "router",
    "wampgate.sessions": "sessions",
    "wampgate.authentication": "authentication",
    "wampgate.http.login": "authentication",
    "wampgate.authorization": "authorization",
    "wampgate.administration": "administration",
    "wampgate.stores": "stores",
    "wampgate.stores.outbox": "bridges",
    "wampgate.stores.outbox_wake": "bridges",
    "wampgate.history": "stores",
    "wampgate.bridge": "bridges",
    "wampgate.http": "http",
    "wampgate.access": "access",
    "wampgate.transports": "transports",
    # What a library or a plugin prints.
    "stdout": "router",
    "stderr": "router",
}


@lru_cache(1024)
def part_of(namespace: str) -> str:
    """The part that a logger's lines belong to."""
    beginning = namespace
    while beginning:
        if beginning in _PART_BY_NAMESPACE:
            return _PART_BY_NAMESPACE[beginning]
        beginning = beginning.rpartition(".")[0]
    return "twisted"


class Levels:
    """From which level on each part is heard, now."""

    __slots__ = ("_rank_by_part",)

    def __init__(self) -> None:
        self._rank_by_part = {part: LEVELS[level] for part, level in DEFAULTS.items()}

    def set(self, part: str, level: str) -> None:
        """Hear a part from a level on.

        Raises:
            KeyError: there is no such part, or no such level.
        """
        if part not in self._rank_by_part:
            raise KeyError(part)
        self._rank_by_part[part] = LEVELS[level]

    def by_part(self) -> dict[str, str]:
        """The level of each part."""
        names = list(LEVELS)
        return {part: names[rank] for part, rank in self._rank_by_part.items()}

    def hears(self, part: str, level: object) -> bool:
        """Whether a line would be written: before this is known, nothing is done for it.

        Args:
            part: one of :data:`DEFAULTS`.
            level: one of :class:`twisted.logger.LogLevel`.
        """
        return _RANKS.get(level, 1) >= self._rank_by_part[part]
