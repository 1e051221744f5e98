"""Redis' glob patterns: whether two of them have a channel in common."""

from __future__ import annotations

import re
from typing import Final

_ANY: Final = None
"""In the place of a character: any number of any characters."""

_TOKEN: Final = re.compile(r"\\(.)|(\*)|(.)", re.DOTALL)


def globs_overlap(one: str, other: str) -> bool:
    """Whether some channel is matched by both patterns, as templates make them: with ``*`` and backslashes only."""
    ones, others = _tokens(one), _tokens(other)
    # The places in ``others`` that can be reached with what stands before a place in ``ones``.
    places = _past_stars(others, {0})
    for token in ones:
        if token is _ANY:
            places = set(range(min(places, default=len(others) + 1), len(others) + 1))
        else:
            steps = {place for place in places if place < len(others) and others[place] is _ANY}
            steps |= {place + 1 for place in places if place < len(others) and others[place] == token}
            places = _past_stars(others, steps)
    return len(others) in places


def literal(channel: str) -> str:
    """A channel's name as a pattern that matches it alone."""
    return re.sub(r"([\\*])", r"\\\1", channel)


def _tokens(glob: str) -> list[str | None]:
    return [_ANY if token[2] else token[1] or token[3] for token in _TOKEN.finditer(glob)]


def _past_stars(tokens: list[str | None], places: set[int]) -> set[int]:
    """The places, and those behind stars that stand there: a star may stand for nothing."""
    reached = set(places)
    for place in sorted(places):
        while place < len(tokens) and tokens[place] is _ANY:
            place += 1  # noqa: PLW2901 - goes on from there
            reached.add(place)
    return reached
