"""What a token store asks of one kind of database: to run queries, one or many at a time, and to hear of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twisted.internet.defer import Deferred

    from wampgate.core.interfaces import Change

Rows: TypeAlias = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Query:
    """One of the questions in a database's SQL.

    Attributes:
        name: as the configuration calls it.
        parameter: the name of the parameter that is asked for; of several, separated by blanks: a value is then
            theirs, separated by NUL.
        sql: the query for one value.
        may_lack: whether its table may be missing, since not every installation needs it: then it finds nothing.
        many: the same for many values, where there is a better way than to ask for each: the
            parameter is then all of them, and the value comes before the other columns.
    """

    name: str
    parameter: str
    sql: str
    many: str = ""
    may_lack: bool = False

    def parameters_of(self, value: str) -> dict[str, str]:
        """What a value is to the query: its parameters by name."""
        if " " not in self.parameter:
            return {self.parameter: value}
        return dict(zip(self.parameter.split(), value.split("\0"), strict=True))


NO_TABLE: Final = "42P01"
"""The SQLSTATE of a query whose table there is not; SQLite's answer gets it too."""


class QueryRefused(Exception):
    """The database does not answer a query, though it answers others: a table is missing, a right, a type differs.

    Attributes:
        reason: for the log; holds no value that was asked for.
        code: the SQLSTATE; empty if there is none.
        fits_nothing: a parameter can't be a value of its column at all ("abc" where
            integers are), so there is no such row.
        for_good: it would be refused for any other value too.
    """

    def __init__(self, reason: str, *, code: str = "", fits_nothing: bool = False, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good
        self.reason = reason
        self.code = code
        self.fits_nothing = fits_nothing


class Engine(Protocol):
    """Runs queries in one kind of database."""

    @property
    def ready(self) -> bool:
        """Whether the database answered when last heard of."""

    async def start(self) -> None:
        """Connect. Does not fail if the database can't be reached: that is tried again."""

    async def stop(self) -> None:
        """Let go of everything; what waits is refused."""

    def ask(self, query: str, parameters: Mapping[str, str], deadline: float) -> Deferred[Rows]:
        """The rows that a query returns.

        Args:
            query: SQL with the database's named parameters.
            parameters: their values.
            deadline: by when, in the clock's seconds.

        Raises:
            StoreUnavailable: no answer in time.
            QueryRefused: the database does not answer this query.
        """


class Batches(Protocol):
    """Asks one query for many values."""

    def most(self, query: Query) -> int:
        """How many values are best asked for in one batch, at least 1."""

    async def ask_each(
        self, query: Query, values: Sequence[str], parameters: Mapping[str, str], deadline: float
    ) -> list[Rows]:
        """The rows for each value, in their order, as if it had been asked for alone; none if it fits nothing.

        Args:
            query: what to ask.
            values: different ones, as many as one answer should bring.
            parameters: what the query may use besides.
            deadline: by when, in the clock's seconds.

        Raises:
            StoreUnavailable: not all answers in time.
            QueryRefused: the database does not answer this query.
        """


class Ear(Protocol):
    """Hears of changes in one kind of database."""

    @property
    def hears(self) -> bool:
        """Whether it hears of changes at once, now."""

    def start(self, heard: Callable[[Change], None]) -> None:
        """Begin to listen: pass on what is heard, and that everything may have changed each time hearing begins."""

    def stop(self) -> None:
        """Hear nothing more."""
