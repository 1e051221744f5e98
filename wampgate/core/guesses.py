"""How many tokens an address may guess wrong: failures are counted for a minute, successes never.

What is being checked counts as if it would fail, until it is known: or else a
thousand guesses that come at once would all be looked up. Those that find no
place wait until one is free; honest ones free it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

BY_ADDRESS: Final = "failed_logins_per_address_per_minute"
IN_ALL: Final = "failed_logins_per_minute"

_MINUTE: Final = 60.0

_MANY: Final = 10_000
"""Above so many addresses, those whose minute is over are forgotten."""


class _Address:
    """What is known of one address: its minute's beginning and failures, and what is under way and waits."""

    __slots__ = ("advancing", "failures", "since", "under_way", "waiting")

    def __init__(self, now: float) -> None:
        self.since = now
        self.failures = 0
        self.under_way: dict[str, int] = {}
        self.waiting: dict[str, list[Callable[[], None]]] = {}
        self.advancing = False


class Guesses:
    """Counts refused logins by address and in all.

    Args:
        limit: refused logins of one address in a minute; then none of its tokens is looked up.
        now: the monotonic clock, in seconds.
        total: refused logins of all addresses in a minute; beyond it, one failure is
            all that an address has. Others still get in: who guesses must not lock
            everyone out. 0 for no such limit.
    """

    def __init__(self, limit: int, now: Callable[[], float], total: int = 0) -> None:
        self._limit = limit
        self._total = total
        self._now = now
        self._addresses: dict[str, _Address] = {}
        self._sweep_at = _MANY
        self._since = now()
        self._failures = 0

    def adopt(self, limit: int, total: int) -> None:
        """Count by other limits from now on; what was counted stays. See the class for the arguments."""
        self._limit = limit
        self._total = total

    def exhausted(self, address: str) -> str | None:
        """The limit (its key) because of which this address has to wait for its minute to end; None if it need not."""
        known = self._addresses.get(address)
        # Most have no failure at all.
        if known is None or not known.failures or self._failures_of(known) < self._allowed():
            return None
        return BY_ADDRESS if known.failures >= self._limit else IN_ALL

    def attempt(self, address: str, token: str, check: Callable[[], None]) -> None:
        """Call ``check`` once there is a place for its token: now, or when others are done.

        Those that show the same token need one place together, as they need one
        look-up. :meth:`ended` has to follow each ``check``, which has to ask first
        whether the address has exhausted its guesses meanwhile.
        """
        known = self._known(address)
        if token in known.under_way:
            known.under_way[token] += 1
            check()
            return
        if not known.waiting and self._has_place(known):
            known.under_way[token] = 1
            check()
            return
        known.waiting.setdefault(token, []).append(check)
        self._advance(known)

    def failed(self, address: str) -> None:
        """Count a token that was not accepted."""
        self._failures_of(known := self._known(address))
        known.failures += 1
        now = self._now()
        if now - self._since >= _MINUTE:
            self._since, self._failures = now, 0
        self._failures += 1

    def ended(self, address: str, token: str) -> None:
        """One that showed a token has its answer; after :meth:`failed` if it was not accepted."""
        known = self._addresses[address]
        known.under_way[token] -= 1
        if not known.under_way[token]:
            del known.under_way[token]
            self._advance(known)

    def _advance(self, known: _Address) -> None:
        """Let those that wait go on, as far as there are places, or nothing is left to wait for."""
        if known.advancing:  # a check that ended at once: whoever called it goes on
            return
        known.advancing = True
        while known.waiting and self._has_place(known):
            token = next(iter(known.waiting))
            checks = known.waiting.pop(token)
            known.under_way[token] = len(checks)
            for check in checks:
                check()
        known.advancing = False

    def _has_place(self, known: _Address) -> bool:
        """Whether one more may be looked at; or is to be refused, since all guesses are used up."""
        failures, allowed = self._failures_of(known), self._allowed()
        return not failures < allowed <= failures + len(known.under_way)

    def _allowed(self) -> int:
        over = self._total and self._failures >= self._total and self._now() - self._since < _MINUTE
        return 1 if over else self._limit

    def _failures_of(self, known: _Address) -> int:
        """The failures of an address in its current minute."""
        now = self._now()
        if now - known.since >= _MINUTE:
            known.since, known.failures = now, 0
        return known.failures

    def _known(self, address: str) -> _Address:
        known = self._addresses.get(address)
        if known is None:
            if len(self._addresses) >= self._sweep_at:
                self._forget()
            known = self._addresses[address] = _Address(self._now())
        return known

    def _forget(self) -> None:
        self._addresses = {
            address: known
            for address, known in self._addresses.items()
            if known.under_way or known.waiting or self._failures_of(known)
        }
        # However many are left, the next sweep costs little for each address that came since.
        self._sweep_at = max(_MANY, 2 * len(self._addresses))
