"""What is measured: each scenario's load, its figures, what they are compared with, and what they are to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Attribute = Literal["cpu_us", "bytes_per_connection"]

SERIALIZERS: Final = {"json": "json", "msgpack": "msgpack", "cbor": "cbor", "mixed": "json,msgpack,cbor"}
"""By their names here: what the generator's connections speak, in turn."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number out of a run, smaller being better.

    Attributes:
        attribute: of the outcome.
        title: what it is.
        unit: as it is shown.
        scale: from the outcome's unit to that one.
        ratio: the most that the ratio to the scenario's first limit may be; None for no such aim.
        most: the most that it may be itself, in its unit; None for no such aim.
        compared: whether ratios to the limits say anything.
    """

    attribute: Attribute
    title: str
    unit: str
    scale: float = 1.0
    ratio: float | None = None
    most: float | None = None
    compared: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load under which all servers are measured in turn.

    Attributes:
        name: for the command line.
        title: for the table.
        operation: what is counted.
        arguments: for the load generator.
        limits: the servers to compare with; the first is the one that aims refer to.
        figures: what is read off.
        timed: whether it goes on for as long as one likes; else it ends by itself.
        redis: whether a Redis belongs to it, to which the generator publishes.
    """

    name: str
    title: str
    operation: str
    arguments: tuple[str, ...]
    limits: tuple[str, ...]
    figures: tuple[Figure, ...]
    timed: bool = True
    redis: bool = False


def _fan_out(name: str, title: str, limit: str, *arguments: str) -> Scenario:
    figure = Figure("cpu_us", "CPU per delivered event", "µs", ratio=1.5)
    return Scenario(name, title, "deliveries", ("fanout", *arguments), (limit,), (figure,))


def _one_by_one(name: str, title: str, *, redis: bool) -> Scenario:
    """To one subscriber, so that a message's way through the router is all that costs."""
    figure = Figure("cpu_us", "CPU per message", "µs", most=12 if redis else None)
    arguments = ("fanout", "--subscribers", "1", "--window", "64")
    return Scenario(name, title, "messages", arguments, ("limit-send",) if not redis else (), (figure,), redis=redis)


def _calls(callers: int, in_flight: int, *, most: float | None = None) -> Scenario:
    return Scenario(
        f"calls-{callers}x{in_flight}",
        f"{callers} callers, {in_flight} in flight each" if callers > 1 else "one caller, one at a time",
        "calls",
        ("calls", "--callers", str(callers), "--in-flight", str(in_flight)),
        ("limit-send", "limit-coal"),
        (Figure("cpu_us", "CPU per routed call", "µs", most=most),),
    )


def _join(connections: int) -> Scenario:
    return Scenario(
        f"join-{connections}",
        f"{connections:,} join by ticket and subscribe, then idle",
        "joins",
        ("join", "--connections", str(connections), "--seconds", "1"),
        ("limit-send",),
        (
            Figure("cpu_us", "CPU per join", "ms", scale=1e-3, compared=False),
            Figure("bytes_per_connection", "memory per idle connection", "kB", scale=1e-3, most=14, compared=False),
        ),
        timed=False,
    )


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        _fan_out("fanout", "1 → 1,000 subscribers, one event outstanding", "limit-send", "--window", "1"),
        _fan_out("bursts", "1 → 1,000 subscribers, bursts of 8", "limit-coal", "--window", "8", "--burst"),
        _one_by_one("fanout-1", "1 → 1 subscriber, 64 events on their way", redis=False),
        _one_by_one("redis-1", "Redis → 1 subscriber, 64 messages on their way", redis=True),
        Scenario(
            "redis-1000",
            "Redis → 1,000 subscribers, one message outstanding",
            "deliveries",
            ("fanout", "--window", "1"),
            (),
            (Figure("cpu_us", "CPU per delivered event", "µs"),),
            redis=True,
        ),
        _calls(20, 4, most=15),
        _calls(8, 1),
        _calls(1, 1),
        _join(1_000),
        _join(5_000),
    )
}
"""By name, in the order in which they are run."""
