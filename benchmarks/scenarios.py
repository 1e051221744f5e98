"""What is measured: each scenario's load, its figures, what they are compared with, and what they are to reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from benchmarks import load, startup
from benchmarks.aims import BEST_PEER, Aim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.load import Outcome
    from benchmarks.servers.interface import Running

Attribute = Literal[
    "bytes_per_connection", "cpu_us", "grown_bytes", "idle_load", "p50_us", "p99_us", "p999_us", "pause_us",
    "resident_bytes", "seconds",
]  # fmt: skip

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
        aims: what it is to reach.
        compared: whether ratios to the limits say anything.
    """

    attribute: Attribute
    title: str
    unit: str
    scale: float = 1.0
    aims: tuple[Aim, ...] = ()
    compared: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load under which all servers are measured in turn.

    Attributes:
        name: for the command line.
        title: for the table.
        operation: what is counted; empty if it happens once.
        arguments: for the load generator.
        limits: the servers to compare with; the first is the one that plots refer to.
        figures: what is read off.
        seconds: how long a run measures; None for as long as one likes.
        payload: bytes of each message's text; None for as many as one likes.
        redis: whether a Redis belongs to it, to which the generator publishes.
        variants: more words for the generator, by name: the scenario is run with each of them.
        alone: why no peer takes part; empty if they do.
        drive: makes one run against a server that listens.
    """

    name: str
    title: str
    operation: str
    arguments: tuple[str, ...]
    limits: tuple[str, ...]
    figures: tuple[Figure, ...]
    seconds: float | None = None
    payload: int | None = None
    redis: bool = False
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alone: str = ""
    drive: Callable[[Running, Sequence[str]], Outcome] = load.run


_AGAINST_ITSELF: Final = "it compares wampgate with itself"
_EACH_SERIALIZER: Final = {name: ("--serializer", words) for name, words in SERIALIZERS.items()}


def _fan_out(
    name: str, title: str, limits: tuple[str, ...], aims: tuple[Aim, ...], arguments: tuple[str, ...]
) -> Scenario:
    figure = Figure("cpu_us", "CPU per delivered event", "µs", aims=aims)
    return Scenario(name, title, "deliveries", ("fanout", *arguments), limits, (figure,))


def _one_by_one(name: str, title: str, *, redis: bool) -> Scenario:
    """To one subscriber, so that a message's way through the router is all that costs."""
    return Scenario(
        name,
        title,
        "messages",
        ("fanout", "--subscribers", "1", "--window", "64"),
        ("limit-send",) if not redis else (),
        (Figure("cpu_us", "CPU per message", "µs", aims=(Aim(12),) if redis else ()),),
        redis=redis,
    )


def _calls(callers: int, in_flight: int, *aims: Aim) -> Scenario:
    return Scenario(
        f"calls-{callers}x{in_flight}",
        f"{callers} callers, {in_flight} in flight each" if callers > 1 else "one caller, one at a time",
        "calls",
        ("calls", "--callers", str(callers), "--in-flight", str(in_flight)),
        ("limit-send", "limit-coal"),
        (Figure("cpu_us", "CPU per routed call", "µs", aims=aims),),
    )


def _serializers(name: str, title: str, operation: str, what: str, most: float, *arguments: str) -> Scenario:
    """All four in turn, so that their ratio to JSON is taken round by round."""
    return Scenario(
        name,
        title,
        operation,
        arguments,
        (),
        (Figure("cpu_us", f"CPU per {what}", "µs", aims=(Aim(most, "wampgate json"),)),),
        variants=_EACH_SERIALIZER,
        alone=_AGAINST_ITSELF,
    )


def _join(connections: int) -> Scenario:
    kilobytes, nexus = (Aim(6), Aim(4, wish=True)), (Aim(1, "nexus"), Aim(0.13, wish=True))
    return Scenario(
        f"join-{connections}",
        f"{connections:,} join by ticket and subscribe, then idle",
        "joins",
        ("join", "--connections", str(connections)),
        ("limit-send",),
        (
            Figure("cpu_us", "CPU per join", "ms", scale=1e-3, aims=nexus, compared=False),
            Figure(
                "bytes_per_connection", "memory per idle connection", "kB", scale=1e-3, aims=kilobytes, compared=False
            ),
        ),
        seconds=1,
    )


