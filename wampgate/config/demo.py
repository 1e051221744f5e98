"""The configuration of ``--demo``: an embedded store, loopback only, one backend, one operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.config.admin import Admin
from wampgate.config.bridges import RedisBridge
from wampgate.config.credentials import Principal
from wampgate.config.dialects import PlainRule, SocketIoEmitterRule
from wampgate.config.meta import MetaApi, Sight
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
OPERATOR: Final = "operator"


def demo_configuration(
    folder: Path,
    *,
    backend_ticket_sha256: str,
    operator_ticket_sha256: str,
    port: int = 8080,
    admin_port: int = 0,
    redis_url: str | None = None,
) -> Configuration:
    """What the demo runs with; it can't be reached from another machine.

    Args:
        folder: ``var/wampgate.sqlite3`` below it is the store.
        backend_ticket_sha256: the SHA-256 of the ticket of the principal
            ``backend``, in lower-case hexadecimal.
        operator_ticket_sha256: the same for the principal ``operator``.
        port: where to listen on 127.0.0.1; 0 for any free port.
        admin_port: likewise where operators are served.
        redis_url: a Redis to take events from; None for none.
    """
    realm = Realm(
        name=REALM,
        store=SqliteStore(path=folder / "var" / "wampgate.sqlite3", token_hash="sha256"),  # noqa: S106 - a hash's name
        authentication=Authentication(
            ticket=TicketAuthentication(role="member"),
            principals=(
                Principal(authid=BACKEND, role=BACKEND, ticket_sha256=Secret(backend_ticket_sha256)),
                Principal(authid=OPERATOR, role=OPERATOR, ticket_sha256=Secret(operator_ticket_sha256)),
            ),
        ),
        authorization=Authorization(
            rules=(
                Rule(role=BACKEND, actions=("publish",), uri="organization.", match="prefix"),
                Rule(role=BACKEND, actions=("call",), uri="wampgate.publish"),
                Rule(role=OPERATOR, actions=("call", "subscribe"), uri="wampgate.", match="prefix"),
                Rule(role=OPERATOR, actions=("call", "subscribe"), uri="wamp.", match="prefix"),
            )
        ),
        meta_api=MetaApi(sights=(Sight(role=OPERATOR, sees="all"),)),
        bridges=() if redis_url is None else (_bridge(redis_url),),
    )
    listen = Listen(endpoint=f"tcp:{port}:interface=127.0.0.1", serves=("wamp", "page", "backend"))
    admin = Admin(endpoint=f"tcp:{admin_port}:interface=127.0.0.1")
    return Configuration(listen=(listen,), admin=admin, realms=(realm,))


def _bridge(url: str) -> RedisBridge:
    topic = "organization.{organization}"
    return RedisBridge(
        url=Secret(url),
        rules=(
            PlainRule(channel="channel.{organization}", topic=topic),
            SocketIoEmitterRule(room=topic, topic=topic),
        ),
    )
