"""Gathers questions that wait at the same time into batches, so that a storm of them is a few statements."""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from twisted.internet.base import DelayedCall

    from wampgate.stores.deadlines import Clock

log = Logger()

V = TypeVar("V")

SLOW_SECONDS: Final = 0.5
"""A batch that takes longer was too large: the operator's own query may be slow, and each has its deadline."""

LATE_SECONDS: Final = 0.1
"""A reactor that comes round so much later than it was to is busy: the database may have answered long ago."""

FIRST_SIZE: Final = 8
"""So many keys may the first batch have; the next may have twice as many, and so on."""


class _Question(Generic[V]):
    """One key on its way to an answer, and by when somebody wants it."""

    __slots__ = ("answer", "deadline", "key")

    def __init__(self, key: str, deadline: float) -> None:
        self.key = key
        self.deadline = deadline
        self.answer: Deferred[V] = Deferred()

    def settle(self, answer: V | StoreUnavailable) -> None:
        """Give the answer, unless there has been one."""
        if self.answer.called:
            return
        if isinstance(answer, StoreUnavailable):
            # Each gets an error of its own: a traceback grows with everyone that raises it.
            self.answer.errback(StoreUnavailable(*answer.args))
        else:
            self.answer.callback(answer)


class _Patience(Generic[V]):
    """Gives up questions that were not answered in time: one timer for all that are open, not one for each."""

    def __init__(self, clock: Clock, give_up: Callable[[_Question[V]], None]) -> None:
        self._clock = clock
        self._give_up = give_up
        self._open: dict[_Question[V], None] = {}
        self._earliest = inf
        self._timer: Deadline | None = None

    def add(self, question: _Question[V], seconds: float) -> None:
        """Wait for a question's answer, so many seconds."""
        self._open[question] = None
        if question.deadline < self._earliest:
            self._wait(question.deadline, seconds)

    def remove(self, question: _Question[V]) -> None:
        """A question has its answer."""
        self._open.pop(question, None)
        if not self._open:
            self._stop()

    def _wait(self, until: float, seconds: float) -> None:
        self._stop()
        self._earliest = until
        self._timer = Deadline(self._clock, seconds, self._due)

    def _stop(self) -> None:
        self._earliest = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        """Give up all whose time was over when the first one's was: since then the reactor had its turns for all."""
        came = inf if self._timer is None else self._timer.came
        self._stop()
        for question in [question for question in self._open if question.deadline <= came]:
            self._open.pop(question, None)
            self._give_up(question)
        if self._open and self._timer is None:
            until = min(question.deadline for question in self._open)
            self._wait(until, max(0.0, until - self._clock.seconds()))


class _Lateness:
    """Notices whether the reactor is late while something is under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.noticed = False
        self._wait()

    def _wait(self) -> None:
        self._due = self._clock.seconds() + LATE_SECONDS
        self._timer: DelayedCall | None = self._clock.callLater(LATE_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._clock.seconds() - self._due > LATE_SECONDS:
            self.noticed = True
        else:
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Batching(Generic[V]):
    """Asks for many keys at once: those that came in the same turn of the reactor, or while others were asked for.

    Nothing waits for a batch to become full: one leaves in the next turn whenever
    fewer than ``at_once`` are under way, with whatever waits then. So the busier
    router or database are, the larger the batches, and idle ones answer without delay.
    How large they may become can be learned from how long they take.

    Args:
        clock: tells the time.
        ask: asks for keys, given the deadline in the clock's seconds; returns for each, in
            order, its answer or why there is none, or raises StoreUnavailable for all.
        at_once: so many batches are under way at the same time, at most.
        size: so many keys may the next batch have, at least 1.
        learns: whether a batch may turn out to take too long for so many, as with queries that are not our own.
    """

    def __init__(
        self,
        clock: Clock,
        ask: Callable[[Sequence[str], float], Coroutine[Deferred[object], object, Sequence[V | StoreUnavailable]]],
        *,
        at_once: int,
        size: Callable[[], int],
        learns: bool = True,
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._at_once = at_once
        self._size = size
        self._learns = learns
        self._most = FIRST_SIZE
        self._waiting: dict[_Question[V], None] = {}
        self._patience: _Patience[V] = _Patience(clock, self._give_up)
        self._under_way = 0
        self._sending: DelayedCall | None = None

    def ask(self, key: str, deadline: float) -> Deferred[V]:
        """The answer for a key.

        Args:
            key: what to ask for; who asks for the same twice is given two answers.
            deadline: by when, in the clock's seconds.

        Raises:
            StoreUnavailable: there was none in time, or it can't be had.
        """
        question: _Question[V] = _Question(key, deadline)
        seconds = deadline - self._clock.seconds()
        if seconds <= 0:
            self._give_up(question)
            return question.answer
        self._patience.add(question, seconds)
        self._waiting[question] = None
        self._send_soon()
        return question.answer

    def _give_up(self, question: _Question[V]) -> None:
        self._waiting.pop(question, None)
        question.settle(StoreUnavailable("the token store did not answer in time"))

    def _send_soon(self) -> None:
        if self._sending is None and self._waiting and self._under_way < self._at_once:
            self._sending = self._clock.callLater(0, self._send)

    def _send(self) -> None:
        self._sending = None
        while self._waiting and self._under_way < self._at_once:
            questions = list(islice(self._waiting, min(self._most, self._size()) if self._learns else self._size()))
            for question in questions:
                del self._waiting[question]
            self._under_way += 1
            Deferred.fromCoroutine(self._answer(questions))

    async def _answer(self, questions: Sequence[_Question[V]]) -> None:
        begun, lateness = self._clock.seconds(), _Lateness(self._clock)
        answers = await self._answers(questions)
        lateness.stop()
        self._under_way -= 1
        slow = self._clock.seconds() - begun > SLOW_SECONDS and not lateness.noticed
        self._learn(len(questions), slow=slow or isinstance(answers, _NoAnswers))
        self._send_soon()
        for question, answer in zip(questions, answers, strict=True):
            self._patience.remove(question)
            question.settle(answer)

    def _learn(self, size: int, *, slow: bool) -> None:
        if slow:
            self._most = max(1, min(self._most, size) // 2)
        elif size >= self._most:
            self._most = min(2 * self._most, self._size())

    async def _answers(self, questions: Sequence[_Question[V]]) -> Sequence[V | StoreUnavailable]:
        # Who wants it sooner gives up by a timer of its own and takes nobody along.
        deadline = max(question.deadline for question in questions)
        try:
            answers = await self._ask([question.key for question in questions], deadline)
            if len(answers) != len(questions):
                raise ValueError(f"{len(answers)} answers to {len(questions)} questions")  # noqa: TRY301 - to be logged
        except StoreUnavailable as error:
            return _NoAnswers([error] * len(questions))
        except Exception as error:  # noqa: BLE001 - everyone has to be told; its text may repeat a secret
            log.error("token store: unexpected {error}", error=type(error).__name__)  # noqa: TRY400 - no traceback either
            return _NoAnswers([StoreUnavailable("the token store failed; the log says more")] * len(questions))
        return answers


class _NoAnswers(list[Any]):
    """What everyone is told if a batch failed altogether."""