_FAN_OUT: Final = (
    _fan_out(
        "fanout",
        "1 → 1,000 subscribers, one event outstanding",
        ("limit-send",),
        (Aim(1.2, "limit-send"), Aim(0.75, BEST_PEER)),
        ("--window", "1"),
    ),
    _fan_out(
        "bursts",
        "1 → 1,000 subscribers, bursts of 8",
        ("limit-coal",),
        (Aim(1.4, "limit-coal"), Aim(0.65, BEST_PEER)),
        ("--window", "8", "--burst"),
    ),
    _fan_out(
        "full",
        "1 → 1,000 subscribers, full load, 64 events on their way",
        ("limit-coal",),
        (Aim(1.4, "limit-coal"), Aim(0.65, BEST_PEER)),
        ("--window", "64"),
    ),
    _fan_out(
        "organizations",
        "100 topics with 10 subscribers each, 100 events on their way",
        ("limit-send", "limit-coal"),
        (Aim(0.6, "nexus"),),
        ("--topic", "organization.{}", "--topics", "100", "--window", "100"),
    ),
    Scenario(
        "large",
        "1 → 1,000 subscribers, 64 KiB, one event outstanding",
        "deliveries",
        ("fanout", "--window", "1"),
        ("limit-send",),
        (
            Figure("cpu_us", "CPU per delivered event", "µs", aims=(Aim(1.2, "limit-send"),)),
            # A copy for each subscriber would be 65.5 MB; a tenth of that leaves room for what sockets don't take.
            Figure("grown_bytes", "memory that the load added", "MB", scale=1e-6, aims=(Aim(6.5),), compared=False),
        ),
        payload=65_536,
    ),
    Scenario(
        "latency",
        "10,000 deliveries a second to 1,000 subscribers",
        "deliveries",
        ("fanout", "--rate", "10", "--window", "50"),
        ("limit-send",),
        (
            Figure("p50_us", "p50", "ms", scale=1e-3),
            Figure("p99_us", "p99", "ms", scale=1e-3, aims=(Aim(1, BEST_PEER),)),
            Figure("p999_us", "p99.9", "ms", scale=1e-3),
            Figure("cpu_us", "CPU per delivered event", "µs"),
        ),
        seconds=10,
    ),
)

_KEEPING: Final = (
    _join(1_000),
    _join(5_000),
    Scenario(
        "idle",
        "10,000 joined, subscribed and pinged every 30 s",
        "pings",
        ("idle", "--connections", "10000", "--pings", "1"),
        (),
        (
            Figure("idle_load", "share of a core", "%", scale=100, aims=(Aim(1),)),
            Figure("cpu_us", "CPU per ping, answered", "µs"),
        ),
        # Two periods of wampgate's default, so that each connection has two pings.
        seconds=60,
        alone="peers ping at other intervals, or never",
    ),
    Scenario(
        "storm",
        "5,000 connect at once, join by ticket and subscribe",
        "joins",
        ("storm", "--connections", "5000", "--patience", "30"),
        ("limit-send",),
        (
            Figure("seconds", "until the last has joined", "s", aims=(Aim(3),), compared=False),
            Figure("pause_us", "longest wait for an answer", "ms", scale=1e-3, aims=(Aim(50),), compared=False),
            Figure("cpu_us", "CPU per join", "ms", scale=1e-3, compared=False),
        ),
        seconds=0,
    ),
    Scenario(
        "startup",
        "from exec to the first connection that is answered",
        "",
        (),
        (),
        (
            Figure("seconds", "time", "s", aims=(Aim(0.8),)),
            Figure("resident_bytes", "resident memory then", "MB", scale=1e-6, aims=(Aim(60),)),
        ),
        drive=startup.run,
    ),
)

SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        *_FAN_OUT,
        _serializers(
            "serializers", "1 → 1,000 subscribers, by serializer", "deliveries", "delivered event", 1.3, "fanout"
        ),
        _calls(20, 4, Aim(2, "limit-coal")),
        _calls(8, 1, Aim(0.5, "nexus")),
        _calls(1, 1, Aim(0.8, "nexus")),
        _serializers(
            "calls-serializers",
            "20 callers, 4 in flight each, by serializer",
            "calls",
            "routed call",
            2,
            *("calls", "--callers", "20", "--in-flight", "4"),
        ),
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
        *_KEEPING,
    )
}
"""By name, in the order in which they are run."""
