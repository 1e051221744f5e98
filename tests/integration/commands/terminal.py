"""A terminal for a command in tests: what it shows can be waited for, and answered."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """``wampgate`` with arguments, at a terminal of its own. A context manager.

    Attributes:
        shown: all that it has shown, with colours.
    """

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        self.shown = ""
        self._mine, its = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wampgate", *arguments],
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", **environ},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._mine)

    @property
    def text(self) -> str:
        """All that it has shown, without colours."""
        return _CONTROL.sub("", self.shown).replace("\r\n", "\n")

    def wait_for(self, text: str, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert self._read(deadline), f"no {text!r} in:\n{self.text}"

    def type(self, line: str) -> None:
        os.write(self._mine, f"{line}\n".encode())

    def end(self, seconds: float = 30.0) -> int:
        """Its exit status, once it has ended."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self._process.wait(seconds)

    def _read(self, deadline: float) -> bool:
        """Take in what is there; False at the end."""
        ready, _, _ = select.select([self._mine], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._mine, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
