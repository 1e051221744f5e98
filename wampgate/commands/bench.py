"""The command ``wampgate bench``: what this machine can do, measured in ten seconds with a router of its own."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import Column, Output, Table, output_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.commands.bench_client import Client
    from wampgate.commands.bench_router import BenchRouter

_JOINS_AT_ONCE: Final = 50
_CALLS_AT_ONCE: Final = 16
_PAYLOAD: Final = {"text": "x" * 180}
"""An event of about 200 bytes."""

_SPARE_DESCRIPTORS: Final = 64

_CANT_TELL: Final = (
    "It can't tell: what TLS, browsers (WebSocket), a network and your database cost; clients share this machine,"
    " so what happens in a second is less than the router alone could do. docs/performance.md has more."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one kind of work.

    Attributes:
        what: the work.
        count: how often it was done.
        seconds: how long that took.
        cpu_seconds: the processor time that the router used for it.
    """

    what: str
    count: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """How many a second there were."""
        return self.count / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """The router's processor time for one."""
        return self.cpu_seconds / self.count * 1e6

    @property
    def per_core(self) -> float:
        """How many a second would keep one core busy."""
        return self.count / self.cpu_seconds if self.cpu_seconds else 0.0


@click.command("bench")
@click.option(
    "--sessions", type=click.IntRange(1, 10_000), default=400, show_default=True, help="How many subscribers join."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.2, 60),
    default=3.0,
    show_default=True,
    help="How long events, and calls, are measured.",
)
@output_options
def bench_command(sessions: int, seconds: float, output: Output) -> None:
    """Measure in ten seconds what this machine can do.

    Starts a router of its own on a free port of loopback, lets sessions join by tokens from SQLite, publishes to
    them and calls a procedure. Nothing of it stays, and no other router is touched.
    """
    from wampgate.commands.bench_client import BenchFailed  # noqa: PLC0415 - the help need not load it
    from wampgate.commands.bench_router import BenchRouter  # noqa: PLC0415 - as above

    _allow_descriptors(sessions)
    load = os.getloadavg()[0]
    try:
        with BenchRouter() as router:
            with output.progress("measuring", 3) as done:
                bench = _Bench(router, sessions, seconds)
                try:
                    results = []
                    for measure in (bench.joins, bench.events, bench.calls):
                        results.append(measure())
                        done(1)
                finally:
                    bench.close()
            _report(output, bench, results, load)
    except (BenchFailed, OSError) as error:
        raise CommandFailed(f"the measurement failed: {error}") from None


