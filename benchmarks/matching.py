"""What it costs to find a topic's subscriptions and a procedure's registration, by their number and by the URI's depth.

Measured inside this process, by the realm's own broker and registrations. The first
look at a URI walks the patterns; the next ones remember it until a pattern comes or goes.
"""

from __future__ import annotations

import gc
import random
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.costs import Cost
from wampgate.core.broker import Broker
from wampgate.core.ids import PublicationIds
from wampgate.core.local import INSIDE, LocalLink
from wampgate.core.registrations import Registrations
from wampgate.core.session import Session
from wampgate.wire.messages import RegisterOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload

NAME: Final = "matching"
MOST: Final = 2.0
"""Microseconds that finding who gets an event, or who answers a call, may take at the most."""

MOST_GROWTH: Final = 2.0
"""Times that a hundred times as many topics may cost: they no longer lie in the processor's caches."""

MANY: Final = 10_000
_FEW: Final = 100
_SUBSCRIBERS: Final = 10
_DEPTHS: Final = (2, 4, 8, 16)
_DEPTH: Final = 4
_LOOKS: Final = 100_000
_FIRST_LOOKS: Final = 20_000
_SEED: Final = 20


def measure(rounds: int) -> list[Cost]:
    """Take all costs, round by round."""
    exact = {count: broker(count) for count in (_FEW, MANY)}
    mixed = {count: broker(count, patterns=True) for count in (_FEW, MANY)}
    procedures = _registrations(MANY)
    gc.collect()
    gc.disable()
    try:
        return [
            _cost(_named(MANY, "exact"), rounds, lambda: _repeated(exact[MANY], MANY), MOST),
            _cost(_named(MANY, "patterns too"), rounds, lambda: _repeated(mixed[MANY], MANY), MOST),
            _cost(f"registration of a call, {MANY:,} procedures", rounds, lambda: _called(procedures), MOST),
            *_growth(rounds, mixed),
            *(_cost(_first(MANY, depth), rounds, partial(_looked_up, mixed[MANY], MANY, depth)) for depth in _DEPTHS),
        ]
    finally:
        gc.enable()


def _named(topics: int, kind: str) -> str:
    return f"subscriptions of an event, {topics * _SUBSCRIBERS:,} over {topics:,} topics, {kind}"


def _first(topics: int, depth: int) -> str:
    return f"the same at the first look, {topics:,} topics, {depth} components"


def _cost(what: str, rounds: int, run: Callable[[], float], most: float | None = None) -> Cost:
    return Cost(NAME, what, "µs", tuple(run() for _ in range(rounds)), most)


def _growth(rounds: int, brokers: dict[int, Broker]) -> list[Cost]:
    """What a first look at one of many costs beside one of few, in turn."""
    taken: dict[int, list[float]] = {count: [] for count in brokers}
    for _ in range(rounds):
        for count, found in brokers.items():
            taken[count].append(_looked_up(found, count, _DEPTH))
    few, many = taken[_FEW], taken[MANY]
    ratios = tuple(more / less for less, more in zip(few, many, strict=True))
    return [Cost(NAME, f"the same at the first look, {MANY:,} topics beside {_FEW}", "times", ratios, MOST_GROWTH)]


def topic(number: int, depth: int = _DEPTH) -> str:
    """A topic of an organization, of so many components (at least 2)."""
    return ".".join(("organization", str(number), *("news", "sports", *["more"] * depth)[: depth - 2]))


def broker(topics: int, *, patterns: bool = False) -> Broker:
    """A broker with subscriptions to so many topics.

    Args:
        topics: how many; each has ten subscribers.
        patterns: whether each tenth topic's organization is subscribed to as a whole too, and each
            hundredth one's deeper topics by a wildcard.
    """
    found = Broker(_Nowhere(), PublicationIds())
    sessions = [_session(number) for number in range(_SUBSCRIBERS)]
    for number in range(topics):
        for session in sessions:
            found.subscribe(session, topic(number), "exact")
    for number in range(0, topics if patterns else 0, 10):
        found.subscribe(sessions[0], f"organization.{number}.", "prefix")
        if not number % 100:
            found.subscribe(sessions[0], f"organization..news.{number}", "wildcard")
    return found


def _registrations(procedures: int) -> Registrations:
    found = Registrations(time.time)
    callee, options = _session(1), RegisterOptions()
    for number in range(procedures):
        found.add(callee, topic(number), options)
    return found


def _session(number: int) -> Session:
    session = Session(LocalLink(lambda _message, _payload: None), INSIDE)
    session.id = number + 1
    return session


def _repeated(found: Broker, topics: int) -> float:
    """Looks at topics that have been looked at before, in no order."""
    wanted = _shuffled(topics, _DEPTH) * max(1, _LOOKS // topics)
    for each in wanted[:topics]:
        found.matching(each)
    return _timed(found.matching, wanted)


def _called(found: Registrations) -> float:
    return _timed(found.best, _shuffled(MANY, _DEPTH) * (_LOOKS // MANY))


def _looked_up(found: Broker, topics: int, depth: int) -> float:
    """First looks: a pattern that comes and goes makes the broker forget those before."""
    comer, wanted = _session(_SUBSCRIBERS), _shuffled(topics, depth)
    taken = []
    for _ in range(max(1, _FIRST_LOOKS // topics)):
        subscription = found.subscribe(comer, "elsewhere.", "prefix")
        found.unsubscribe(comer, subscription.id)
        taken.append(_timed(found.matching, wanted))
    return median(taken)


def _shuffled(topics: int, depth: int) -> list[str]:
    wanted = [topic(number, depth) for number in range(topics)]
    random.Random(_SEED).shuffle(wanted)
    return wanted


def _timed(look: Callable[[str], object], wanted: Sequence[str]) -> float:
    """Microseconds of CPU for each."""
    begun = time.process_time_ns()
    for each in wanted:
        look(each)
    return (time.process_time_ns() - begun) / len(wanted) / 1000


class _Nowhere:
    """Nothing is delivered here; implements ``Deliver``."""

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:  # noqa: ARG002 - Deliver's
        raise AssertionError("to find who gets an event sends nothing")

    def retract(self, session: Session, subscription: int) -> None:
        """Nothing waits here."""
