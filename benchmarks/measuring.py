"""Measures servers in turn (A B A B …), each started anew, and draws medians, spreads and ratios from it."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.load import RunFailed
from benchmarks.scenarios import SERIALIZERS
from benchmarks.servers.interface import ServerFailed
from benchmarks.servers.redis import Redis
from benchmarks.servers.registry import LIMITS, PRODUCT, SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from benchmarks.load import Outcome
    from benchmarks.scenarios import Figure, Scenario

_TRIES: Final = 2
"""A server whose first runs have all failed is not asked so often again."""


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

    A contestant is a server, or a server and one of the scenario's variants with
    a space between.

    Attributes:
        scenario: what was run.
        serializer: its name here.
        payload: bytes of the text that each message carried.
        outcomes: by contestant, one per round, None where the run failed.
        failures: what went wrong: contestant and reason.
        absent: who takes no part, and why.
    """

    scenario: Scenario
    serializer: str
    payload: int
    outcomes: dict[str, list[Outcome | None]]
    failures: list[tuple[str, str]]
    absent: Mapping[str, str] = field(default_factory=dict)

    def of_server(self, server: str) -> list[str]:
        """The contestants that are a server."""
        return [contestant for contestant in self.outcomes if server_of(contestant) == server]

    def verified(self, contestant: str) -> list[Outcome]:
        """The runs of a contestant that count."""
        return [outcome for outcome in self.outcomes[contestant] if outcome is not None]

    def spread(self, contestant: str, figure: Figure) -> Spread | None:
        """A figure of a contestant, in the figure's unit; None if no run of it counts."""
        values = [getattr(outcome, figure.attribute) * figure.scale for outcome in self.verified(contestant)]
        return Spread.of(values) if values else None

    def ratio(self, contestant: str, other: str, figure: Figure) -> Spread | None:
        """How a contestant compares to another, round by round; None if no round has both."""
        pairs = zip(self.outcomes[contestant], self.outcomes[other], strict=True)
        both = [
            (getattr(one, figure.attribute), getattr(least, figure.attribute)) for one, least in pairs if one and least
        ]
        ratios = [one / least for one, least in both if least > 0]
        return Spread.of(ratios) if ratios else None

    def best_peer(self, figure: Figure) -> str:
        """The peer with the least median of a figure; empty if none has any."""
        peers = [contestant for contestant in self.outcomes if kind_of(contestant) == "peer"]
        medians = {peer: spread.median for peer in peers if (spread := self.spread(peer, figure)) is not None}
        return min(medians, key=lambda peer: medians[peer], default="")


def server_of(contestant: str) -> str:
    """The server of a contestant."""
    return contestant.partition(" ")[0]


def kind_of(contestant: str) -> str:
    """``limit``, ``product`` or ``peer``."""
    server = server_of(contestant)
    return "limit" if server in LIMITS else "product" if server == PRODUCT else "peer"


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure.

    Attributes:
        rounds: how often each server has its turn.
        seconds: how long each run measures, where the scenario doesn't say.
        payload: bytes of the text that each message carries, likewise.
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
    """Run a scenario against servers in turn. A run that fails is noted, and the others go on.

    Args:
        scenario: what to run.
        serializer: what the connections speak, by its name in ``SERIALIZERS``.
        servers: names of the registry.
        plan: how often and how long.
        tell: is given a line after each run.
    """
    absent = {name: reason for name in servers if (reason := _absence(scenario, serializer, name))}
    variants = scenario.variants or {"": ()}
    contestants = [f"{name} {variant}".rstrip() for name in servers if name not in absent for variant in variants]
    payload = scenario.payload or plan.payload
    measured = Measured(scenario, serializer, payload, {name: [] for name in contestants}, [], absent)
    for number in range(1, plan.rounds + 1):
        for contestant in contestants:
            outcome = None if _given_up(measured, contestant) else _run_once(measured, contestant, plan)
            measured.outcomes[contestant].append(outcome)
            tell(f"{scenario.name} {serializer} {number}/{plan.rounds} {contestant}: {_brief(scenario, outcome)}")
    return measured


def _absence(scenario: Scenario, serializer: str, server: str) -> str | None:
    """Why a server takes no part."""
    if kind_of(server) == "peer" and scenario.alone:
        return scenario.alone
    return SERVERS[server]().abstains(scenario, serializer)


def _given_up(measured: Measured, contestant: str) -> bool:
    so_far = measured.outcomes[contestant]
    return len(so_far) >= _TRIES and not any(so_far)


def _arguments(measured: Measured, contestant: str, plan: Plan) -> list[str]:
    scenario = measured.scenario
    seconds = plan.seconds if scenario.seconds is None else scenario.seconds
    return [
        *scenario.arguments,
        *("--serializer", SERIALIZERS[measured.serializer]),
        *("--payload", str(measured.payload)),
        *("--seconds", str(seconds)),
        *scenario.variants.get(contestant.partition(" ")[2], ()),
        *plan.generator,
    ]


def _run_once(measured: Measured, contestant: str, plan: Plan) -> Outcome | None:
    scenario = measured.scenario
    arguments = _arguments(measured, contestant, plan)
    server = SERVERS[server_of(contestant)]()
    first, *others = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="wampgate-bench-") as folder:
        try:
            with Redis() if scenario.redis else nullcontext() as source:
                with _cores(others if plan.apart else ()):
                    running = server.start(Path(folder)) if source is None else server.start(Path(folder), source.port)
                with _cores([first] if plan.apart else ()):
                    return scenario.drive(running, [*arguments, *(["--redis", str(source.port)] if source else ())])
        # OSError: a program of a peer's is not where it was.
        except (ServerFailed, RunFailed, OSError) as error:
            measured.failures.append((contestant, str(error)))
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
    rate = f" at {outcome.per_second:,.0f} {scenario.operation}/s" if scenario.operation else ""
    return f"{', '.join(figures)}{rate}"