def _allow_descriptors(sessions: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sessions + _SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CommandFailed(
            f"{sessions} sessions need {wanted} descriptors, {hard} are allowed: ulimit -n, or --sessions"
        )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # The router inherits it.
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Bench:
    """The measurement: sessions that stay from one kind of work to the next."""

    def __init__(self, router: BenchRouter, sessions: int, seconds: float) -> None:
        self._router = router
        self._sessions = sessions
        self._seconds = seconds
        self._members: list[Client] = []
        self._backends: list[Client] = []
        self.bytes_per_session = 0.0
        self.milliseconds: list[float] = []

    def joins(self) -> Measured:
        """Sessions that join by a token and subscribe; also what they take of memory."""
        from wampgate.commands.bench_router import TOPIC, USER  # noqa: PLC0415 - loaded by now

        self._join(USER, self._router.token, 1)  # what is made at the first of all is nobody's cost
        before = self._router.memory_bytes()
        with _Watch(self._router) as watch:
            while len(self._members) < self._sessions:
                self._join(USER, self._router.token, min(_JOINS_AT_ONCE, self._sessions - len(self._members)))
        self.bytes_per_session = (self._router.memory_bytes() - before) / max(1, self._sessions - 1)
        for member in self._members:
            member.send([32, 1, {}, TOPIC])
        for member in self._members:
            member.expect(33)
        return watch.measured("joins (token from SQLite)", max(1, self._sessions - 1))

    def events(self) -> Measured:
        """News that reach all of them, one after the other."""
        from wampgate.commands.bench_client import Readers  # noqa: PLC0415 - as above
        from wampgate.commands.bench_router import BACKEND, TOPIC  # noqa: PLC0415 - as above

        (backend,) = self._backends = self._joined(BACKEND, self._router.ticket, 1)
        readers = Readers(self._members)
        with _Watch(self._router) as watch:
            until = time.perf_counter() + self._seconds
            while time.perf_counter() < until:
                begun = time.perf_counter()
                backend.send([16, len(self.milliseconds) + 1, {"acknowledge": True}, TOPIC, [], _PAYLOAD])
                backend.expect(17)
                readers.take(len(self._members))
                self.milliseconds.append((time.perf_counter() - begun) * 1000)
        readers.close()
        return watch.measured("events delivered", len(self.milliseconds) * len(self._members))

    def calls(self) -> Measured:
        """Calls from one session to another, some at a time."""
        from wampgate.commands.bench_router import BACKEND, PROCEDURE  # noqa: PLC0415 - as above

        caller = self._backends[0]
        (callee,) = self._joined(BACKEND, self._router.ticket, 1)
        self._backends.append(callee)
        callee.send([64, 1, {}, PROCEDURE])
        callee.expect(65)
        asked = answered = 0
        with _Watch(self._router) as watch:
            until = time.perf_counter() + self._seconds
            while time.perf_counter() < until:
                for _ in range(_CALLS_AT_ONCE):
                    asked += 1
                    caller.send([48, asked, {}, PROCEDURE, [asked]])
                while answered < asked:
                    for invocation in callee.messages():
                        callee.send([70, invocation[1], {}, invocation[4]])
                        answered += 1
                for _ in range(_CALLS_AT_ONCE):
                    caller.expect(50)
        return watch.measured("calls", answered)

    def close(self) -> None:
        """Leave."""
        for client in (*self._members, *self._backends):
            client.close()

    def _join(self, authid: str, ticket: str, count: int) -> None:
        self._members += self._joined(authid, ticket, count)

    def _joined(self, authid: str, ticket: str, count: int) -> list[Client]:
        """New sessions, all on their way at the same time."""
        from wampgate.commands.bench_client import Client  # noqa: PLC0415 - as above

        clients = [Client(self._router.port) for _ in range(count)]
        steps: tuple[Callable[[Client], object], ...] = (
            lambda client: client.begin(authid),
            lambda client: client.prove(ticket),
            lambda client: client.expect(2),
        )
        for step in steps:
            for client in clients:
                step(client)
        return clients


class _Watch:
    """A stop watch for the wall and for the router's processor time."""

    def __init__(self, router: BenchRouter) -> None:
        self._router = router

    def __enter__(self) -> _Watch:
        self._cpu, self._wall = self._router.cpu_seconds(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds = time.perf_counter() - self._wall
        self._cpu_seconds = self._router.cpu_seconds() - self._cpu

    def measured(self, what: str, count: int) -> Measured:
        """What was done meanwhile."""
        return Measured(what, count, self._seconds, self._cpu_seconds)


def _report(output: Output, bench: _Bench, results: list[Measured], load: float) -> None:
    joins, events, calls = results
    rows = [
        asdict(one)
        | {
            "per_second": round(one.per_second),
            "cpu_microseconds": round(one.cpu_microseconds, 1),
            "per_core_second": round(one.per_core),
        }
        for one in results
    ]
    facts = {
        "machine": {"cpu": _processor(), "cores": os.cpu_count(), "python": platform.python_version(), "load": load},
        "start_seconds": round(bench._router.start_seconds, 2),  # noqa: SLF001 - of this module
        "bytes_per_session": round(bench.bytes_per_session),
        "milliseconds_until_all_have_an_event": round(statistics.median(bench.milliseconds), 2),
        "measured": rows,
    }
    if output.json:
        output.document(facts)
        return
    output.line(f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    output.show(_table(rows))
    output.line()
    output.prose(
        f"One core delivers about {_round(events.per_core)} events a second, answers about {_round(calls.per_core)}"
        f" calls, or lets about {_round(joins.per_core)} sessions join. A session takes"
        f" {bench.bytes_per_session / 1024:.0f} KiB; an event reached {len(bench._members)} subscribers"  # noqa: SLF001
        f" in {statistics.median(bench.milliseconds):.1f} ms. The router starts in {bench._router.start_seconds:.1f} s."  # noqa: SLF001
    )
    output.note(_CANT_TELL)
    if load > (os.cpu_count() or 1) / 2:
        output.note(f"This machine was busy (load {load:.1f}): measure again when it is not.")


def _table(rows: list[dict[str, object]]) -> Table:
    columns = (
        Column("what", ""),
        Column("per_second", "a second here", right=True),
        Column("cpu_microseconds", "microseconds of CPU each", right=True),
        Column("per_core_second", "a second on one core", right=True),
    )
    return Table(columns, rows)


def _round(number: float) -> str:
    """A number as one would say it: two digits."""
    if number < 100:
        return f"{number:.0f}"
    digits = len(str(int(number))) - 2
    return f"{round(number / 10**digits) * 10**digits:,}"


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
