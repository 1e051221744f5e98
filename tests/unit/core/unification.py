"""Compares what a peer was sent with what the model says, and learns the numbers that the router chose."""

from __future__ import annotations

from typing import Any

from unit.core.model import Name, Text


def unify(expected: Any, actual: Any) -> None:
    """Assert that a message is what the model says, and learn the numbers that the router has chosen."""
    if isinstance(expected, Name):
        assert isinstance(actual, int)
        if expected.number is None:
            expected.number = actual
        assert expected.number == actual
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
        assert (type(actual), actual) == (type(expected), expected)


def _details(expected: dict[str, Any], actual: dict[str, Any]) -> None:
    # WELCOME says more of the router than the model cares for.
    assert set(expected) <= set(actual)
    assert set(expected) == set(actual) or "authrole" in expected
    for key, value in expected.items():
        unify(value, actual[key])
