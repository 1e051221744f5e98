"""Starting, finding and stopping the processes of a server under test."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.servers.interface import ServerFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOG: Final = "server.log"
_SHOWN_LINES: Final = 20
_INTERVAL: Final = 0.002
"""Seconds between looks at a server that starts: so fine is the time that its start takes."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a command in a folder; what it writes goes to a log file there."""
    with (folder / _LOG).open("wb") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )


def wait_for_port(process: subprocess.Popen[bytes], port: int, folder: Path, *, seconds: float = 30) -> None:
    """Return when a process takes connections on a port of 127.0.0.1.

    Raises:
        ServerFailed: it has ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pass
        else:
            return
        if process.poll() is not None:
            raise ServerFailed(f"ended with status {process.returncode}:\n{log_end(folder)}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"does not listen on port {port} after {seconds:.0f} s:\n{log_end(folder)}")
        time.sleep(_INTERVAL)


def named_port(process: subprocess.Popen[bytes], folder: Path, *, seconds: float = 30) -> int:
    """The port that a process chose itself: a line of its own in what it writes, which is all that counts there.

    Raises:
        ServerFailed: it has ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while True:
        ended = process.poll() is not None
        lines = (folder / _LOG).read_text(errors="replace").splitlines(keepends=True)
        port = next((int(line) for line in lines if line.endswith("\n") and line.strip().isdigit()), None)
        if ended:
            raise ServerFailed(f"ended with status {process.returncode}:\n{log_end(folder)}")
        if port is not None:
            return port
        if time.monotonic() > deadline:
            raise ServerFailed(f"names no port after {seconds:.0f} s:\n{log_end(folder)}")
        time.sleep(_INTERVAL)


def log_end(folder: Path) -> str:
    """The last lines of what a server wrote."""
    log = folder / _LOG
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_SHOWN_LINES:])


def family(process: int) -> tuple[int, ...]:
    """A process id and those of all its descendants."""
    found = [process]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found.extend(int(child) for child in children.read_text().split())
    return tuple(found)


def stop(process: subprocess.Popen[bytes], *, seconds: float = 10) -> None:
    """End a process, by force if it takes too long, and wait until it is gone."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
