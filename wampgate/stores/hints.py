"""Makes few changes of many hints: a storm of them must not become a storm of questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.interfaces import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.base import DelayedCall

    from wampgate.stores.deadlines import Clock

USERS_SECONDS: Final = 0.05
"""Users are told of at most this often; what is heard in between is told together."""

EVERYTHING_SECONDS: Final = 0.5
"""Everything is told of at most this often, since it makes everyone be asked for."""

MANY: Final = 1_000
"""Above so many users in between, everything may as well have changed."""


class Hints:
    """Collects hints; the first after a quiet time is passed on at once.

    Args:
        clock: tells the time.
        tell: is told of changes, never from within :meth:`add`.
    """

    def __init__(self, clock: Clock, tell: Callable[[Change], None]) -> None:
        self._tell = tell
        self._users: set[str] = set()
        self._soon = _Paced(clock, USERS_SECONDS, self._tell_users)
        self._rarely = _Paced(clock, EVERYTHING_SECONDS, self._tell_everything)

    def add(self, hint: Change) -> None:
        """Take a hint."""
        if not hint.everything:
            self._users |= hint.users
        if hint.everything or len(self._users) > MANY:
            self._users.clear()
            self._rarely.due()
        elif self._users:
            self._soon.due()

    def stop(self) -> None:
        """Tell nothing more of what was heard so far."""
        self._users.clear()
        self._soon.stop()
        self._rarely.stop()

    def _tell_users(self) -> None:
        users, self._users = frozenset(self._users), set()
        if users:
            self._tell(Change(users=users))

    def _tell_everything(self) -> None:
        self._users.clear()
        self._tell(Change(everything=True))


class _Paced:
    """Calls something when it is due, but not more often than every so many seconds."""

    def __init__(self, clock: Clock, seconds: float, call: Callable[[], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._call = call
        self._next = 0.0
        self._timer: DelayedCall | None = None

    def due(self) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(max(0.0, self._next - self._clock.seconds()), self._run)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        self._next = self._clock.seconds() + self._seconds
        self._call()
