"""How many tokens an address may guess wrong: failures are counted for a minute, successes never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE: Final = 60.0

_MANY: Final = 10_000
"""Above so many addresses, those whose minute is over are forgotten."""


class Guesses:
    """Counts refused logins by address.

    Args:
        limit: refused logins of one address in a minute; then none of its tokens is looked up.
        now: the monotonic clock, in seconds.
    """

    def __init__(self, limit: int, now: Callable[[], float]) -> None:
        self._limit = limit
        self._now = now
        # When the address's minute began, and how many logins have failed since.
        self._failures_by_address: dict[str, tuple[float, int]] = {}

    def failed(self, address: str) -> None:
        """Count one."""
        now = self._now()
        if len(self._failures_by_address) >= _MANY:
            self._forget(now)
        since, count = self._failures_by_address.get(address, (now, 0))
        if now - since >= _MINUTE:
            since, count = now, 0
        self._failures_by_address[address] = (since, count + 1)

    def exhausted(self, address: str) -> bool:
        """Whether this address has to wait for its minute to end."""
        since, count = self._failures_by_address.get(address, (0.0, 0))
        return count >= self._limit and self._now() - since < _MINUTE

    def _forget(self, now: float) -> None:
        kept = self._failures_by_address
        self._failures_by_address = {
            address: (since, count) for address, (since, count) in kept.items() if now - since < _MINUTE
        }
