"""``wampgate.log.levels()`` and ``wampgate.log.set_level(part, level)``: from which level on each part is heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.errors import RequestRefused, uri
from wampgate.observation.log_levels import DEFAULTS, LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.procedures import Asked
    from wampgate.observation.log_levels import Levels


class LogLevels:
    """Shows and changes the levels of the whole process, until it ends or router.json is read again."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    def procedures(self) -> Mapping[str, Callable[[Asked], None]]:
        """Each procedure by its name. Each raises RequestRefused for arguments that are none of its own."""
        return {"wampgate.log.levels": self.levels, "wampgate.log.set_level": self.set_level}

    def levels(self, asked: Asked) -> None:
        """The level of each part, as keyword arguments."""
        asked.arguments()
        asked.result(**self._levels.by_part())

    def set_level(self, asked: Asked) -> None:
        """Hear a part from a level on; the result is the level that it had before."""
        values = asked.arguments("part", "level")
        part, level = values.get("part"), values.get("level")
        if not isinstance(part, str) or part not in DEFAULTS:
            raise RequestRefused(uri.INVALID_ARGUMENT, f"part is one of {', '.join(DEFAULTS)}")
        if not isinstance(level, str) or level not in LEVELS:
            raise RequestRefused(uri.INVALID_ARGUMENT, f"level is one of {', '.join(LEVELS)}")
        before = self._levels.by_part()[part]
        self._levels.set(part, level)
        asked.result(before)
