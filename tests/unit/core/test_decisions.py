"""An answer that is still to come is given once and taken once, in either order."""

from __future__ import annotations

import pytest

from wampgate.core.decisions import Decision, Pending


def test_the_answer_comes_after_someone_waits() -> None:
    pending: Pending[int] = Pending()
    taken: list[int] = []
    pending.then(taken.append)
    assert taken == []
    pending.resolve(5)
    assert taken == [5]


def test_the_answer_is_there_before_someone_waits() -> None:
    pending: Pending[int] = Pending()
    pending.resolve(5)
    taken: list[int] = []
    pending.then(taken.append)
    assert taken == [5]


def test_an_answer_is_given_once() -> None:
    pending: Pending[None] = Pending()
    pending.resolve(None)
    with pytest.raises(RuntimeError, match="given before"):
        pending.resolve(None)


def test_one_waits() -> None:
    pending: Pending[int] = Pending()
    pending.then(lambda _: None)
    with pytest.raises(RuntimeError, match="waits"):
        pending.then(lambda _: None)


def test_a_decision_is_no_unless_it_says_yes_and_says_why() -> None:
    decision = Decision(False, "no rule")
    assert (decision.allowed, decision.failed, decision.disclose) == (False, False, "on_request")
    with pytest.raises(AttributeError):
        decision.allowed = True  # type: ignore[misc]  # that it can't be set is what is shown
