"""Coroutines are run as far as they go, and on from there; what they fail with is told, and nothing else is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher

from wampgate.stepping import run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def failures() -> Iterator[list[Any]]:
    """What was logged as a failure."""
    found: list[Any] = []

    def observe(event: Any) -> None:
        if event["log_level"] is LogLevel.critical:
            found.append(event["log_failure"].value)

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


def test_what_does_not_wait_is_over_at_once_and_makes_no_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    before = Deferred.__init__

    def counted(self: Any, *args: Any) -> None:
        made.append(self)
        before(self, *args)

    monkeypatch.setattr(Deferred, "__init__", counted)
    told: list[str] = []

    async def inner() -> str:
        return "inner"

    async def outer() -> None:
        told.append(await inner())

    run(outer())
    assert (told, made) == (["inner"], [])


def test_what_waits_goes_on_with_each_answer(failures: list[Any]) -> None:
    first, second = Deferred[str](), Deferred[str]()
    told: list[str] = []

    async def asks() -> None:
        told.append(await first)
        told.append(await second)

    run(asks())
    assert told == []
    first.callback("one")
    assert told == ["one"]
    second.callback("two")
    assert (told, failures) == (["one", "two"], [])


def test_an_answer_that_is_there_already_is_not_waited_for() -> None:
    there = Deferred[str]()
    there.callback("there")
    told: list[str] = []

    async def asks() -> None:
        told.append(await there)

    run(asks())
    assert told == ["there"]


def test_a_failure_is_raised_where_it_is_awaited(failures: list[Any]) -> None:
    answer, later = Deferred[str](), Deferred[str]()
    told: list[str] = []

    async def asks() -> None:
        try:
            await answer
        except KeyError as error:
            told.append(repr(error))
        told.append(await later)

    run(asks())
    answer.errback(KeyError("lost"))
    later.callback("and on")
    assert (told, failures) == (["KeyError('lost')", "and on"], [])


def test_what_nobody_catches_is_logged_once(failures: list[Any]) -> None:
    answer = Deferred[str]()

    async def at_once() -> None:
        raise ValueError("at once")

    async def later() -> None:
        await answer
        raise ValueError("later")

    run(at_once())
    run(later())
    answer.callback("go on")
    assert [str(failure) for failure in failures] == ["at once", "later"]
