"""Ties an authentication to the TLS connection that it goes over ("TLS Channel Binding", RFC 5056)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.core.errors import JoinRefused, uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.interfaces import Connection


def binding_of(extra: Mapping[str, Any], connection: Connection, *, required: bool) -> tuple[str, bytes] | None:
    """The channel binding that HELLO asks for, and what the channel is bound by; None if it asks for none.

    A binding that isn't there is never left out: whoever stands between could make it disappear.

    Args:
        extra: HELLO.Details.authextra.
        connection: how the peer is connected.
        required: whether one has to be asked for.

    Raises:
        JoinRefused: this connection has no such binding, or one is required.
    """
    name = extra.get("channel_binding")
    there = connection.secured.bindings if connection.secured is not None else {}
    if name is None:
        if required:
            raise _refusal("a channel binding is required: ask for one in authextra.channel_binding", there)
        return None
    if not isinstance(name, str) or name not in there:
        raise _refusal("authextra.channel_binding is not there on this connection", there)
    return name, there[name]


def _refusal(why: str, there: Mapping[str, bytes]) -> JoinRefused:
    return JoinRefused(uri.FEATURE_NOT_SUPPORTED, f"{why}; there are here: {', '.join(there) or 'none'}")
