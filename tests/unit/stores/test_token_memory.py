"""A remembered token is told only when it is sure that nothing was heard against it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Change, Token
from wampgate.stores import token_memory
from wampgate.stores.token_memory import TokenMemory

SECONDS = 30.0


class Ear:
    """Hears as the test says."""

    def __init__(self) -> None:
        self.hears_tokens = True
        self.asked: list[Deferred[None]] = []

    async def catch_up(self, _deadline: float) -> None:
        self.asked.append(Deferred())
        await self.asked[-1]


class Case:
    """A memory with its clock and its ear."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.clock = Clock()
        self.ear = Ear()
        self.memory = TokenMemory(self.clock, self.ear, seconds)

    def find(self, key: str, user: str = "anna", seconds_left: float = 600.0) -> bool:
        """A token was asked for and found; whether it may be remembered at all."""
        moment = self.memory.moment()
        if moment is not None:
            self.memory.keep(key, Token(user, seconds_left), asked=self.clock.seconds(), moment=moment)
        return moment is not None

    def confirm(self, *keys: str, then: Any = None) -> list[Token | None]:
        """What is told after something has happened while all was being heard."""
        told: list[Any] = []
        Deferred.fromCoroutine(self.memory.confirm(keys, self.clock.seconds() + 3)).addBoth(told.append)
        assert told == []
        if then is not None:
            then()
        self.ear.asked[-1].callback(None)
        [answer] = told
        return list(answer)


def test_it_is_told_with_the_seconds_that_are_left() -> None:
    case = Case()
    case.find("k")
    case.clock.advance(10)
    assert case.memory.knows("k")
    assert case.confirm("k", "unknown") == [Token("anna", 590.0), None]


def test_a_token_without_an_end_has_none() -> None:
    case = Case()
    case.find("k", seconds_left=math.inf)
    case.clock.advance(10)
    assert case.confirm("k") == [Token("anna", math.inf)]


@pytest.mark.parametrize(
    "change", [Change(users=frozenset({"anna"})), Change(everything=True)], ids=["user", "everything"]
)
def test_what_is_heard_before_or_while_it_is_confirmed_makes_it_unknown(change: Change) -> None:
    for before in (True, False):
        case = Case()
        case.find("k")
        if before:
            case.memory.heard(change)
            assert not case.memory.knows("k")
            continue
        assert case.memory.knows("k")
        assert case.confirm("k", then=lambda case=case: case.memory.heard(change)) == [None]


def test_what_is_heard_of_others_changes_nothing() -> None:
    case = Case()
    case.find("k")
    assert case.confirm("k", then=lambda: case.memory.heard(Change(users=frozenset({"bert"})))) == [Token("anna", 600)]


def test_an_answer_that_a_change_overtook_is_never_told() -> None:
    """It was asked for before the change and came after it."""
    case = Case()
    moment = case.memory.moment()
    assert moment is not None
    case.memory.heard(Change(users=frozenset({"anna"})))
    case.memory.keep("k", Token("anna", 600), asked=0.0, moment=moment)
    assert not case.memory.knows("k")


def test_while_nothing_would_be_heard_nothing_is_remembered_or_told() -> None:
    case = Case()
    case.find("before")
    case.ear.hears_tokens = False
    assert not case.find("meanwhile")
    assert not case.memory.knows("before")
    case.ear.hears_tokens = True
    assert not case.memory.knows("before")


def test_what_can_not_be_confirmed_has_to_be_asked_for() -> None:
    case = Case()
    case.find("k")
    told: list[Any] = []
    Deferred.fromCoroutine(case.memory.confirm(["k"], 3.0)).addBoth(told.append)
    case.ear.asked[0].errback(StoreUnavailable("deaf"))
    assert told == [[None]]


def test_it_is_forgotten_in_time() -> None:
    case = Case()
    case.find("k")
    case.find("short", seconds_left=10.0)
    case.clock.advance(9.9)
    assert case.memory.knows("short")
    case.clock.advance(0.1)
    assert not case.memory.knows("short")
    case.clock.advance(SECONDS - 10)
    assert not case.memory.knows("k")


def test_zero_seconds_are_no_memory() -> None:
    case = Case(seconds=0)
    assert not case.find("k")


def test_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_memory, "MOST", 2)
    case = Case()
    for key in ("a", "b", "a", "c"):
        case.find(key)
    assert [case.memory.knows(key) for key in "abc"] == [True, False, True]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("find"), st.sampled_from("ab")),
            st.tuples(st.just("change"), st.sampled_from(["a", "b", None])),
            st.tuples(st.just("pass"), st.integers(1, 20)),
            st.tuples(st.just("deaf"), st.booleans()),
        ),
        max_size=30,
    )
)
def test_against_a_table_whose_changes_are_told(steps: list[tuple[str, Any]]) -> None:
    """Each change gives a user a new token's life; a confirmed token is the table's of this moment."""
    case = Case()
    lives = {"a": 1000.0, "b": 1000.0}  # until when, by the clock
    for what, which in steps:
        if what == "find":
            case.find(which, which, lives[which] - case.clock.seconds())
        elif what == "pass":
            case.clock.advance(which)
        elif what == "deaf":
            if case.ear.hears_tokens is which:  # hearing begins with everything, as the listener tells it
                case.ear.hears_tokens = not which
                if case.ear.hears_tokens:
                    case.memory.heard(Change(everything=True))
        else:
            for user in (which,) if which else "ab":
                lives[user] += 7
            if case.ear.hears_tokens:
                case.memory.heard(
                    Change(users=frozenset(which), everything=False) if which else Change(everything=True)
                )
        for user, told in zip("ab", case.confirm("a", "b"), strict=True):
            assert told is None or told == Token(user, lives[user] - case.clock.seconds())
