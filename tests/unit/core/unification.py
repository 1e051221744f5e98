"""Compares what a peer was sent with what the model says, and learns the numbers that the router chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unit.core.model_peers import Name, Text, Together

if TYPE_CHECKING:
    from collections.abc import Sequence


def unify_all(expected: Sequence[Any], heard: Sequence[Any]) -> None:
    """Assert that messages are those that the model says, in its order where it gives one."""
    count = sum(len(one) if isinstance(one, Together) else 1 for one in expected)
    assert len(heard) == count, (heard, expected)
    place = 0
    for one in expected:
        messages = sorted(one, key=_which) if isinstance(one, Together) else [one]
        found = heard[place : place + len(messages)]
        if isinstance(one, Together):
            found = sorted(found, key=_which)
        for mine, theirs in zip(messages, found, strict=True):
            unify(mine, theirs)
        place += len(messages)


def _which(message: Any) -> tuple[int, int]:
    """What tells messages that have one cause apart: an EVENT's subscription, a call's or invocation's id."""
    number: Any = message[2] if message[0] == 8 else message[1]
    if isinstance(number, Name):
        number = number.number
    return message[0], number


def unify(expected: Any, actual: Any) -> None:
    """Assert that a message is what the model says, and learn the numbers that the router has chosen."""
    if isinstance(expected, Name):
        assert isinstance(actual, int)
        if expected.number is None:
            expected.number = actual
        assert expected.number == actual, (expected, actual)
    elif expected is Text:
        assert isinstance(actual, str)
        assert actual
    elif isinstance(expected, dict):
        _details(expected, actual)
    elif isinstance(expected, list):
        assert isinstance(actual, list)
        assert len(actual) == len(expected), (expected, actual)
        for one, other in zip(expected, actual, strict=True):
            unify(one, other)
    else:
        assert (type(actual), actual) == (type(expected), expected), (expected, actual)


def _details(expected: dict[str, Any], actual: dict[str, Any]) -> None:
    # WELCOME and wamp.session.on_join say more than the model cares for.
    assert set(expected) <= set(actual), (expected, actual)
    assert set(expected) == set(actual) or "authrole" in expected, (expected, actual)
    for key, value in expected.items():
        unify(value, actual[key])
