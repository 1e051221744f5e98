"""A Redis of a measurement's own, which keeps nothing."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from benchmarks.servers import processes
from benchmarks.servers.interface import ServerFailed


class Redis:
    """A context manager: it takes connections on entry and is gone on exit.

    Attributes:
        port: on 127.0.0.1.

    Raises:
        ServerFailed: on entry, if there is no redis-server or it does not come up.
    """

    def __init__(self) -> None:
        self.port = processes.free_port()
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        program = shutil.which("redis-server")
        if program is None:
            raise ServerFailed("this machine lacks redis-server")
        folder = Path(self._ending.enter_context(tempfile.TemporaryDirectory(prefix="wampgate-bench-redis-")))
        command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        process = processes.start(command, folder)
        self._ending.callback(processes.stop, process)
        try:
            processes.wait_for_port(process, self.port, folder)
        except ServerFailed:
            self._ending.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()
