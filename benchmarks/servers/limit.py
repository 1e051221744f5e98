"""The limit: a router in C that does the least possible and checks nothing, in two ways of sending."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Literal

from benchmarks import native
from benchmarks.servers import processes
from benchmarks.servers.interface import Credentials, Running, ServerFailed

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.scenarios import Scenario


class Limit:
    """``send``: one send per subscriber and event; ``coal``: all of one epoll round joined into one."""

    package: str | None = None

    def __init__(self, mode: Literal["send", "coal"]) -> None:
        self.name = f"limit-{mode}"
        self._mode = mode
        self._process: subprocess.Popen[bytes] | None = None

    def lacks(self) -> str | None:
        """A C compiler, if there is none."""
        return None if native.compiler() else "a C compiler"

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:  # noqa: ARG002 - Server's signature
        """It reads no Redis."""
        return "reads no Redis" if scenario.redis else None

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        """Start it on a port that it chooses itself. It reads no Redis."""
        if redis_port is not None:
            raise ServerFailed("reads no Redis")
        self._process = subprocess.Popen(
            [native.program("limit"), self._mode], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        # Bound to a name first: the type of Popen.stdout knows nothing of PIPE.
        out = self._process.stdout
        line = out.readline() if out else b""
        if not line.strip().isdigit():
            raise ServerFailed(f"ended with status {self._process.wait()} instead of naming its port")
        anyone = Credentials("anyone", "any ticket is accepted")
        return Running(int(line), "/ws", "realm1", (self._process.pid,), anyone, anyone)

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        processes.stop(self._process)
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None
