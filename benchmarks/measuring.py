"""Measures servers in turn (A B A B …), each started anew, and draws medians, spreads and ratios from it."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import load
from benchmarks.scenarios import SERIALIZERS
from benchmarks.servers.interface import ServerFailed
from benchmarks.servers.redis import Redis
from benchmarks.servers.registry import SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from benchmarks.load import Outcome
    from benchmarks.scenarios import Figure, Scenario


@dataclass(frozen=True, slots=True)
class Spread:
    """Several values of the same thing: their median, least and greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Measured:
    """A scenario with one serializer, run for some rounds.

    Attributes:
        scenario: what was run.
        serializer: its name here.
        payload: bytes of the text that each message carried.
        outcomes: by server, one per round, None where the run failed.
        failures: what went wrong: server and reason.
    """

    scenario: Scenario
    serializer: str
    payload: int
    outcomes: dict[str, list[Outcome | None]]
    failures: list[tuple[str, str]]

    def verified(self, server: str) -> list[Outcome]:
        """The runs of a server that count."""
        return [outcome for outcome in self.outcomes[server] if outcome is not None]

    def spread(self, server: str, figure: Figure) -> Spread | None:
        """A figure of a server, in the figure's unit; None if no run of it counts."""
        values = [getattr(outcome, figure.attribute) * figure.scale for outcome in self.verified(server)]
        return Spread.of(values) if values else None

    def ratio(self, server: str, limit: str, figure: Figure) -> Spread | None:
        """How a server compares to a limit, round by round; None if no round has both."""
        pairs = zip(self.outcomes[server], self.outcomes[limit], strict=True)
        both = [
            (getattr(one, figure.attribute), getattr(least, figure.attribute)) for one, least in pairs if one and least
        ]
        ratios = [one / least for one, least in both if least > 0]
        return Spread.of(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure.

    Attributes:
        rounds: how often each server has its turn.
        seconds: how long each run measures.
        payload: bytes of the text that each message carries.
        generator: more options for the generator.
        apart: whether the generator has a core to itself and the server the
            others. Else the scheduler decides, which may put both on one core.
    """

    rounds: int
    seconds: float
    payload: int
    generator: tuple[str, ...] = ()
    apart: bool = False


def measure(
    scenario: Scenario, serializer: str, servers: Sequence[str], *, plan: Plan, tell: Callable[[str], None]
) -> Measured:
    """Run a scenario against servers in turn.

    Args:
        scenario: what to run.
        serializer: what the connections speak, by its name in ``SERIALIZERS``.
        servers: names of the registry.
        plan: how often and how long.
        tell: is given a line after each run.
    """
    measured = Measured(scenario, serializer, plan.payload, {name: [] for name in servers}, [])
    arguments = _arguments(scenario, serializer, plan)
    for number in range(1, plan.rounds + 1):
        for name in servers:
            outcome = _run_once(name, arguments, measured.failures, apart=plan.apart, redis=scenario.redis)
            measured.outcomes[name].append(outcome)
            tell(f"{scenario.name} {serializer} {number}/{plan.rounds} {name}: {_brief(scenario, outcome)}")
    return measured


def _arguments(scenario: Scenario, serializer: str, plan: Plan) -> list[str]:
    arguments = [*scenario.arguments, "--serializer", SERIALIZERS[serializer], "--payload", str(plan.payload)]
    if scenario.timed:
        arguments += ["--seconds", str(plan.seconds)]
    return [*arguments, *plan.generator]


def _run_once(
    name: str, arguments: Sequence[str], failures: list[tuple[str, str]], *, apart: bool, redis: bool
) -> Outcome | None:
    server = SERVERS[name]()
    first, *others = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="wampgate-bench-") as folder:
        try:
            with Redis() if redis else nullcontext() as source:
                with _cores(others if apart else ()):
                    running = server.start(Path(folder)) if source is None else server.start(Path(folder), source.port)
                with _cores([first] if apart else ()):
                    return load.run(running, [*arguments, *([] if source is None else ["--redis", str(source.port)])])
        except (ServerFailed, load.RunFailed) as error:
            failures.append((name, str(error)))
            return None
        finally:
            server.stop()


@contextmanager
def _cores(cores: Collection[int]) -> Iterator[None]:
    """Start processes on these cores only; on any, if none are named."""
    before = os.sched_getaffinity(0)
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _brief(scenario: Scenario, outcome: Outcome | None) -> str:
    if outcome is None:
        return "failed"
    figures = (f"{getattr(outcome, f.attribute) * f.scale:.3g} {f.unit}" for f in scenario.figures)
    return f"{', '.join(figures)} at {outcome.per_second:,.0f} {scenario.operation}/s"
