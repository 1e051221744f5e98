"""The queue of one slow reader does what the naive way does: order, replacements, drops, what is taken back."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from wampgate.core.broker import Subscription
from wampgate.core.slow_readers import Perishable
from wampgate.transports.waiting import Part, Waiting

PLAIN, DROP, LATEST = "plain", "drop", "latest"


def part(kind: str, number: int, size: int, place: int = 1) -> Part:
    """A frame of a subscription; of ``latest`` there are two keys for each."""
    frame = b"%06d" % number + b"x" * size
    if kind == PLAIN:
        return (place, frame, None)
    subscription = Subscription(place, f"a.{place}", "exact", 0.0)
    key = (place, f"a.{place}", b"%d" % (number % 2)) if kind == LATEST else None
    return (place, frame, Perishable(subscription, float(number), key))


class Naive:
    """A plain list, looked through for everything."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    @property
    def size(self) -> int:
        return sum(len(frame) for _, frame, _ in self.parts)

    def append(self, new: Part) -> bool:
        key = new[2].key if new[2] is not None else None
        kept = [old for old in self.parts if key is None or old[2] is None or old[2].key != key]
        replaced = len(kept) < len(self.parts)
        self.parts = [*kept, new]
        return replaced

    def drop(self, limit: int, enough: int) -> list[Perishable]:
        dropped = []
        while self.size > enough:
            droppable = [old for old in self.parts if old[2] is not None and old[2].key is None]
            if not droppable or (len(droppable) == 1 and self.size <= limit):
                break
            self.parts.remove(droppable[0])
            dropped.append(droppable[0][2])
        return [perishable for perishable in dropped if perishable is not None]

    def take(self, size: int) -> list[Part]:
        taken: list[Part] = []
        while self.parts and sum(len(frame) for _, frame, _ in taken) < size:
            taken.append(self.parts.pop(0))
        return taken

    def retract(self, subscription: int) -> None:
        self.parts = [old for old in self.parts if old[0] != subscription]


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([PLAIN, DROP, LATEST]), st.integers(0, 300), st.integers(1, 3)),
        st.tuples(st.sampled_from([DROP, LATEST]), st.integers(0, 30), st.integers(1, 2)),
        st.tuples(st.just("drop_some"), st.integers(0, 800), st.integers(0, 800)),
        st.tuples(st.just("take"), st.integers(1, 400), st.just(0)),
        st.tuples(st.just("retract"), st.integers(1, 3), st.just(0)),
    ),
    min_size=15,
    max_size=60,
)


def play(sequence: list[tuple[str, int, int]], seen: dict[str, int]) -> None:
    waiting, naive = Waiting(), Naive()
    for number, (what, first, second) in enumerate(sequence):
        if what == "drop_some":
            limit, enough = max(first, second), min(first, second)
            dropped = waiting.drop(limit, enough)
            assert dropped == naive.drop(limit, enough)
            seen["dropped"] += len(dropped)
        elif what == "take":
            assert waiting.take(first) == naive.take(first)
        elif what == "retract":
            waiting.retract(first)
            naive.retract(first)
        else:
            new = part(what, number, first, second)
            replaced = waiting.append(new)
            assert replaced == naive.append(new)
            seen["replaced"] += replaced
        assert waiting.parts() == naive.parts
        assert (len(waiting), waiting.size) == (len(naive.parts), naive.size)
        assert waiting.droppable == sum(one[2] is not None and one[2].key is None for one in naive.parts)


def test_it_does_what_the_naive_way_does() -> None:
    seen = {"dropped": 0, "replaced": 0}

    @settings(max_examples=5 * settings().max_examples)
    @given(sequence=steps)
    def same(sequence: list[tuple[str, int, int]]) -> None:
        play(sequence, seen)

    same()
    assert min(seen.values()) > 100


def test_with_many_holes() -> None:
    """Enough of them that the list is made anew, several times."""
    seen = {"dropped": 0, "replaced": 0}
    rounds = [(PLAIN, 5, 3), *[(LATEST, 5, 1)] * 300, *[(DROP, 5, 2)] * 300, ("drop_some", 500, 100), ("take", 20, 0)]
    play(rounds * 3, seen)
    assert seen["replaced"] > 800
    assert seen["dropped"] > 600


def test_the_newest_stays_if_it_fits() -> None:
    waiting = Waiting()
    for number in range(3):
        waiting.append(part(DROP, number, 600))
    assert [perishable.at for perishable in waiting.drop(1000, 500)] == [0, 1]
    assert len(waiting) == 1


def test_memory_is_bounded_however_much_is_replaced_or_dropped() -> None:
    waiting = Waiting()
    waiting.append(part(PLAIN, 0, 10))
    for number in range(20_000):
        waiting.append(part(LATEST, number, 10))
        waiting.append(part(DROP, number, 10))
        waiting.drop(100, 50)
    assert len(waiting._parts) < 300
    assert len(waiting) < 10


def test_a_step_takes_no_longer_the_more_waits() -> None:
    """Ten times as much takes ten times as long, not a hundred times: five tries, since others use the machine too."""

    def seconds(count: int) -> float:
        waiting = Waiting()
        start = time.perf_counter()
        for number in range(count):
            waiting.append(part(PLAIN, number, 1))
        for number in range(count):
            waiting.append(part(DROP, number, 1))
            waiting.append(part(LATEST, number, 1))
            waiting.drop(0, 0)
        while waiting.take(1000):
            pass
        return time.perf_counter() - start

    assert min(seconds(20_000) / seconds(2_000) for _ in range(5)) < 30


def test_what_confirms_a_subscription_is_known() -> None:
    waiting = Waiting()
    waiting.append((-7, b"subscribed", None))
    waiting.append((8, b"event", None))
    assert waiting.confirms(7)
    assert not waiting.confirms(8)
    waiting.take(5)
    assert not waiting.confirms(7)
