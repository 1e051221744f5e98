"""The client on asyncio: ``async with connect(url, realm="realm1", token=fetch_token) as session: …``."""

# Names that override Autobahn's are Autobahn's, which carries no annotations:
# mypy: allow-untyped-calls, disable-error-code="misc"

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final

from autobahn.asyncio.wamp import ApplicationSession
from autobahn.asyncio.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.websocket.util import parse_url

from wampgate.client.asyncio_runtime import AsyncioRuntime
from wampgate.client.joining import OPTIONS, JoiningSession, TellingProtocol, end_by_failure
from wampgate.client.life import Closed
from wampgate.client.link import Address, Ears
from wampgate.client.losses import Gap, Lost
from wampgate.client.place import Event, Position
from wampgate.client.plan import LEFT, End, Returning, State
from wampgate.client.session import Session
from wampgate.client.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.client.renewing import Token

__all__ = ["Closed", "Event", "Gap", "Lost", "Position", "Session", "State", "Subscription", "connect"]

_CONNECT_SECONDS: Final = 15.0


def connect(
    url: str,
    *,
    realm: str,
    token: Token = None,
    authid: str | None = None,
    authextra: dict[str, Any] | None = None,
    ca_file: str | None = None,
    first: float = 1.0,
    longest: float = 30.0,
    on_state: Callable[[State], object] | None = None,
) -> Session:
    """A session that stays: it comes back after each end that this can cure. To be entered with ``async with``.

    Args:
        url: where the router listens: ``wss://``, or ``ws://`` without encryption.
        realm: what to join.
        token: a token, or what fetches a fresh one (a function or coroutine function): it is asked
            for each connection, and when the router says that the token ends soon.
        authid: who to be; may be left out, the router knows it from the token.
        authextra: for HELLO; ``{"organization": "7"}`` is refused at once if the user is no member of 7.
        ca_file: authorities in PEM to trust, instead of the system's.
        first: the bound of the first wait before coming back, in seconds; it doubles with each attempt.
        longest: no wait is longer, in seconds.
        on_state: told of each change.

    Raises:
        ValueError: the URL is none, or the waits are none.
        Closed: (when entered) the router refuses for good.
        RuntimeError: no event loop is running.
    """
    _check(url)
    returning = Returning(renewable=callable(token), first=first, longest=longest)
    return Session(_Runtime(), Address(url, realm, authid, authextra, ca_file), token, returning, on_state)


def _check(url: str) -> None:
    try:
        parse_url(url)
    except Exception as error:
        raise ValueError(f"{url.partition('?')[0]!r} is no URL of a WebSocket: ws:// or wss:// is needed") from error


class _JoiningSession(JoiningSession, ApplicationSession):
    """A session of Autobahn that tells."""


class _TellingProtocol(TellingProtocol, WampWebSocketClientProtocol):
    """A connection of Autobahn that tells."""


class _Runtime(AsyncioRuntime):
    """What the session needs, of asyncio."""

    def dial(self, address: Address, ticket: str | None, ears: Ears) -> _Dialed:
        return _Dialed(self.loop, address, ticket, ears)


class _Dialed:
    """A connection, made or being made."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: Address, ticket: str | None, ears: Ears) -> None:
        self._ears = ears
        self._protocol: Any = None
        self._task = loop.create_task(self._connect(loop, address, ticket))

    def abort(self) -> None:
        if self._protocol is None:
            self._task.cancel()
            self._ears.end(End(LEFT, "closed here"))
        else:
            self._protocol.dropConnection(abort=True)

    async def _connect(self, loop: asyncio.AbstractEventLoop, address: Address, ticket: str | None) -> None:
        def make() -> _JoiningSession:
            session = _JoiningSession()
            session.prepare(address, ticket, self._ears)
            return session

        try:
            factory: Any = WampWebSocketClientFactory(make, url=address.url, loop=loop)
            factory.protocol, factory.ears = _TellingProtocol, self._ears
            factory.setProtocolOptions(**OPTIONS)
            context = ssl.create_default_context(cafile=address.ca_file) if factory.isSecure else None
            made = loop.create_connection(factory, factory.host, factory.port, ssl=context)
            _, self._protocol = await asyncio.wait_for(made, _CONNECT_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no connection
            self._ears.end(end_by_failure(error, untrusted=isinstance(error, ssl.SSLCertVerificationError)))
