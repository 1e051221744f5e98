"""One heap of deadlines: in order, once, and gone when cancelled."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from unit.core.routed import Clock

from wampgate.core import deadlines as deadlines_module
from wampgate.core.deadlines import Deadline, Deadlines


def test_deadlines_run_when_their_time_has_come_and_in_order() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    ran: list[str] = []
    for seconds, name in ((3, "c"), (1, "a"), (2, "b"), (1, "a again")):
        deadlines.after(seconds, partial(ran.append, name))
    deadlines.run_due()
    assert (ran, deadlines.next(), len(deadlines)) == ([], 1001.0, 4)
    clock.now += 2
    deadlines.run_due()
    assert ran == ["a", "a again", "b"]
    clock.now += 100
    deadlines.run_due()
    deadlines.run_due()
    assert ran == ["a", "a again", "b", "c"]
    assert (deadlines.next(), len(deadlines)) == (None, 0)


def test_a_cancelled_deadline_does_not_run() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    ran: list[str] = []
    kept = deadlines.after(1, partial(ran.append, "kept"))
    gone = deadlines.after(1, partial(ran.append, "gone"))
    deadlines.cancel(gone)
    deadlines.cancel(gone)
    deadlines.cancel(None)
    assert len(deadlines) == 1
    clock.now += 1
    deadlines.run_due()
    assert ran == ["kept"]
    deadlines.cancel(kept)
    assert len(deadlines) == 0


def test_a_deadline_may_cancel_and_set_others() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    ran: list[str] = []
    second = deadlines.at(clock() + 2, lambda: ran.append("second"))

    def first() -> None:
        ran.append("first")
        deadlines.cancel(second)
        deadlines.after(1, lambda: ran.append("third"))

    deadlines.after(1, first)
    clock.now += 2
    deadlines.run_due()
    assert ran == ["first"]
    clock.now += 1
    deadlines.run_due()
    assert ran == ["first", "third"]


def test_cancelled_deadlines_are_swept_out() -> None:
    deadlines = Deadlines(Clock())
    many = 10 * deadlines_module._MANY
    kept = [deadlines.after(1e6, lambda: None) for _ in range(10)]
    for _ in range(many):
        deadlines.cancel(deadlines.after(10, lambda: None))
    # A connection that comes and goes must leave nothing that lives until its deadline.
    assert len(deadlines._heap) < 3 * deadlines_module._MANY
    assert len(deadlines) == len(kept)
    assert deadlines.next() == 1000 + 1e6


def test_a_deadline_with_a_subject_is_called_with_it_and_lets_go_of_it() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    ran: list[object] = []
    due, gone = deadlines.after(1, ran.append, "due"), deadlines.after(1, ran.append, "gone")
    deadlines.cancel(gone)
    clock.now += 1
    deadlines.run_due()
    assert ran == ["due"]
    # What is over must keep nothing alive, though the heap may know it for a while.
    assert (due.subject, gone.subject) == (None, None)


def test_putting_a_deadline_off_makes_no_other_one() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    ran: list[str] = []
    deadline = deadlines.after(5, ran.append, "late")
    for seconds in (10, 3600, 86_400):
        assert deadlines.move(deadline, clock() + seconds) is deadline
    assert len(deadlines._heap) == 1
    clock.now += 5
    deadlines.run_due()
    assert (ran, deadlines.next(), len(deadlines)) == ([], 1000 + 86_400, 1)
    clock.now = 1000 + 86_400
    deadlines.run_due()
    assert ran == ["late"]


def test_a_deadline_may_come_sooner_and_one_that_is_over_comes_no_more() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    ran: list[str] = []
    moved = deadlines.move(deadlines.after(5, ran.append, "sooner"), clock() + 1)
    clock.now += 1
    deadlines.run_due()
    assert ran == ["sooner"]
    assert deadlines.move(moved, clock() + 1) is moved
    assert len(deadlines) == 0


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 9)),
            st.tuples(st.just("cancel"), st.integers(0, 30)),
            st.tuples(st.just("move"), st.integers(0, 300)),
            st.tuples(st.just("pass"), st.integers(0, 5)),
        ),
        max_size=60,
    )
)
def test_deadlines_do_what_a_sorted_list_does(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    made: list[Deadline] = []
    ran: list[int] = []
    pending: dict[int, float] = {}
    for step, number in steps:
        if step == "set":
            pending[len(made)] = clock() + number
            made.append(deadlines.after(number, partial(ran.append, len(made))))
        elif step == "cancel":
            if number < len(made):
                deadlines.cancel(made[number])
                pending.pop(number, None)
        elif step == "move":
            which, seconds = divmod(number, 10)
            if which in pending:
                made[which] = deadlines.move(made[which], clock() + seconds)
                pending[which] = clock() + seconds
        else:
            clock.now += number
            deadlines.run_due()
            due = {which: when for which, when in pending.items() if when <= clock()}
            # Those that were moved come in any order among those of their time.
            assert sorted(ran) == sorted(due)
            assert [due[which] for which in ran] == sorted(due.values())
            ran.clear()
            for which in due:
                del pending[which]
        assert len(deadlines) == len(pending)
        assert deadlines.next() == min(pending.values(), default=None)
    assert ran == []
