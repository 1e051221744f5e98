"""What `wampgate check` finds out about one thing: whether it is well, in what time, and what to do if it is not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

State: TypeAlias = Literal["well", "notable", "faulty"]
"""``notable`` is what the router can live with, but its operator should know of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        what: the thing, in a word or a few.
        state: how it is.
        said: what was found, without a secret.
        advice: what to do about it; empty where there is nothing to do.
        seconds: how long it took to find out; None where that says nothing.
    """

    what: str
    state: State = "well"
    said: str = ""
    advice: str = ""
    seconds: float | None = None


class NotWell(Exception):
    """Something is not as it should be.

    Args:
        said: what was found, without a secret.
        advice: what to do about it.
        state: whether the router can live with it.
    """

    def __init__(self, said: str, advice: str = "", *, state: State = "faulty") -> None:
        super().__init__(said)
        self.said = said
        self.advice = advice
        self.state = state


def timed(what: str, look: Callable[[], str]) -> Finding:
    """Look at something and take the time.

    Args:
        what: the thing.
        look: says what it found, or raises :class:`NotWell`.
    """
    begun = time.perf_counter()
    try:
        said = look()
    except NotWell as found:
        return Finding(what, found.state, found.said, found.advice, time.perf_counter() - begun)
    return Finding(what, "well", said, "", time.perf_counter() - begun)
