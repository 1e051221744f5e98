"""Looks through many things on behalf of a call, a few milliseconds at a time, so that no one else waits for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from wampgate.core.decisions import Decision
from wampgate.core.errors import RequestRefused, uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wampgate.core.decisions import Pending
    from wampgate.core.procedures import Asked
    from wampgate.core.session import Session

T = TypeVar("T")

_AT_ONCE_SECONDS: Final = 0.005
"""So long everything is looked through at once before the router's other work goes on."""

_BETWEEN_LOOKS: Final = 32
"""So many things are looked at between two looks at the clock."""


class _Sifting(Generic[T]):
    """One call's look through what there is."""

    __slots__ = ("asked", "found", "left", "source", "then", "wanted")

    def __init__(
        self,
        asked: Asked,
        source: Callable[[], Iterable[T]],
        wanted: Callable[[T], bool | Decision | Pending[Decision]],
        then: Callable[[list[T]], None],
    ) -> None:
        self.asked = asked
        self.source = source
        self.wanted = wanted
        self.then = then
        self.left: deque[T] | None = None
        self.found: list[T] = []


class Sifter:
    """Shares time fairly between the sessions whose calls look through many things; one call of each at a time.

    Args:
        now: the monotonic clock, in seconds.
        later: does something once the router's other work had its turn; None if there is no other work.
    """

    def __init__(self, now: Callable[[], float], later: Callable[[Callable[[], None]], object] | None = None) -> None:
        self._now = now
        self._later = later
        self._calls: dict[Session, deque[_Sifting[Any]]] = {}
        self._ready: deque[Session] = deque()
        self._awake = False

    def sift(
        self,
        asked: Asked,
        source: Callable[[], Iterable[T]],
        wanted: Callable[[T], bool | Decision | Pending[Decision]],
        then: Callable[[list[T]], None],
    ) -> None:
        """Find what is wanted, now or a little later; a call whose caller has left is forgotten.

        If it can't be decided now whether something is wanted, the call is answered
        with an error: half an answer would look like a whole one.

        Args:
            asked: the call.
            source: all there is, asked once.
            wanted: whether something is; an authorizer's decision is waited for.
            then: told what was found; it answers the call and does not raise.
        """
        calls = self._calls.setdefault(asked.caller, deque())
        calls.append(_Sifting(asked, source, wanted, then))
        if len(calls) == 1:
            self._ready.append(asked.caller)
            self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._work()

    def _work(self) -> None:
        """Look at things until the time is up or all that is left waits for decisions."""
        until = self._now() + _AT_ONCE_SECONDS
        goes_on = False
        try:
            while self._ready and not goes_on:
                caller = self._ready.popleft()
                if self._look(caller, until):
                    self._finish(caller)
                goes_on = self._later is not None and bool(self._ready) and self._now() >= until
        finally:
            self._awake = goes_on
        if goes_on and self._later is not None:
            self._later(self._work)

    def _finish(self, caller: Session) -> None:
        """One call is answered; the caller's next one has its turn after all others."""
        calls = self._calls[caller]
        calls.popleft()
        if calls:
            self._ready.append(caller)
        else:
            del self._calls[caller]

    def _look(self, caller: Session, until: float) -> bool:
        """Go on with a caller's first call; whether it is answered."""
        sifting = self._calls[caller][0]
        if not caller.established:
            return True
        if sifting.left is None:
            sifting.left = deque(sifting.source())
        left, looked_at = sifting.left, 0
        while left:
            looked_at += 1
            if looked_at % _BETWEEN_LOOKS == 0 and self._later is not None and self._now() >= until:
                self._ready.append(caller)
                return False
            answer = sifting.wanted(left[0])
            if not isinstance(answer, bool | Decision):
                answer.then(lambda decision: self._decided(caller, sifting, decision))
                return False
            if not _take(sifting, answer):
                return True
        sifting.then(sifting.found)
        return True

    def _decided(self, caller: Session, sifting: _Sifting[Any], decision: Decision) -> None:
        """What a call waited for is there."""
        if not caller.established or not _take(sifting, decision):
            self._finish(caller)
        else:
            self._ready.append(caller)
        self._wake()


def _take(sifting: _Sifting[Any], answer: bool | Decision) -> bool:
    """Take the next thing, wanted or not; False if the call had to be refused."""
    if isinstance(answer, Decision):
        if answer.failed:
            sifting.asked.refuse(_UNDECIDED)
            return False
        answer = answer.allowed
    if sifting.left is not None:
        thing = sifting.left.popleft()
        if answer:
            sifting.found.append(thing)
    return True


_UNDECIDED: Final = RequestRefused(
    uri.AUTHORIZATION_FAILED, "it could not be decided what this session may see; try again"
)
