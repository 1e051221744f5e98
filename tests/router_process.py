"""The real daemon for tests: started as its operator starts it, in a folder of its own on a free port, ended by pid."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_SECONDS = 30.0
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
_LISTENING = re.compile(r"\blistening on \S+(?: \(port (\d+)\))?")
_ALARMS = ("Traceback", "Unhandled", "has failed", "was never awaited")


class RouterDidNotStart(Exception):
    """The daemon ended or stayed silent; the text holds what it said."""


class RouterProcess:
    """A wampgate daemon that a test owns. A context manager: it listens on entry and is gone on exit.

    Args:
        configuration: what router.json says; None for the demo.
        arguments: more for ``twistd wampgate``.
        environ: more for its environment.
        alarms_allowed: whether tracebacks in its log are part of the test.
        command: how twistd is started.
        hands: descriptors that it is handed.

    Attributes:
        folder: its working directory, with router.json or the demo's var/.
        port: where it listens on 127.0.0.1 first; the same after a restart.
    """

    def __init__(
        self,
        configuration: Mapping[str, Any] | None = None,
        *,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        alarms_allowed: bool = False,
        command: Sequence[str] = TWISTD,
        hands: Sequence[int] = (),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wampgate-router-"))
        self.port = 0
        self._configuration = configuration
        self._arguments = arguments
        self._environ = dict(environ or {})
        self._alarms_allowed = alarms_allowed
        self._command = command
        self._hands = tuple(hands)
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        alive = self._process is not None and self._process.poll() is None
        self.stop()
        log = self.log()
        self._remove()
        if kind is None and not self._alarms_allowed:
            alarms = [line for line in log.splitlines() if any(alarm in line for alarm in _ALARMS)]
            assert not alarms, log[-20_000:]
            assert alive or self._process is None, f"the router has ended by itself:\n{log[-5_000:]}"

    # --- the process ---

    @property
    def pid(self) -> int:
        assert self._process is not None, "the router does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            RouterDidNotStart: it ended or said nothing in time.
        """
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.running:
            said = self.log()[self._seen :]
            listening = _LISTENING.findall(said)
            if len(listening) >= self._endpoints():
                self.port = self.port or next((int(port) for port in listening if port), 0)
                return
            time.sleep(0.02)
        raise RouterDidNotStart(self.log()[-5_000:])

    def launch(self) -> None:
        """Start it without waiting for anything."""
        assert not self.running, "the router runs already"
        self._write_configuration()
        self._seen = len(self.log())
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._command, "-n", "wampgate", *self._options()],
                cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environ},
                stdin=subprocess.DEVNULL,
                pass_fds=self._hands,
                stdout=output,
                stderr=output,
            )

    def signal(self, what: signal.Signals) -> None:
        os.kill(self.pid, what)

    def wait(self, seconds: float = 15.0) -> int:
        """Its exit status, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """
        assert self._process is not None, "the router does not run"
        return self._process.wait(seconds)

    def stop(self) -> int | None:
        """End it as an operator does (SIGTERM); its exit status, None if it did not run."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
        status = self._process.wait()
        self._process = None
        return status

    # --- what can be seen of it ---

    def log(self) -> str:
        """Everything that it has written, over all its starts."""
        path = self.folder / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for_log(self, text: str, seconds: float = 10.0, count: int = 1) -> str:
        """The log, once it holds a text so many times."""
        deadline = time.monotonic() + seconds
        while (log := self.log()).count(text) < count:
            assert time.monotonic() < deadline, f"no {text!r} within {seconds} s in:\n{log[-5_000:]}"
            time.sleep(0.02)
        return log

    def rss(self) -> int:
        """Its resident memory in bytes."""
        return self._memory("VmRSS")

    def peak_rss(self) -> int:
        """The most it ever was, in bytes, since :meth:`forget_peak`."""
        return self._memory("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def cpu_seconds(self) -> float:
        """The processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """How many descriptors it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def tokens(self) -> dict[str, str]:
        """The demo's tokens."""
        tokens: dict[str, str] = json.loads((self.folder / "var/demo-tokens.json").read_text())
        return tokens

    # --- inside ---

    def _options(self) -> list[str]:
        mine = ["--demo", "--port", str(self.port)] if self._configuration is None else []
        return [*mine, *self._arguments]

    def _endpoints(self) -> int:
        return 1 if self._configuration is None else len(self._configuration["listen"])

    def _write_configuration(self) -> None:
        if self._configuration is None:
            return
        document = json.dumps(self._configuration, indent=2)
        # After the first start its clients know the port.
        (self.folder / "router.json").write_text(document.replace("tcp:0:", f"tcp:{self.port}:", 1))

    def _memory(self, what: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{what}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def _remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
