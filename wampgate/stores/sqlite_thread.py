"""One thread that holds a read-only SQLite connection and answers one question after the other."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.deadlines import TooLate, within
from wampgate.stores.engine import NO_TABLE, QueryRefused
from wampgate.stores.instants import seconds_since_1970
from wampgate.stores.portions import MOST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from twisted.internet.base import DelayedCall, ReactorBase

    from wampgate.stores.engine import Query, Rows

log = Logger()

MAX_WAITING: Final = 2_000
"""How many questions may wait; more are refused."""

PROBE_SECONDS: Final = 2.0
PROBE: Final = "SELECT count(*) FROM sqlite_master"
STEPS: Final = 10_000
"""After so many of SQLite's instructions (below a millisecond) it is looked whether the asker still waits."""


class _Unreadable(Exception):
    """The database file can't be read now. The text holds no value that was asked for."""


class _Question:
    """Some work on the database on its way to an answer. ``given_up`` is all that both threads touch."""

    __slots__ = ("answer", "given_up", "timer", "work")

    def __init__(self, work: Callable[[_File], Any]) -> None:
        self.work = work
        self.answer: Deferred[Any] = Deferred()
        self.timer: DelayedCall | None = None
        self.given_up = False


class SqliteThread:
    """An :class:`wampgate.stores.engine.Engine` and :class:`wampgate.stores.engine.Batches` over a SQLite file.

    Args:
        reactor: takes the answers into its thread.
        path: the file; it must exist.
        timeout: seconds that SQLite waits for a writer's lock, and that starting and stopping may take.
        writes: whether it may change the file.
    """

    def __init__(self, reactor: ReactorBase, path: Path, *, timeout: float, writes: bool = False) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._file = _File(path, timeout, writes=writes)
        self._jobs: SimpleQueue[_Question | None] = SimpleQueue()
        self._open: set[_Question] = set()
        self._queued = 0
        self._complaint = ""
        self._ended: Deferred[None] = Deferred()
        self._running = False
        self._ready = False
        self._probing = LoopingCall(self._probe)
        self._probing.clock = reactor  # type: ignore[assignment] # zope's interfaces mean nothing to mypy

    @property
    def ready(self) -> bool:
        """Whether the last question was answered."""
        return self._ready

    async def start(self) -> None:
        """Start the thread and open the file; a file that can't be opened is tried again every other second."""
        self._running = True
        self._ended = Deferred()
        # A daemon, so that a disk that hangs does not keep the process from ending.
        threading.Thread(target=self._work, name="wampgate sqlite", daemon=True).start()
        first = self._probe()
        self._probing.start(PROBE_SECONDS, now=False).addErrback(
            lambda failure: log.failure("SQLite {file}: probing has stopped", failure, file=self._file)
        )
        await first

    async def stop(self) -> None:
        """End the thread; what waits is refused."""
        if not self._running:
            return
        self._running = False
        self._ready = False
        if self._probing.running:
            self._probing.stop()
        for question in list(self._open):
            question.given_up = True
            self._settle(question, StoreUnavailable("the token store is being stopped"))
        self._jobs.put(None)
        try:
            await within(self._reactor, self._timeout, self._ended)
        except TooLate:
            log.warn("SQLite {file}: its disk hangs; not waited for", file=self._file)

    def ask(self, query: str, parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """See :class:`wampgate.stores.engine.Engine`."""
        return self._ask(lambda file: file.rows(query, parameters), deadline)

    def most(self, query: Query) -> int:  # noqa: ARG002 - the interface's
        """See :class:`wampgate.stores.engine.Batches`."""
        return MOST

    async def ask_each(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        """See :class:`wampgate.stores.engine.Batches`: one after the other, without leaving the thread in between."""
        questions = [{**parameters, **query.parameters_of(value)} for value in values]
        found: list[Rows] = await self._ask(lambda file: [file.rows(query.sql, each) for each in questions], deadline)
        return found

    def change(self, statements: Sequence[str], parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """Run statements in one transaction; the rows of the last one.

        Raises:
            StoreUnavailable: no answer in time; then it can't be said whether they have run.
            QueryRefused: the database refuses one of them, and none has run.
        """
        return self._ask(lambda file: file.change(statements, parameters), deadline)

    def version(self, deadline: float) -> Deferred[tuple[int, int]]:
        """What differs from one time to the next if others have changed the database in between.

        Raises:
            StoreUnavailable: no answer in time.
        """
        return self._ask(_File.version, deadline)

    def _ask(self, work: Callable[[_File], Any], deadline: float) -> Deferred[Any]:
        question = _Question(work)
        seconds = deadline - self._reactor.seconds()
        if not self._running:
            question.answer.errback(StoreUnavailable("the token store is not running"))
        elif seconds <= 0:
            question.answer.errback(StoreUnavailable("the token store did not answer in time"))
        elif self._queued >= MAX_WAITING:
            question.answer.errback(StoreUnavailable("too many questions wait for the token store"))
        else:
            question.timer = self._reactor.callLater(seconds, self._give_up, question)
            self._open.add(question)
            self._queued += 1
            self._jobs.put(question)
        return question.answer

    def _give_up(self, question: _Question) -> None:
        question.given_up = True
        self._ready = False
        self._settle(question, StoreUnavailable("the token store did not answer in time"))

    def _settle(self, question: _Question, answer: Any) -> None:
        if question not in self._open:
            return
        self._open.remove(question)
        if question.timer is not None and question.timer.active():
            question.timer.cancel()
        if isinstance(answer, Exception):
            question.answer.errback(answer)
        else:
            question.answer.callback(answer)

    def _worked(self, question: _Question, answer: Any) -> None:
        """In the reactor's thread: the thread is done with a question."""
        self._queued -= 1
        if isinstance(answer, _Unreadable):
            self._complain(str(answer))
            answer = StoreUnavailable("the token store's database file can't be read; the log says why")
        elif not question.given_up:
            self._recovered()
        self._settle(question, answer)

    def _complain(self, reason: str) -> None:
        """Say why it can't be read: once per reason, as long as it lasts."""
        self._ready = False
        if reason != self._complaint and self._running:
            self._complaint = reason
            log.error("SQLite {file}: {reason}; trying again", file=self._file, reason=reason)

    def _recovered(self) -> None:
        self._ready = self._running
        if self._complaint:
            self._complaint = ""
            log.info("SQLite {file}: readable again", file=self._file)

    def _probe(self) -> Deferred[Any]:
        deadline = self._reactor.seconds() + self._timeout
        return self.ask(PROBE, {}, deadline).addErrback(lambda _: None)

    def _work(self) -> None:
        """The thread: owns the connection, answers until told to end."""
        while (question := self._jobs.get()) is not None:
            answer = self._file.answer(question)
            self._reactor.callFromThread(self._worked, question, answer)
        self._file.close()
        self._reactor.callFromThread(self._ended.callback, None)


class _File:
    """The database file and the connection to it; used by one thread only.

    The connection is opened again if the path has become another file: restored
    from a backup, or made anew. The old file's rows are nobody's business then.
    """

    def __init__(self, path: Path, timeout: float, *, writes: bool) -> None:
        self._mode = "rw" if writes else "ro"
        self._path = path
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._openings = 0

    def __str__(self) -> str:
        return str(self._path)

    def answer(self, question: _Question) -> Any:
        """What the question's work finds, or an exception that says why it finds nothing. Raises nothing."""
        if question.given_up:
            return []
        try:
            self._current().set_progress_handler(lambda: question.given_up, STEPS)
            return question.work(self)
        except (sqlite3.Error, sqlite3.Warning, OSError, ValueError, OverflowError) as error:
            return self._judged(error)

    def rows(self, query: str, parameters: Mapping[str, str]) -> Rows:
        """What a query returns. Raises what SQLite does."""
        assert self._connection is not None  # noqa: S101 - it was opened before the work began
        with closing(self._connection.cursor()) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def change(self, statements: Sequence[str], parameters: Mapping[str, str]) -> Rows:
        """Run statements in one transaction; the rows of the last one. Raises what SQLite does."""
        rows: Rows = []
        self.rows("BEGIN IMMEDIATE", {})
        try:
            for statement in statements:
                rows = self.rows(statement, parameters)
            self.rows("COMMIT", {})
        except BaseException:
            assert self._connection is not None  # noqa: S101 - it was opened before the work began
            self._connection.rollback()
            raise
        return rows

    def version(self) -> tuple[int, int]:
        """How often the file was opened, and SQLite's counter of others' changes to it."""
        [(version,)] = self.rows("PRAGMA data_version", {})
        return self._openings, version

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _current(self) -> sqlite3.Connection:
        status = self._path.stat()
        identity = (status.st_dev, status.st_ino)
        if self._connection is None or identity != self._identity:
            self.close()
            self._connection = self._opened()
            self._identity = identity
            self._openings += 1
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={self._mode}", uri=True, timeout=self._timeout, isolation_level=None
        )
        connection.create_function("seconds_since_1970", 2, seconds_since_1970, deterministic=True)
        return connection

    def _judged(self, error: Exception) -> Exception:
        """Whether a query or the file is to blame. What SQLite says names tables and columns, never a parameter."""
        if isinstance(error, sqlite3.OperationalError) and "user-defined function raised" in str(error):
            return QueryRefused("a row's expires can't be read: expected 'YYYY-MM-DD HH:MM:SS' or seconds since 1970")
        if isinstance(error, sqlite3.ProgrammingError) or _code_of(error) == sqlite3.SQLITE_ERROR:
            return QueryRefused(str(error), code=NO_TABLE if "no such table" in str(error) else "", for_good=True)
        if _code_of(error) == sqlite3.SQLITE_INTERRUPT:
            return StoreUnavailable("the token store did not answer in time")
        self.close()
        if isinstance(error, OSError):
            return _Unreadable(error.strerror or type(error).__name__)
        return _Unreadable(str(error) if _code_of(error) else type(error).__name__)


def _code_of(error: Exception) -> int:
    """SQLite's primary result code; 0 if the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
