"""Guesses: failures of an address and of all are counted for a minute, and what is under way counts meanwhile."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from unit.core.routed import Clock, Routed

from wampgate.core.guesses import Guesses

if TYPE_CHECKING:
    from collections.abc import Callable


class Store:
    """Looks tokens up, in the order in which the test lets it answer."""

    def __init__(self, limit: int = 3, total: int = 0) -> None:
        self.clock = Clock()
        self.guesses = Guesses(limit, self.clock, total)
        self.under_way: deque[tuple[str, str]] = deque()
        self.looked_up: list[str] = []
        self.refused: list[str] = []

    def attempt(self, address: str, token: str) -> None:
        """Show a token, as the router does."""

        def check() -> None:
            if self.guesses.exhausted(address):
                self.refused.append(token)
                self.guesses.ended(address, token)
            else:
                self.looked_up.append(token)
                self.under_way.append((address, token))

        self.guesses.attempt(address, token, check)

    def answer(self, *, good: bool) -> None:
        address, token = self.under_way.popleft()
        if not good:
            self.guesses.failed(address)
        self.guesses.ended(address, token)


def test_as_many_as_may_fail_are_looked_up_at_once_and_no_more() -> None:
    store = Store(limit=3)
    for number in range(1000):
        store.attempt("a", f"guess {number}")
    assert store.looked_up == ["guess 0", "guess 1", "guess 2"]
    while store.under_way:
        store.answer(good=False)
    assert len(store.looked_up) == 3
    assert len(store.refused) == 997


def test_honest_ones_wait_for_each_other_and_all_get_in() -> None:
    store = Store(limit=3)
    for number in range(1000):
        store.attempt("a", f"token {number}")
    while store.under_way:
        store.answer(good=True)
    assert store.looked_up == [f"token {number}" for number in range(1000)]
    assert store.refused == []


def test_a_failure_takes_a_place_from_those_that_wait() -> None:
    store = Store(limit=2)
    for number in range(4):
        store.attempt("a", str(number))
    store.answer(good=False)
    assert len(store.looked_up) == 2
    store.answer(good=True)
    assert store.looked_up == ["0", "1", "2"]
    store.answer(good=False)
    assert store.refused == ["3"]


def test_one_token_needs_one_place_however_many_show_it() -> None:
    store = Store(limit=2)
    for token in ("0", "0", "1", "2", "2", "0", "2"):
        store.attempt("a", token)
    assert store.looked_up == ["0", "0", "1", "0"]
    for _ in range(3):
        store.answer(good=True)
    assert store.looked_up[4:] == ["2", "2", "2"] or store.under_way
    while store.under_way:
        store.answer(good=True)
    assert sorted(store.looked_up) == ["0", "0", "0", "1", "2", "2", "2"]


def test_addresses_do_not_wait_for_each_other() -> None:
    store = Store(limit=1)
    for address in ("a", "b", "c"):
        store.attempt(address, f"of {address}")
    assert store.looked_up == ["of a", "of b", "of c"]


def test_a_minute_later_all_begins_anew() -> None:
    store = Store(limit=1)
    store.attempt("a", "wrong")
    store.answer(good=False)
    assert store.guesses.exhausted("a")
    store.clock.now += 59.9
    assert store.guesses.exhausted("a")
    store.clock.now += 0.1
    assert not store.guesses.exhausted("a")


def test_many_addresses_that_guess_get_one_try_each_and_honest_ones_still_get_in() -> None:
    store = Store(limit=50, total=100)
    for number in range(100):
        store.guesses.failed(f"attacker {number}")
    assert store.guesses.exhausted("attacker 1")
    assert not store.guesses.exhausted("honest")
    store.guesses.failed("attacker 100")
    assert store.guesses.exhausted("attacker 100")
    store.clock.now += 60
    assert not store.guesses.exhausted("attacker 1")


def test_what_is_over_is_forgotten() -> None:
    store = Store(limit=3)
    for number in range(30_000):
        store.clock.now += 0.01
        store.attempt(f"address {number}", "token")
        store.answer(good=number % 2 == 0)
    assert len(store.guesses._addresses) <= 10_001


@given(
    limit=st.integers(1, 4),
    steps=st.lists(st.one_of(st.integers(0, 5), st.booleans(), st.just("minute")), max_size=60),
)
def test_everyone_gets_an_answer_and_failures_stay_within_the_limit(limit: int, steps: list[int | bool | str]) -> None:
    store = Store(limit=limit)
    shown = failures = 0
    for step in steps:
        if isinstance(step, bool):
            if store.under_way:
                failures += len({store.under_way[0][1]} if not step else ())
                store.answer(good=step)
        elif step == "minute":
            store.clock.now += 60
            failures = 0
        else:
            shown += 1
            store.attempt("a", f"{step} {shown}")
        assert len(store.under_way) <= limit
    while store.under_way:
        store.answer(good=True)
    assert len(store.looked_up) + len(store.refused) == shown


def test_a_crowd_of_guesses_reaches_the_store_no_more_often_than_its_limit() -> None:
    routed = Routed(guesses=5)
    routed.realm.add_user("joe", "7")
    routed.realm.store.slow = True
    peers = [routed.peer() for _ in range(200)]
    for number, peer in enumerate(peers):
        peer.hello(authmethods=["ticket"])
        peer.say(5, f"guess {number}", {})
    assert len(routed.realm.store.asked) == 5
    while routed.waiting:
        routed.answer()
    assert len(routed.realm.store.asked) == 5
    assert all(peer.heard()[-1][2] == "wamp.error.authentication_denied" for peer in peers)
    assert routed.is_empty()


def test_who_leaves_while_it_waits_is_not_looked_up() -> None:
    routed = Routed(guesses=1)
    token = routed.realm.add_user("joe", "7")
    routed.realm.store.slow = True
    first, second, third = (routed.peer() for _ in range(3))
    for number, peer in enumerate((first, second, third)):
        peer.hello(authmethods=["ticket"])
        peer.say(5, token if peer is third else f"guess {number}", {})
    second.leave()
    routed.realm.store.slow = False
    first.leave()
    answers: list[Callable[[], None]] = [routed.answer]
    answers[0]()
    # The first was a wrong guess, though nobody heard the answer.
    assert third.heard()[-1][2] == "wamp.error.authentication_denied"
    assert len(routed.realm.store.asked) == 1
