"""Session cookies in memory: what is kept of them ends with the process, and other nodes know nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from wampgate.core.logins import KeptCookie

MOST: Final = 200_000
"""So many cookies are kept in all; of too many the oldest goes."""

ENDED: Final = 10_000
"""So many logins that have ended are remembered, for sessions that were joining by them."""


class MemoryCookieStore:
    """A :class:`wampgate.core.logins.CookieStore` in dictionaries.

    Args:
        clock: tells the time in seconds; only differences count.
        per_authid: so many cookies may one authid have; of too many its oldest goes.
        most: so many may there be in all.
    """

    def __init__(self, clock: Callable[[], float], *, per_authid: int, most: int = MOST) -> None:
        self._clock = clock
        self._per_authid = per_authid
        self._most = most
        # In the order in which they were made: the oldest first.
        self._kept: dict[str, tuple[KeptCookie, float]] = {}
        self._cookies_by_authid: dict[str, dict[str, None]] = {}
        self._ended: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def keep(self, kept: KeptCookie, seconds: float, instead_of: str | None) -> None:
        """See :class:`wampgate.core.logins.CookieStore`."""
        if instead_of is not None:
            self._forget(instead_of)
        self._forget_oldest()
        theirs = self._cookies_by_authid.setdefault(kept.authid, {})
        while len(theirs) >= self._per_authid:
            self._forget(next(iter(theirs)))
            theirs = self._cookies_by_authid.setdefault(kept.authid, {})
        theirs[kept.cookie] = None
        self._kept[kept.cookie] = (kept, self._clock() + seconds)

    async def find(self, cookie: str) -> KeptCookie | None:
        """See :class:`wampgate.core.logins.CookieStore`."""
        kept, until = self._kept.get(cookie, (None, 0.0))
        if kept is not None and self._clock() >= until:
            self._forget(cookie)
            return None
        return kept

    async def end(self, cookie: str) -> KeptCookie | None:
        """See :class:`wampgate.core.logins.CookieStore`."""
        kept = await self.find(cookie)
        if kept is not None:
            self._forget(cookie)
            self._ended[kept.login] = None
            if len(self._ended) > ENDED:
                del self._ended[next(iter(self._ended))]
        return kept

    async def ended(self, logins: Sequence[str]) -> Collection[str]:
        """See :class:`wampgate.core.logins.CookieStore`."""
        return {login for login in logins if login in self._ended}

    def _forget_oldest(self) -> None:
        """Make room for one more; a few whose time is over go each time, so that none stays for long."""
        now = self._clock()
        over = [cookie for cookie, (_, until) in list(self._oldest(2)) if now >= until]
        for cookie in over:
            self._forget(cookie)
        while len(self._kept) >= self._most:
            self._forget(next(iter(self._kept)))

    def _oldest(self, count: int) -> Collection[tuple[str, tuple[KeptCookie, float]]]:
        return [item for item, _ in zip(self._kept.items(), range(count), strict=False)]

    def _forget(self, cookie: str) -> None:
        kept = self._kept.pop(cookie, None)
        if kept is None:
            return
        authid = kept[0].authid
        theirs = self._cookies_by_authid[authid]
        del theirs[cookie]
        if not theirs:
            del self._cookies_by_authid[authid]
