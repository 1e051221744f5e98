"""The process's own figures, under the names that all Prometheus clients use.

``prometheus_client`` has them too, but counts open descriptors by listing them all: with
50,000 connections that would stop the router for 50 ms at each scrape.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

_PROC: Final = Path("/proc")
_DESCRIPTORS: Final = _PROC / "self" / "fd"

# Places in /proc/self/stat behind the name of the program, from 0 (proc(5)).
_USER, _SYSTEM, _STARTED, _VIRTUAL, _RESIDENT = 11, 12, 19, 20, 21


class ProcessFigures:
    """Processor time, memory and descriptors; nothing where the system has no ``/proc``."""

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector."""
        try:
            fields = (_PROC / "self" / "stat").read_bytes().rpartition(b")")[2].split()
            booted = _booted()
            descriptors = _open_descriptors()
        except OSError:
            return
        ticks = os.sysconf("SC_CLK_TCK")
        seconds = (int(fields[_USER]) + int(fields[_SYSTEM])) / ticks
        resident = int(fields[_RESIDENT]) * resource.getpagesize()
        yield CounterMetricFamily("process_cpu_seconds", "Processor time used, the system's for it included.", seconds)
        yield _gauge("resident_memory_bytes", "Memory that is in use now.", resident)
        yield _gauge("virtual_memory_bytes", "Memory that could be.", int(fields[_VIRTUAL]))
        yield _gauge(
            "start_time_seconds", "When it began, in seconds since 1970.", booted + int(fields[_STARTED]) / ticks
        )
        yield _gauge("open_fds", "Open file descriptors: connections, files and some of its own.", descriptors)
        yield _gauge("max_fds", "How many there may be.", resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"process_{name}", text, value)


def _booted() -> float:
    """When the machine was started, in seconds since 1970."""
    lines = (_PROC / "stat").read_bytes().splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(b"btime ")), 0.0)


def _open_descriptors() -> int:
    """How many descriptors are open: newer kernels tell (6.2 and later), of older ones the list has to be counted."""
    return _DESCRIPTORS.stat().st_size or len(os.listdir(_DESCRIPTORS))
