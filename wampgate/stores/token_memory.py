"""Remembers for a short while the tokens that were found, as long as every change of them would be heard of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Token
from wampgate.stores.revisions import Revisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.interfaces import Change
    from wampgate.stores.deadlines import Clock

MOST: Final = 20_000
"""So many tokens are remembered, as many as there may be connections by default; the oldest goes first."""


class Witness(Protocol):
    """Knows whether everything that changes is heard of, and when all of it has been."""

    @property
    def hears_tokens(self) -> bool:
        """Whether each change of the rows that the token query reads is heard of at once, now."""

    async def catch_up(self, deadline: float) -> None:
        """Return when every change that was committed before this call has been told.

        Args:
            deadline: by when, in the clock's seconds.

        Raises:
            StoreUnavailable: it can't be said in time.
        """


@dataclass(frozen=True, slots=True)
class _Found:
    """A token as it was found: when it was asked for, by the clock and by the changes heard until then."""

    token: Token
    asked: float
    number: int


class TokenMemory:
    """Tokens that are as they were when they were read, by all that was heard since.

    A remembered token opens nothing by itself: :meth:`confirm` first waits until
    every change that was committed so far has been heard. So what it says is as true as
    what the table says, and nothing is said while the database is silent. Unknown
    and expired tokens are never remembered: one may be inserted or extended at any moment.

    Args:
        clock: tells the time.
        witness: hears of changes.
        seconds: how long a token is remembered; 0 for not at all.
    """

    def __init__(self, clock: Clock, witness: Witness, seconds: float) -> None:
        self._clock = clock
        self._witness = witness
        self._seconds = seconds
        self._heard = Revisions()
        self._found: dict[str, _Found] = {}

    def heard(self, change: Change) -> None:
        """A change was heard of, told to others or not: what was read before holds no more for those it concerns."""
        self._heard.note(change)

    def moment(self) -> int | None:
        """To be noted when tokens are asked for, for :meth:`keep`; None if they must not be remembered."""
        return self._heard.number if self._seconds > 0 and self._witness.hears_tokens else None

    def keep(self, key: str, token: Token, *, asked: float, moment: int) -> None:
        """Remember a token that was found; asked for when the clock said ``asked``, at that moment."""
        self._found.pop(key, None)
        self._found[key] = _Found(token, asked, moment)
        if len(self._found) > MOST:
            del self._found[next(iter(self._found))]

    def knows(self, key: str) -> bool:
        """Whether it is worth while to have a token confirmed."""
        return self._recall(key) is not None

    async def confirm(self, keys: Sequence[str], deadline: float) -> list[Token | None]:
        """For each key the token, with the seconds that it has left now; None where the table has to be asked."""
        try:
            await self._witness.catch_up(deadline)
        except StoreUnavailable:
            return [None] * len(keys)
        return [self._recall(key) for key in keys]

    def _recall(self, key: str) -> Token | None:
        found = self._found.get(key)
        if found is None:
            return None
        age = self._clock.seconds() - found.asked
        left = found.token.seconds_left - age
        if left > 0 and age < self._seconds and self._is_unchanged(found):
            return Token(found.token.user, left)
        del self._found[key]
        return None

    def _is_unchanged(self, found: _Found) -> bool:
        return self._witness.hears_tokens and not self._heard.changed_since(found.number, found.token.user)
