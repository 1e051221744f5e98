"""A router for ``wampgate bench``: a process of its own, on loopback, with SQLite in a folder that goes with it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from wampgate.commands.bench_client import REALM, SECONDS, BenchFailed
from wampgate.stores.issuing import open_sqlite
from wampgate.stores.preparing import prepare_sqlite

if TYPE_CHECKING:
    from types import TracebackType

USER: Final = "member"
BACKEND: Final = "backend"
TOPIC: Final = "organization.7"
PROCEDURE: Final = "bench.answer"
_TOKENS: Final = "tokens.sqlite3"


class BenchRouter:
    """A running router; a context manager. It is gone on exit, and its folder too.

    Attributes:
        port: where it listens on 127.0.0.1.
        token: a token of the user :data:`USER`, who is a member of organization 7.
        ticket: the ticket of the principal :data:`BACKEND`.
        start_seconds: from the process's start until it listened.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wampgate-bench-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.token = ""
        self.ticket = secrets.token_urlsafe(32)
        self.start_seconds = 0.0

    def __enter__(self) -> Self:
        try:
            self._prepare(Path(self._folder.name))
            self._start(Path(self._folder.name))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def cpu_seconds(self) -> float:
        """The processor time that its threads have used, user and system."""
        try:
            return sum(int(self._proc(f"task/{thread}/schedstat").split()[0]) for thread in self._threads()) / 1e9
        except BenchFailed:
            # A kernel without that counts in hundredths of a second.
            fields = self._proc("stat").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Its resident memory."""
        return int(self._proc("statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _proc(self, file: str) -> str:
        assert self._process is not None  # noqa: S101 - it is asked while it runs
        try:
            return Path(f"/proc/{self._process.pid}/{file}").read_text(encoding="ascii")
        except OSError:
            raise BenchFailed("the router has ended, or this system has no /proc") from None

    def _threads(self) -> list[str]:
        return [] if self._process is None else os.listdir(f"/proc/{self._process.pid}/task")

    def _prepare(self, folder: Path) -> None:
        prepare_sqlite(folder / _TOKENS)
        with open_sqlite(folder / _TOKENS, "sha256", "UTC") as tables:
            self.token, _ = tables.create(USER, datetime.now(UTC) + timedelta(hours=1))
            tables.add("7", USER, "")
        configuration = _configuration(self.port, self.ticket)
        (folder / "router.json").write_text(json.dumps(configuration), encoding="utf-8")

    def _start(self, folder: Path) -> None:
        begun = time.monotonic()
        with (folder / "output.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "wampgate", "run"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        while time.monotonic() - begun < SECONDS:
            if self._process.poll() is not None:
                break
            with closing(socket.socket()) as attempt:
                if attempt.connect_ex(("127.0.0.1", self.port)) == 0:
                    self.start_seconds = time.monotonic() - begun
                    return
            time.sleep(0.005)
        said = (folder / "output.log").read_text(errors="replace").strip().splitlines()
        why = next((line for line in said if "can't start" in line), said[-1] if said else "it said nothing")
        raise BenchFailed(f"the router did not start: {why}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()


def _configuration(port: int, ticket: str) -> dict[str, Any]:
    digest = sha256(ticket.encode()).hexdigest()
    return {
        "listen": [{"endpoint": f"tcp:{port}:interface=127.0.0.1"}],
        "limits": {"connections_per_address": 0, "sessions_per_authid": 0, "outbox_bytes": 2**24},
        "realms": [
            {
                "name": REALM,
                "store": {"type": "sqlite", "path": _TOKENS},
                "authentication": {
                    "ticket": {"role": "member"},
                    "principals": [{"authid": BACKEND, "role": BACKEND, "ticket_sha256": digest}],
                },
                "authorization": {
                    "rules": [
                        {"role": BACKEND, "actions": ["publish"], "uri": TOPIC},
                        {"role": BACKEND, "actions": ["call", "register"], "uri": PROCEDURE},
                    ]
                },
            }
        ],
    }


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
