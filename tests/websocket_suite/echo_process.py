"""The echo endpoint as a process that a test owns."""

from __future__ import annotations

import re
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, Self

START_SECONDS: Final = 30.0


class EchoProcess:
    """An echo endpoint. A context manager: it listens on entry, is gone on exit, and may log no traceback.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self) -> None:
        self.port = 0
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("echo_endpoint.py")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Not a pipe: nobody reads it before the end, and a full one would stop the endpoint.
            stderr=self._said,
            text=True,
        )
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if readable else ""
        if not re.fullmatch(r"\d+\n", line):
            raise RuntimeError(f"the echo endpoint did not start: {self._ended()[-5000:]}")
        self.port = int(line)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        alive = self._process.poll() is None
        said = self._ended()
        if kind is None:
            assert alive, f"the echo endpoint has ended by itself: {said[-5000:]}"
            assert "Traceback" not in said, said[-20_000:]

    def _ended(self) -> str:
        """End it; what it said of mistakes."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        with self._said as said:
            said.seek(0)
            return said.read()
