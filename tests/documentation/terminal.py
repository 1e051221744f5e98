"""A terminal as a reader has it: one shell, in a folder of its own, that goes on from block to block."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK_SECONDS = 60.0


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Terminal:
    """A bash that stops at the first command that fails. A context manager: all that it started is gone on exit.

    Args:
        folder: where it begins.
        environ: more for its environment.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self._lines: Queue[str | None] = Queue()
        commands = Path(sys.executable).parent
        path = f"{commands}{os.pathsep}{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=folder,
            env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        # What it left in the background belongs to its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()

    def run(self, commands: str) -> str:
        """Run a block; what it printed.

        Raises:
            AssertionError: a command has failed, or the block did not end in time.
        """
        end = f"end-{secrets.token_hex(8)}"
        assert self._process.stdin is not None
        self._process.stdin.write(f"{commands}\nprintf '%s\\n' {end}\n")
        self._process.stdin.flush()
        said: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=BLOCK_SECONDS)
            except Empty:
                raise AssertionError(f"it does not end:\n{commands}\n{''.join(said)}") from None
            assert line is not None, f"it has failed:\n{commands}\n{''.join(said)}"
            if line.rstrip("\n").endswith(end):
                return "".join([*said, line.rstrip("\n").removesuffix(end)])
            said.append(line)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)
