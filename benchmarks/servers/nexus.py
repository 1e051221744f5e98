"""nexus, a router written in Go (a library: its program is ``peers/nexus/main.go``), with its defaults but one.

Its queue of messages to a client holds 128 instead of 64: with 64 it refuses calls at 20 callers with 4 in flight
("callee blocked"). It sends no pings unless told to, and logs nothing here. Go's own settings are the defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.servers.program import Program

if TYPE_CHECKING:
    from pathlib import Path


class Nexus(Program):
    """The router in one process with as many threads as Go likes."""

    name = "nexus"
    path = "/"

    def command(self, installed: Path) -> list[str]:
        """The program that go built."""
        return [str(installed / "nexus")]
