"""Questions that wait together are asked together; one that comes alone waits for nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.batching import FIRST_SIZE, SLOW_SECONDS, Batching

if TYPE_CHECKING:
    from collections.abc import Sequence


class Asked:
    """A database that answers when the test says so."""

    def __init__(self, at_once: int = 1, size: int = 500, learns: bool = True) -> None:
        self.clock = Clock()
        self.batches: list[tuple[list[str], float, Deferred[Any]]] = []
        self.batching: Batching[str] = Batching(
            self.clock, self._ask, at_once=at_once, size=lambda: size, learns=learns
        )

    async def _ask(self, keys: Sequence[str], deadline: float) -> Any:
        answer: Deferred[Any] = Deferred()
        self.batches.append((list(keys), deadline, answer))
        return await answer

    def ask(self, *keys: str, seconds: float = 3.0) -> list[Any]:
        """Ask for keys; what became of each, filled as it is told."""
        told: list[Any] = []
        for key in keys:
            self.batching.ask(key, self.clock.seconds() + seconds).addBoth(told.append)
        self.clock.advance(0)
        return told

    def answer(self, number: int = -1) -> None:
        keys, _, answer = self.batches[number]
        answer.callback([f"answer to {key}" for key in keys])
        self.clock.advance(0)

    def fail(self, number: int = -1) -> None:
        self.batches[number][2].errback(StoreUnavailable("away"))
        self.clock.advance(0)

    @property
    def sizes(self) -> list[int]:
        return [len(keys) for keys, _, _ in self.batches]


def reasons(told: list[Any]) -> list[str]:
    assert all(isinstance(failure.value, StoreUnavailable) for failure in told)
    return [str(failure.value) for failure in told]


def test_what_comes_in_one_turn_leaves_in_the_next_together() -> None:
    asked = Asked()
    told = asked.ask("a", "b")
    assert [keys for keys, _, _ in asked.batches] == [["a", "b"]]
    told += asked.ask("c")
    told += asked.ask("d")
    assert asked.sizes == [2]
    asked.answer()
    assert [keys for keys, _, _ in asked.batches] == [["a", "b"], ["c", "d"]]
    assert told == ["answer to a", "answer to b"]
    asked.answer()
    assert len(asked.clock.getDelayedCalls()) == 0


def test_no_more_batches_than_allowed() -> None:
    asked = Asked(at_once=3)
    for key in "abcdefg":
        asked.ask(key)
    assert [keys for keys, _, _ in asked.batches] == [["a"], ["b"], ["c"]]
    asked.answer(1)
    assert asked.sizes == [1, 1, 1, 4]


def test_batches_grow_while_they_are_quick_and_shrink_when_they_are_slow() -> None:
    asked = Asked()
    asked.ask(*(f"k{number}" for number in range(500)))
    for _ in range(3):
        asked.clock.advance(SLOW_SECONDS / 10)
        asked.answer()
    assert asked.sizes == [FIRST_SIZE, 2 * FIRST_SIZE, 4 * FIRST_SIZE, 8 * FIRST_SIZE]
    for _ in range(2):
        asked.clock.pump([0.05] * 12)
        asked.answer()
    assert asked.sizes[4:] == [4 * FIRST_SIZE, 2 * FIRST_SIZE]
    asked.fail()
    assert asked.sizes[6:] == [FIRST_SIZE]


def test_a_reactor_that_is_late_is_not_the_databases_fault() -> None:
    asked = Asked()
    asked.ask(*(f"k{number}" for number in range(200)), seconds=60)
    for _ in range(3):
        asked.clock.advance(2 * SLOW_SECONDS)  # at once: nobody had a turn meanwhile
        asked.answer()
    assert asked.sizes == [FIRST_SIZE, 2 * FIRST_SIZE, 4 * FIRST_SIZE, 8 * FIRST_SIZE]


def test_a_batch_is_never_larger_than_may_be() -> None:
    asked = Asked(size=2, learns=False)
    asked.ask(*"abcdefg")
    for number in range(4):
        asked.answer(number)
    assert asked.sizes == [2, 2, 2, 1]


def test_one_that_is_known_to_be_quick_needs_not_to_learn() -> None:
    asked = Asked(learns=False)
    asked.ask(*(str(number) for number in range(600)))
    asked.answer()
    assert asked.sizes == [500, 100]


def test_who_gives_up_while_waiting_is_not_asked_for() -> None:
    asked = Asked()
    first, second = asked.ask("a", seconds=9), asked.ask("b", seconds=1)
    asked.clock.advance(1)
    assert reasons(second) == ["the token store did not answer in time"]
    asked.answer()
    assert first == ["answer to a"]
    assert asked.sizes == [1]


def test_who_gives_up_on_the_way_takes_nobody_along() -> None:
    asked = Asked()
    asked.ask("first", seconds=9)
    soon, late = asked.ask("soon", seconds=1), asked.ask("late", seconds=5)
    asked.answer()
    assert asked.batches[1][1] == 5.0  # the batch may take as long as anyone in it waits
    asked.clock.advance(1)
    assert len(reasons(soon)) == 1
    asked.answer()
    assert late == ["answer to late"]
    assert len(soon) == 1


def test_whose_deadline_has_passed_is_not_asked_for() -> None:
    asked = Asked()
    assert reasons(asked.ask("late", seconds=0)) == ["the token store did not answer in time"]
    assert asked.batches == []


def test_an_answer_may_be_a_refusal_for_one_alone() -> None:
    asked = Asked()
    told = asked.ask("a", "b")
    asked.batches[0][2].callback([StoreUnavailable("a row is odd"), "answer to b"])
    assert reasons(told[:1]) == ["a row is odd"]
    assert told[1:] == ["answer to b"]


def test_a_failure_reaches_everyone_as_an_error_of_ones_own() -> None:
    asked = Asked()
    told = asked.ask("a", "b")
    asked.fail()
    assert reasons(told) == ["away", "away"]
    assert told[0].value is not told[1].value
    asked.ask("next")
    assert asked.sizes == [2, 1]


def test_whatever_goes_wrong_everyone_is_told_and_the_log_repeats_no_secret() -> None:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        asked = Asked()
        first = asked.ask("a")
        asked.batches[0][2].errback(KeyError("canary"))
        second = asked.ask("b")
        asked.batches[1][2].callback([])
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert reasons(first + second) == ["the token store failed; the log says more"] * 2
    assert [event["error"] for event in events] == ["KeyError", "ValueError"]
    assert "canary" not in repr(events)


@given(
    steps=st.lists(st.one_of(st.just("ask"), st.integers(0, 20), st.floats(0, 1)), max_size=60),
    at_once=st.integers(1, 3),
    size=st.integers(1, 9),
)
def test_everyone_is_told_once_and_the_bounds_hold(steps: list[Any], at_once: int, size: int) -> None:
    """Asking, answering in any order and time passing, against what must hold after each step."""
    asked = Asked(at_once, size)
    told: dict[str, list[Any]] = {}
    for place, step in enumerate(steps):
        under_way = [number for number, batch in enumerate(asked.batches) if not batch[2].called]
        if step == "ask":
            told[f"k{place}"] = asked.ask(f"k{place}", seconds=2.0)
        elif isinstance(step, float):
            asked.clock.advance(step)
        elif under_way:
            asked.answer(under_way[step % len(under_way)])
        assert sum(not batch[2].called for batch in asked.batches) <= at_once
        assert all(batch <= size for batch in asked.sizes)
        assert all(len(outcomes) <= 1 for outcomes in told.values())
    asked.clock.advance(3)
    assert all(len(outcomes) == 1 for outcomes in told.values())
    assert all(answer == f"answer to {key}" or len(reasons([answer])) for key, (answer,) in told.items())


def test_however_many_wait_there_is_one_timer_and_each_keeps_its_own_deadline() -> None:
    asked = Asked()
    told = [asked.ask(f"key {number}", seconds=3.0 + number) for number in range(50)]
    # The next batch, the look at how late the reactor is, and the one deadline.
    assert len(asked.clock.getDelayedCalls()) <= 3
    sooner = asked.ask("sooner", seconds=1.0)
    asked.clock.pump([1.0] + [0] * 10)
    assert len(reasons(sooner)) == 1
    assert told == [[] for _ in told]
    for number in range(50):
        asked.clock.pump([2.0 if number == 0 else 1.0] + [0] * 10)
        assert [len(each) for each in told] == [1] * (number + 1) + [0] * (49 - number)


def test_when_all_have_their_answers_nothing_waits() -> None:
    asked = Asked(size=500, learns=False)
    told = asked.ask("a", "b", "c")
    asked.answer()
    asked.clock.advance(0)
    assert told == ["answer to a", "answer to b", "answer to c"]
    assert asked.clock.getDelayedCalls() == []
