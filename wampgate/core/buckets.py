"""How many messages a second: token buckets of sessions, authids and addresses.

A bucket is one number: the time at which it will be full again (the "theoretical
arrival time" of the generic cell rate algorithm). A message may pass if that is
not further away than the burst; then it is put off by what one message costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from wampgate.core.session import Session

    _Kinds: TypeAlias = "tuple[_Bucket | None, ...]"

SUBSCRIBES: Final = 0
PUBLISHES: Final = 1
CALLS: Final = 2

_KINDS: Final = ("subscribes", "publishes", "calls")
_WORDS: Final = ("SUBSCRIBE and REGISTER", "PUBLISH", "CALL")

_MANY: Final = 10_000
"""Above so many authids or addresses, those whose buckets are full are forgotten."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second of whatever has the bucket; 0 for no limit.

    Attributes:
        subscribes: SUBSCRIBE and REGISTER together.
        publishes: PUBLISH, and calls of ``wampgate.publish``.
        calls: CALL.
    """

    subscribes: float = 0.0
    publishes: float = 0.0
    calls: float = 0.0

    def __iter__(self) -> Iterator[float]:
        yield from (self.subscribes, self.publishes, self.calls)


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit on a rate that a message went beyond.

    Attributes:
        limit: its key in router.json, below ``limits``.
        message: for the client.
    """

    limit: str
    message: str


class _Bucket:
    """What one kind's buckets of one owner (session, authid or address) have in common."""

    __slots__ = ("burst", "exceeded", "interval")

    def __init__(self, kind: int, owner: str, rate: float, burst_seconds: float) -> None:
        self.interval = 1 / rate
        # At least one message may always come at once; half an interval keeps rounding out of it.
        self.burst = max(burst_seconds, self.interval) - self.interval / 2
        self.exceeded = Exceeded(
            f"{_KINDS[kind]}_per_second_per_{owner}",
            f"more than {rate:g} {_WORDS[kind]} messages a second from this {owner}; wait and try again",
        )

    def overflows(self, full: list[float], kind: int, now: float) -> bool:
        """Take one message; whether it is one too many, and then it is not taken."""
        at = full[kind]
        if at < now:
            full[kind] = now + self.interval
            return False
        if at - now > self.burst:
            return True
        full[kind] = at + self.interval
        return False


class Buckets:
    """Says of each message whether it is one too many. One instance for all realms.

    Args:
        session: what one session may send.
        authid: what all sessions of one authid in one realm may send together.
        address: what all sessions from one address may send together.
        burst_seconds: how many seconds' worth may come at once.
        now: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        session: Rates,
        authid: Rates | None = None,
        address: Rates | None = None,
        burst_seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._now = now
        self._full_by_authid = _FullByOwner()
        self._full_by_address = _FullByOwner()
        self._measure(
            _of("session", session, burst_seconds),
            _of("authid", authid or Rates(), burst_seconds),
            _of("address", address or Rates(), burst_seconds),
        )

    def adopt(self, other: Buckets) -> None:
        """Count by the rates of others from now on; how full each owner's buckets are, stays."""
        self._measure(other._session, other._authid, other._address)

    def _measure(self, session: _Kinds, authid: _Kinds, address: _Kinds) -> None:
        self._session, self._authid, self._address = session, authid, address
        self._shared = tuple(authid[kind] is not None or address[kind] is not None for kind in range(len(_KINDS)))

    def exceeded(self, kind: int, session: Session) -> Exceeded | None:
        """Count a message; the limit that it goes beyond, None if it may pass.

        What is refused costs nothing: who stops for a moment can go on.

        Args:
            kind: :data:`SUBSCRIBES`, :data:`PUBLISHES` or :data:`CALLS`.
            session: who sent it.
        """
        now = self._now()
        bucket = self._session[kind]
        if bucket is not None:
            full = session.buckets
            if full is None:
                full = session.buckets = [0.0] * len(_KINDS)
            if full[kind] < now:
                # As overflows has it, without a call more for each message of who is far from any limit.
                full[kind] = now + bucket.interval
            elif bucket.overflows(full, kind, now):
                return bucket.exceeded
        return self._shared_exceeded(kind, session, now) if self._shared[kind] else None

    def _shared_exceeded(self, kind: int, session: Session, now: float) -> Exceeded | None:
        bucket = self._authid[kind]
        if bucket is not None:
            full = self._full_by_authid.of((session.realm.name, session.principal.authid), now)
            if bucket.overflows(full, kind, now):
                return bucket.exceeded
        bucket = self._address[kind]
        if bucket is not None:
            full = self._full_by_address.of(session.connection.network, now)
            if bucket.overflows(full, kind, now):
                return bucket.exceeded
        return None


class _FullByOwner:
    """The buckets of authids or addresses: they outlive the sessions, or a new session would fill them."""

    __slots__ = ("_full_by_owner", "_sweep_at")

    def __init__(self) -> None:
        self._full_by_owner: dict[object, list[float]] = {}
        self._sweep_at = _MANY

    def __len__(self) -> int:
        return len(self._full_by_owner)

    def of(self, owner: object, now: float) -> list[float]:
        """The times at which an owner's buckets are full, by kind."""
        full = self._full_by_owner.get(owner)
        if full is None:
            if len(self._full_by_owner) >= self._sweep_at:
                self._forget(now)
            full = self._full_by_owner[owner] = [0.0] * len(_KINDS)
        return full

    def _forget(self, now: float) -> None:
        """Let go of full buckets: a new one is full as well."""
        self._full_by_owner = {owner: full for owner, full in self._full_by_owner.items() if max(full) > now}
        # However many are left, the next sweep costs little for each owner that came since.
        self._sweep_at = max(_MANY, 2 * len(self._full_by_owner))


def _of(owner: str, rates: Rates, burst_seconds: float) -> _Kinds:
    return tuple(_Bucket(kind, owner, rate, burst_seconds) if rate else None for kind, rate in enumerate(rates))
