"""The configuration of ``--demo``: an embedded store, loopback only, one backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.config.bridges import RedisBridge
from wampgate.config.credentials import Principal
from wampgate.config.dialects import PlainRule, SocketIoEmitterRule
from wampgate.config.model import (
    Authentication,
    Authorization,
    Configuration,
    Listen,
    Realm,
    Rule,
)
from wampgate.config.secret import Secret
from wampgate.config.stores import SqliteStore
from wampgate.config.tickets import TicketAuthentication

if TYPE_CHECKING:
    from pathlib import Path

REALM: Final = "realm1"
BACKEND: Final = "backend"


def demo_configuration(
    folder: Path, *, backend_ticket_sha256: str, port: int = 8080, redis_url: str | None = None
) -> Configuration:
    """What the demo runs with; it can't be reached from another machine.

    Args:
        folder: ``var/wampgate.sqlite3`` below it is the store.
        backend_ticket_sha256: the SHA-256 of the ticket of the principal
            ``backend``, in lower-case hexadecimal.
        port: where to listen on 127.0.0.1; 0 for any free port.
        redis_url: a Redis to take events from; None for none.
    """
    realm = Realm(
        name=REALM,
        store=SqliteStore(path=folder / "var" / "wampgate.sqlite3", token_hash="sha256"),  # noqa: S106 - a hash's name
        authentication=Authentication(
            ticket=TicketAuthentication(role="member"),
            principals=(Principal(authid=BACKEND, role=BACKEND, ticket_sha256=Secret(backend_ticket_sha256)),),
        ),
        authorization=Authorization(
            rules=(
                Rule(role=BACKEND, actions=("publish",), uri="organization.", match="prefix"),
                Rule(role=BACKEND, actions=("call",), uri="wampgate.publish"),
            )
        ),
        bridges=() if redis_url is None else (_bridge(redis_url),),
    )
    listen = Listen(endpoint=f"tcp:{port}:interface=127.0.0.1", serves=("wamp", "page", "backend"))
    return Configuration(listen=(listen,), realms=(realm,))


def _bridge(url: str) -> RedisBridge:
    topic = "organization.{organization}"
    return RedisBridge(
        url=Secret(url),
        rules=(
            PlainRule(channel="channel.{organization}", topic=topic),
            SocketIoEmitterRule(room=topic, topic=topic),
        ),
    )
