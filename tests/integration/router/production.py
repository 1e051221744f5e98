"""The production form for tests: a router on a real Postgres and a real Redis, with members of two organizations."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from conftest import principal, rule, static_configuration
from postgres_server import PostgresServer
from raw_wamp import Peer
from redis_server import RedisServer
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_postgres

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMBERS = {"anna": ("7", "8"), "bert": ("8",), "cleo": ()}
PASSWORD = "canary-of-the-redis-password"


def token_of(user: str) -> str:
    return f"token-of-{user}-in-postgres"


class Production:
    """Postgres, Redis and a router between them. A context manager.

    Args:
        limits: the router's.
        cache_seconds: how long a decision is kept; 0 to ask each time.
    """

    def __init__(self, *, cache_seconds: float = 0, limits: dict[str, Any] | None = None) -> None:
        self._stack = ExitStack()
        self._cache_seconds = cache_seconds
        self._limits = limits or {}
        self.postgres = PostgresServer()
        self.redis = RedisServer(user="wampgate", password=PASSWORD)
        self.dsn = ""
        self.router: RouterProcess

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.enter_context(self.postgres)
            self._stack.enter_context(self.redis)
            self.dsn = self.postgres.create_database()
            prepare_postgres(self.dsn)
            for user, organizations in MEMBERS.items():
                self.add(user, organizations)
            self.router = self._stack.enter_context(RouterProcess(self._configuration()))
            self.router.wait_for_log("redis", seconds=10)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def add(self, user: str, organizations: Sequence[str], *, life: str = "1 hour") -> None:
        """A user with a token and memberships."""
        self.execute(
            "INSERT INTO oauth_access_tokens VALUES"
            f" (encode(sha256('{token_of(user)}'), 'hex'), 'test', '{user}', now() + interval '{life}', NULL)",
            *(f"INSERT INTO organization_members VALUES ('{id_}', '{user}', '')" for id_ in organizations),
        )

    def execute(self, *statements: str) -> list[Any]:
        """Run statements in the router's database."""
        return self.postgres.execute(*statements, dsn=self.dsn)

    def peer(self, user: str, serializer: str = "json") -> Peer:
        """A session of a user of Postgres."""
        return self._stack.enter_context(Peer(self.router.port, serializer)).join(token_of(user))

    def backend(self) -> Peer:
        """A session of the static principal."""
        from conftest import ticket_of

        return self._stack.enter_context(Peer(self.router.port)).join(ticket_of("backend"))

    def _configuration(self) -> dict[str, Any]:
        topic = "organization.{organization}"
        realm = {
            "name": "realm1",
            "store": {"type": "postgres", "dsn": self.dsn, "timeout_seconds": 1},
            "authentication": {"principals": [principal("backend", "backend")]},
            "authorization": {
                "cache_seconds": self._cache_seconds,
                "rules": [
                    rule("backend", ["publish", "subscribe"], "organization.", "prefix"),
                    rule("backend", ["call"], "wampgate.publish"),
                ],
            },
            "bridges": [
                {
                    "type": "redis",
                    "url": self.redis.url,
                    "ping_seconds": 0.5,
                    "rules": [
                        {"dialect": "plain", "channel": "channel.{organization}", "topic": topic},
                        {"dialect": "socketio-emitter", "room": topic, "topic": topic},
                    ],
                }
            ],
        }
        return static_configuration(limits=self._limits, realms=[realm])
