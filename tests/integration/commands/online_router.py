"""A router with an operator for the commands that speak to a running one, and those commands as users start them."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, Final, Self

from conftest import rule, static_configuration, ticket_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router_process import RouterProcess

COMMAND: Final = (sys.executable, "-m", "wampgate")
SECONDS: Final = 20.0


def online_configuration(**more: Any) -> dict[str, Any]:
    """The shared static configuration, with a principal ``operator``, and histories below ``com.example.kept.``."""
    configuration = static_configuration(**more)
    realm = configuration["realms"][0]
    operator = {"authid": "operator", "role": "operator", "ticket": ticket_of("operator")}
    realm["authentication"]["principals"].append(operator)
    realm["authorization"]["rules"] += [
        rule("operator", ["call"], "wampgate.", "prefix"),
        rule("operator", ["call", "subscribe"], "wamp.", "prefix"),
    ]
    realm["meta_api"] = {"sights": [{"role": "operator", "sees": "all"}]}
    realm["topics"] = [{"uri": "com.example.kept.", "match": "prefix", "history": {"count": 100}}]
    return configuration


def environment(router: RouterProcess | None, who: str | None, **more: str) -> dict[str, str]:
    """What a command's environment says: where the router is, and whose token to show."""
    taken = ("WAMPGATE_URL", "WAMPGATE_REALM", "WAMPGATE_TOKEN", "NO_COLOR")
    environ = {name: value for name, value in os.environ.items() if name not in taken}
    if router is not None:
        environ["WAMPGATE_URL"] = f"ws://127.0.0.1:{router.port}/ws"
    if who is not None:
        environ["WAMPGATE_TOKEN"] = ticket_of(who)
    return environ | {"PYTHONWARNINGS": "error"} | more


def wampgate(
    router: RouterProcess | None,
    *arguments: str,
    who: str | None = "alice",
    stdin: str = "",
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in no folder of a router."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment(router, who, **(environ or {})),
        cwd="/",
        check=False,
    )


class Running:
    """A command that goes on until it is ended. A context manager.

    Args:
        router: which router.
        arguments: the command line.
        who: whose ticket it shows.
        stdout: where its output goes; a pipe if nothing is said.
    """

    def __init__(
        self,
        router: RouterProcess,
        arguments: Sequence[str],
        *,
        who: str = "alice",
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
    ) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(router, who),
            cwd="/",
        )
        self.notes = Lines(self.process.stderr)
        self.lines = Lines(self.process.stdout) if stdout == subprocess.PIPE else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def line(self) -> str:
        """The next line of its output."""
        assert self.lines is not None
        return self.lines.next()

    def note(self, words: str) -> str:
        """The next line of its standard error that holds these words."""
        while words not in (line := self.notes.next()):
            pass
        return line

    def interrupt(self) -> int:
        """Press Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


class Lines:
    """The lines of a stream, read behind one's back so that waiting for one has an end."""

    def __init__(self, stream: IO[str] | None) -> None:
        assert stream is not None
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._stream:
                self._lines.put(line.rstrip("\n"))
        except ValueError:
            pass
        self._lines.put(None)

    def next(self) -> str:
        """The next line.

        Raises:
            EOFError: there is none any more.
            queue.Empty: none came in time.
        """
        line = self._lines.get(timeout=SECONDS)
        if line is None:
            raise EOFError
        return line

    def rest(self) -> list[str]:
        """All that come until the stream ends."""
        lines = []
        while (line := self._lines.get(timeout=SECONDS)) is not None:
            lines.append(line)
        return lines
