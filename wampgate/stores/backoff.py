"""How long to wait before trying again what failed."""

from __future__ import annotations

import random
from typing import Final

_FIRST: Final = 0.05


def delay_after(failures: int, longest: float) -> float:
    """Seconds until the next attempt: none at first, then doubling, never all at the same moment.

    Args:
        failures: how many attempts have failed in a row.
        longest: seconds that no delay exceeds.
    """
    if not failures:
        return 0.0
    delay = min(longest, _FIRST * 2.0 ** min(failures - 1, 16))
    return delay * random.uniform(0.75, 1.0)  # noqa: S311 - spreads load, guards nothing
