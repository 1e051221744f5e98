"""What a client does when its connection has ended, or its token soon will: whether to come back, and when.

Nothing here waits or sends: adapters ask, and do it. The table of ends is the one of docs/close-reasons.md.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

NO_TOKEN: Final = "wampgate.client.no_token"  # noqa: S105 - a URI, no secret
"""What fetches the token has failed."""
CONNECTION_LOST: Final = "wampgate.client.connection_lost"
"""The connection ended, or could not be made, without a word from the router."""
UNTRUSTED: Final = "wampgate.client.untrusted"
"""The router's certificate is not to be trusted."""
LEFT: Final = "wamp.close.normal"
"""The client itself has left."""

_TOKEN_EXPIRED: Final = "wampgate.close.token_expired"  # noqa: S105 - a URI, no secret
_CURABLE: Final = frozenset(
    {
        "wamp.error.authentication_failed",
        "wamp.error.authorization_failed",
        "wamp.close.system_shutdown",
        "wampgate.error.limit_exceeded",
        "no HELLO in time",
        NO_TOKEN,
        CONNECTION_LOST,
    }
)
"""Reasons that asking again later may cure, by whatever message or close frame they came."""
_FINAL_CODES: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
"""WebSocket close codes of a mistake that would come again: nobody's network made it."""
_TRY_AGAIN_LATER: Final = 1013
_LATER_SECONDS: Final = 5.0
_SETTLED_SECONDS: Final = 10.0
"""A session that lived so long ended by itself: the next wait is among the short ones again."""
_SOONEST: Final = 1.0
_LAST_CHANCE: Final = 2.0
"""With so many seconds left, it is not tried again: the end and a new connection come anyway."""


@dataclass(frozen=True, slots=True)
class End:
    """How a connection ended, or an attempt to make one.

    Attributes:
        reason: a URI; :data:`CONNECTION_LOST` if nothing was said.
        message: one sentence for a human being.
        told: whether the router said it by GOODBYE or ABORT.
        code: the WebSocket close code; None if there was no WebSocket.
    """

    reason: str
    message: str = ""
    told: bool = False
    code: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Where a session stands, as its ``on_state`` is told.

    Attributes:
        name: ``connecting``, ``joined``, ``waiting`` (for the next attempt) or ``closed`` (for good).
        attempt: how many attempts there were since it was joined and settled, with this one.
        reason, message: of the end before; empty while connecting or joined.
        retry_in: how long it waits, in seconds; 0 unless waiting.
    """

    name: Literal["connecting", "joined", "waiting", "closed"]
    attempt: int = 0
    reason: str = ""
    message: str = ""
    retry_in: float = 0.0


def curable(reason: str) -> bool:
    """Whether what was refused for a reason may be granted later, to the same one who asks."""
    return reason in _CURABLE


class Returning:
    """Decides after each end whether a client comes back, and how long it waits before.

    The waits are drawn with full jitter, evenly between nothing and a bound that doubles:
    after a restart all clients come, and not all in the same moment.

    Args:
        renewable: whether a new token can be had, so that an expired one is no reason to stay away.
        first: the first wait's bound, in seconds.
        longest: no wait is longer, in seconds.
        draw: a number from 0 to 1, evenly.
    """

    def __init__(
        self,
        *,
        renewable: bool,
        first: float = 1.0,
        longest: float = 30.0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if not 0 < first <= longest:
            raise ValueError(f"0 < first <= longest is needed, in seconds; they are {first} and {longest}")
        self.attempt = 0
        self._renewable = renewable
        self._first = first
        self._longest = longest
        self._draw = draw
        self._was_here = False
        self._joined_at: float | None = None

    def connecting(self) -> int:
        """An attempt begins: its number."""
        self.attempt += 1
        return self.attempt

    def joined(self, now: float) -> None:
        """The session has joined, at a time of any monotonic clock in seconds."""
        self._was_here = True
        self._joined_at = now

    def wait_after(self, end: End, now: float) -> float | None:
        """How long to wait before the next attempt, in seconds; None if none may succeed."""
        if self._joined_at is not None and now - self._joined_at > _SETTLED_SECONDS:
            self.attempt = 0
        self._joined_at = None
        if not self._curable(end):
            return None
        return self.wait(_LATER_SECONDS if end.code == _TRY_AGAIN_LATER else 0.0)

    def wait(self, least_bound: float = 0.0) -> float:
        """A wait before the next attempt, in seconds; its bound doubles with each attempt, and is never less."""
        bound = max(least_bound, self._first * 2.0 ** min(max(0, self.attempt - 1), 30))
        return min(self._longest, bound) * self._draw()

    def _curable(self, end: End) -> bool:
        if end.reason == _TOKEN_EXPIRED:
            return self._renewable
        if end.reason == UNTRUSTED:
            # At the start it is a mistake in the settings; later a certificate that its owner will renew.
            return self._was_here
        if end.reason == CONNECTION_LOST:
            return end.code not in _FINAL_CODES
        return curable(end.reason) or not (end.told or end.code in _FINAL_CODES)


class Renewal:
    """When to fetch a new token and show it, within one session.

    The router warns some time before the token ends, and not at all of one that is shorter than that.
    """

    def __init__(self) -> None:
        self._warned_with = 0.0

    def warned(self, seconds: float) -> None:
        """The router says that the token has so many seconds left."""
        self._warned_with = max(self._warned_with, seconds)

    def refreshed(self, seconds: float | None) -> float | None:
        """The router took a token that is good for so long: when to show the next one; None if it will say so."""
        if seconds is None or seconds > self._warned_with:
            return None
        return max(_SOONEST, seconds / 2)

    @staticmethod
    def failed(seconds: float) -> float | None:
        """No new token was had, or it can't be looked at now, so long before the end: when to try again, if at all."""
        return max(_SOONEST, seconds / 2) if seconds > _LAST_CHANCE else None
