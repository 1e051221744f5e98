"""``/usage.csv``: what organizations use, for a spreadsheet or a nightly job; by the same right as the procedure."""

# twisted.web's resources and requests carry no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import msgspec
from twisted.web.server import NOT_DONE_YET

from wampgate.core.errors import uri
from wampgate.http.backend.answers import ended
from wampgate.http.backend.entrance import NO_TOKEN
from wampgate.http.backend.exchange import Asked
from wampgate.http.backend.web import NO_ROUTE, Route
from wampgate.http.resources import write
from wampgate.http.responses import TEXT, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.interfaces import Connection
    from wampgate.http.backend.answers import Answer
    from wampgate.http.backend.exchange import Backend, Exchange
    from wampgate.http.backend.web import BearerOf

PATH: Final = "/usage.csv"

_PROCEDURE: Final = "wampgate.usage.organizations"
_COLUMNS: Final = ("since", "organization", "connections", "connection_seconds", "logins", "deliveries")
_PAGE: Final = 5000

_NO_TOKEN: Final = ended(uri.AUTHENTICATION_REQUIRED, NO_TOKEN)
_GET_ONLY: Final = Response(405, b"Only GET and HEAD are answered here.\n", TEXT, ((b"Allow", b"GET, HEAD"),))


class UsageCsv(Route):
    """Answers ``GET /usage.csv`` with all rows that calls of the procedure give; ``?realm=`` names a realm.

    Args:
        backend: makes the calls, as whoever the bearer token is of.
        bearer_of: reads a request's token from its headers.
    """

    def __init__(self, backend: Backend, bearer_of: BearerOf) -> None:
        super().__init__(PATH, backend, bearer_of)

    def render(self, request: Any) -> bytes | int:
        """Have the rows fetched, page by page."""
        if request.postpath:
            return write(request, NO_ROUTE)
        if request.method not in (b"GET", b"HEAD"):
            return write(request, _GET_ONLY)
        connection = self.connection_of(request)
        if connection.bearer is None:
            return write(request, _NO_TOKEN)
        realm = (request.args.get(b"realm") or [b""])[0].decode("utf-8", "replace")
        request.channel.expect(None)
        fetching = _Fetching(self._backend, connection, realm or None, lambda answer: _give(request, answer))
        fetching.go_on(None)
        if not request.finished:
            request.notifyFinish().addErrback(lambda _: fetching.gone())
        return int(NOT_DONE_YET)


class _Fetching:
    """One request's calls, one after the other."""

    def __init__(self, backend: Backend, connection: Connection, realm: str | None, give: Any) -> None:
        self._backend = backend
        self._connection = connection
        self._realm = realm
        self._give = give
        self._rows: list[dict[str, Any]] = []
        self._exchange: Exchange | None = None

    def go_on(self, after: str | None) -> None:
        kwargs = {"after": after, "limit": _PAGE}
        body = {"procedure": _PROCEDURE, "kwargs": kwargs, "realm": self._realm}
        asked = Asked("/call", msgspec.json.encode(body), self._connection)
        self._exchange = self._backend.serve(asked, self._answered)

    def gone(self) -> None:
        if self._exchange is not None:
            self._exchange.gone()

    def _answered(self, answer: Answer) -> None:
        if answer.status != 200:
            self._give(answer)
            return
        told = msgspec.json.decode(answer.body)["kwargs"]
        self._rows += [{"since": told["since"], **row} for row in told["organizations"]]
        if told["next"] is None:
            self._give(Response(200, written(self._rows), b"text/csv; charset=utf-8", _HEADERS))
        else:
            self.go_on(told["next"])


_HEADERS: Final = (
    (b"Cache-Control", b"no-store"),
    (b"Content-Disposition", b'attachment; filename="usage.csv"'),
)


def written(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows as CSV (RFC 4180), with a line of names above.

    What could be taken for a formula by a spreadsheet can't stand there: an organization's id has letters, digits,
    ``_`` and ``-`` only.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _give(request: Any, answer: Response) -> None:
    if not request.finished:
        request.write(write(request, answer))
        request.finish()
