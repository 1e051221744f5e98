"""What a dynamic authorizer has said, kept a short while: by who asked, never by role."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.decisions import Action, Decision
    from wampgate.core.interfaces import Principal
    from wampgate.wire.messages import Match

Request: TypeAlias = "tuple[str, str, str, str | None, bytes, Action, str, Match]"
"""Who asks, beside its authid: role, method, provider, user and extra; then for what: action, URI, match."""


def request_of(who: Principal, action: Action, subject: str, match: Match) -> Request:
    """All that an answer may depend on, beside the authid: it is all that an authorizer is told."""
    extra = msgspec.json.encode(who.extra, order="deterministic") if who.extra else b""
    return (who.authrole, who.authmethod, who.authprovider, who.user, extra, action, subject, match)


class KeptDecisions:
    """Decisions by authid and request, bounded in time and number.

    Whoever asks about very many URIs drives out what is kept of itself first.

    Args:
        now: the router's monotonic clock, in seconds.
        seconds: how long a decision is kept; 0 for not at all.
        limit: so many are kept.

    Attributes:
        hits: how often what was kept was asked for, ever.
        misses: how often nothing was kept that still holds, ever.
    """

    def __init__(self, now: Callable[[], float], *, seconds: float, limit: int) -> None:
        self._now = now
        self._seconds = seconds
        self._limit = limit
        self._share = max(1, limit // 4)
        self._kept_by_authid: dict[str, dict[Request, tuple[float, Decision]]] = {}
        self._count = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return self._count

    def find(self, authid: str, request: Request) -> Decision | None:
        """What was said, if it still holds."""
        kept = self._kept_by_authid.get(authid)
        found = None if kept is None else kept.get(request)
        if found is None or found[0] <= self._now():
            self.misses += 1
            return None
        self.hits += 1
        return found[1]

    def keep(self, authid: str, request: Request, decision: Decision) -> None:
        """Remember what was said just now."""
        if not self._seconds:
            return
        if len(self._kept_by_authid.get(authid, ())) >= self._share:
            self.forget(authid)
        if self._count >= self._limit:
            self._make_room()
        kept = self._kept_by_authid.setdefault(authid, {})
        self._count += request not in kept
        kept[request] = (self._now() + self._seconds, decision)

    def forget(self, authid: str) -> None:
        """Nothing that was said of an authid holds any more."""
        self._count -= len(self._kept_by_authid.pop(authid, ()))

    def authids_of(self, user: str) -> list[str]:
        """The authids of a user of whom something is kept."""
        return [authid for authid, kept in self._kept_by_authid.items() if any(request[3] == user for request in kept)]

    def _make_room(self) -> None:
        """Let go of what holds no more; if that is not enough, of those who asked first."""
        now = self._now()
        self._kept_by_authid = {
            authid: current
            for authid, kept in self._kept_by_authid.items()
            if (current := {request: each for request, each in kept.items() if each[0] > now})
        }
        self._count = sum(map(len, self._kept_by_authid.values()))
        while self._count > self._limit // 2:
            self.forget(next(iter(self._kept_by_authid)))
