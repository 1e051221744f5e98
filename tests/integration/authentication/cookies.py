"""Routers that take session cookies, on each kind of store, and pages that log in and out by plain HTTP."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from conftest import principal, rule, static_configuration
from integration.http.plain_http import Response, ask
from raw_wamp import Peer
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_postgres, prepare_sqlite
from wampgate.stores.questions import stored_form

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from postgres_server import PostgresServer

NAME = "__Host-wampgate"
TOKEN, OTHER = "canary-token-of-anna", "canary-token-of-bert"


class SqliteTables:
    """The store's tables in a file."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.sqlite3"
        prepare_sqlite(self._path)

    def section(self) -> dict[str, Any]:
        return {"type": "sqlite", "path": str(self._path)}

    def execute(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=5)) as connection:
            return connection.execute(statement).fetchall()

    def dump(self) -> str:
        with closing(sqlite3.connect(self._path)) as connection:
            return "\n".join(connection.iterdump())

    def instant(self, seconds: float) -> str:
        return f"datetime('now', '{seconds} seconds')"


class PostgresTables:
    """The store's tables in a database of their own."""

    kind = "postgres"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._dsn = server.create_database()
        prepare_postgres(self._dsn)

    def section(self) -> dict[str, Any]:
        return {"type": "postgres", "dsn": self._dsn, "timeout_seconds": 1}

    def execute(self, statement: str) -> list[Any]:
        return self._server.execute(statement, dsn=self._dsn)

    def dump(self) -> str:
        return repr(self.execute("SELECT * FROM wampgate_cookies")) + repr(
            self.execute("SELECT * FROM oauth_access_tokens")
        )

    def instant(self, seconds: float) -> str:
        return f"clock_timestamp() + interval '{seconds} seconds'"


Tables = SqliteTables | PostgresTables


def token_of(user: str) -> str:
    return f"canary-token-of-{user}"


def fill(tables: Tables, seconds: float = 3600, users: Iterable[str] = ("anna", "bert")) -> None:
    """Users, each with a token and an organization."""
    for user in users:
        token = token_of(user)
        tables.execute(
            "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires)"
            f" VALUES ('{stored_form(token, 'sha256')}', 'app', '{user}', {tables.instant(seconds)})"
        )
        tables.execute(f"INSERT INTO organization_members (organization_id, user_id) VALUES ('of-{user}', '{user}')")


def revoke(tables: Tables, token: str = TOKEN) -> None:
    tables.execute(f"DELETE FROM oauth_access_tokens WHERE access_token = '{stored_form(token, 'sha256')}'")


def realm_of(tables: Tables | None, name: str = "realm1", **cookie: Any) -> dict[str, Any]:
    """A realm that takes cookies, of a store's users and of one static principal."""
    realm = {
        "name": name,
        "authentication": {"ticket": {}, "cookie": cookie, "principals": [principal("backend", "backend")]},
        "authorization": {"rules": [rule("backend", ["publish"], "organization.", "prefix")]},
    }
    return realm if tables is None else realm | {"store": tables.section()}


@dataclass
class Page:
    """A page that a browser has of a router, with what the browser keeps for it: one cookie."""

    port: int
    origin: str
    cookie: str = ""
    user: str = "anna"
    peers: list[Peer] = field(default_factory=list)

    def log_in(self, token: str | None = None, body: Any = b"", **headers: str) -> Response:
        """``POST /session``, with the user's token if no other is named; keeps the cookie that comes."""
        response = self.ask("POST", body, token or token_of(self.user), **headers)
        if response.status == 201:
            self.cookie = cookie_of(response)
        return response

    def log_out(self, **headers: str) -> Response:
        return self.ask("DELETE", b"", None, **headers)

    def ask(self, method: str, body: Any = b"", token: str | None = None, **headers: str) -> Response:
        given = {"Origin": self.origin, "Cookie": self._cookies(), "Content-Type": ""}
        if body != b"":
            given["Content-Type"] = "application/json"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.port, "/session", body, token, method=method, headers=given | named, host=self._host())

    def connect(self, **headers: str) -> Peer:
        """A WebSocket as the page opens it."""
        given = {"Host": self._host(), "Origin": self.origin, "Cookie": self._cookies()} | headers
        self.peers.append(Peer(self.port, headers=[(name, value) for name, value in given.items() if value]))
        return self.peers[-1]

    def close(self) -> None:
        """Close what it has opened."""
        for peer in self.peers:
            peer.close()

    def join(self, **details: Any) -> Peer:
        """A session by cookie."""
        return self.connect().join(authmethods=["cookie"], **details)

    def _cookies(self) -> str:
        return f"theme=dark; {NAME}={self.cookie}; lang=de" if self.cookie else "theme=dark"

    def _host(self) -> str:
        return self.origin.partition("://")[2]


def cookie_of(response: Response) -> str:
    """The value of the cookie that a response sets."""
    name, _, value = response.headers["set-cookie"].partition(";")[0].partition("=")
    assert name == NAME
    return value


class Router:
    """A router that takes cookies. A context manager.

    Attributes:
        process: its process.
        page: a page that it has served.
    """

    def __init__(self, *realms: dict[str, Any], **more: Any) -> None:
        self._stack = ExitStack()
        self._pages: list[Page] = []
        self._configuration = static_configuration(realms=list(realms), **more)
        self.process: RouterProcess
        self.page: Page

    def __enter__(self) -> Self:
        self.process = self._stack.enter_context(RouterProcess(self._configuration, arguments=["--debug"]))
        self.page = self.new_page()
        return self

    def __exit__(self, *error: Any) -> None:
        for page in self._pages:
            page.close()
        self._stack.__exit__(*error)

    def new_page(self, user: str = "anna") -> Page:
        """A page in another browser."""
        self._pages.append(Page(self.process.port, f"http://127.0.0.1:{self.process.port}", user=user))
        return self._pages[-1]
