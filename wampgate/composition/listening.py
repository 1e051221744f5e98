"""Which listeners need nothing but the port itself, and how a listener is told of in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wampgate.config import model


def is_usual(listen: model.Listen) -> bool:
    """Whether a listener serves WAMP and the page, and no proxy speaks first."""
    return set(listen.serves) == {"wamp", "page"} and not listen.proxy_protocol


def told_endpoint(endpoint: str, listening: Any) -> str:
    """An endpoint for the log: with the port that it has got, where it has one."""
    port = getattr(listening.getHost(), "port", None)
    return endpoint if port is None else f"{endpoint} (port {port})"
