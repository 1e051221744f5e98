"""Runs the load generator against a server and reads what it found."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks import native

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.servers.interface import Running

_DEADLINE: Final = 600.0
"""Seconds after which a run can't be going on by rights; the generator itself gives up much earlier."""


class RunFailed(Exception):
    """A run's figures are worth nothing: something was lost, wrong, refused or closed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run. Every count was verified: content, order and completeness.

    Attributes:
        operations: finished while measuring: events delivered, calls answered, joins, or pings answered.
        seconds: measured.
        per_second: operations per second: the rate at which all else was taken.
        cpu_us: the server's CPU per operation, user and system, in microseconds.
        cpu_user_us: the user part of it.
        cpu_load: the server's share of one core.
        generator_load: the generator's.
        others_load: everyone else's, the kernel's own threads included: noise.
        p50_us: latency that half of all operations did not exceed, in microseconds.
        p99_us: likewise 99 %.
        p999_us: likewise 99.9 %.
        longest_us: the longest.
        bytes_per_connection: resident memory that a connection added; joins only.
        idle_load: the server's share of one core with all joined and nothing to do; joins and idleness only.
        grown_bytes: what resident memory reached under the load beyond what it was before it; not for joins.
        pause_us: the longest time in which the server answered no ping; storms only.
        resident_bytes: all resident memory; starts only.
        latency: the whole curve: pairs of a share of all operations and the microseconds they did not exceed.
    """

    operations: int
    seconds: float
    per_second: float
    cpu_us: float
    cpu_user_us: float
    cpu_load: float
    generator_load: float
    others_load: float
    p50_us: float
    p99_us: float
    p999_us: float
    longest_us: float
    bytes_per_connection: float
    idle_load: float
    grown_bytes: float = 0.0
    pause_us: float = 0.0
    resident_bytes: float = 0.0
    latency: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of_start(cls, seconds: float, resident_bytes: float) -> Self:
        """The outcome of a server's start, which nothing was asked of."""
        nothing = dict.fromkeys((field.name for field in fields(cls) if field.default is MISSING), 0.0)
        found = {"operations": 1, "seconds": seconds, "per_second": 1 / seconds, "resident_bytes": resident_bytes}
        return cls(**{**nothing, **found})  # type: ignore[arg-type]  # the one int is named again

    def as_json(self) -> dict[str, Any]:
        """The attributes by name."""
        return asdict(self)


def run(server: Running, arguments: Sequence[str]) -> Outcome:
    """One run of the generator.

    Args:
        server: what it is to drive.
        arguments: the scenario and its options, as ``load`` takes them.

    Raises:
        RunFailed: the run could not be verified, with what the generator says.
        native.BuildFailed: the generator can't be built.
    """
    command = [str(native.program("load")), *arguments, *_server_options(server)]
    # In the environment, since command lines can be seen by everyone.
    tickets = {"BENCH_TICKET": server.user.ticket, "BENCH_BACKEND_TICKET": server.backend.ticket}
    try:
        ended = subprocess.run(
            command, check=False, env={**os.environ, **tickets}, capture_output=True, text=True, timeout=_DEADLINE
        )
    except subprocess.TimeoutExpired:
        raise RunFailed(f"the load generator did not end within {_DEADLINE:.0f} s") from None
    if not ended.stdout:
        raise RunFailed(f"the load generator ended with status {ended.returncode}: {ended.stderr.strip()}")
    return _outcome(json.loads(ended.stdout))


def _server_options(server: Running) -> list[str]:
    options = {
        "--port": str(server.port),
        "--path": server.path,
        "--realm": server.realm,
        "--pid": ",".join(map(str, server.processes)),
        "--user": server.user.authid,
        "--backend": server.backend.authid,
        "--users": str(server.users),
    }
    return [*(word for option in options.items() for word in option), *server.options]


def _outcome(found: dict[str, Any]) -> Outcome:
    if not found["ok"]:
        raise RunFailed(f"{found['fault']} (and {found['faults'] - 1} more)" if found["faults"] > 1 else found["fault"])
    curve = tuple((share, microseconds) for share, microseconds in found.pop("latency"))
    return Outcome(**{field.name: found[field.name] for field in fields(Outcome) if field.name in found}, latency=curve)
