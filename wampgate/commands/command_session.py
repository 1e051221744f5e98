"""A command's session on asyncio: ``wampgate.client`` keeps it alive, its conversation speaks as it is told."""

# Names that override Autobahn's are Autobahn's, which carries no annotations:
# mypy: allow-untyped-calls, disable-error-code="misc"
# ruff: noqa: N802

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

from wampgate.client.asyncio_runtime import AsyncioRuntime
from wampgate.client.joining import OPTIONS, TellingProtocol, end_by_failure
from wampgate.client.plan import LEFT, End, Returning, State
from wampgate.client.session import Session
from wampgate.commands.conversation import TIMED_OUT, Conversation, NotJoined
from wampgate.commands.router_file import PATH, socket_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wampgate.client.link import Address, Ears
    from wampgate.client.renewing import Token

_SUBPROTOCOL: Final = "wamp.2.json"
_URL_AT_A_SOCKET: Final = f"ws://localhost{PATH}"
"""What a router at a Unix socket is asked for; no host is named by it."""
_LONGEST_SECONDS: Final = 10.0
"""A human being looks on: no wait is longer."""


class CommandSession(Session):
    """A session that stays, and gives its connection to whoever wants to say something as it is."""

    def start(self) -> None:
        """Begin to connect."""
        self.spawn(self._life.run())

    async def conversation(self) -> Conversation:
        """The connection in use, once there is one.

        Raises:
            Closed: there is none any more.
        """
        return cast("Conversation", await self._life.joined())


@asynccontextmanager
async def joined(
    address: Address,
    token: Token,
    *,
    on_state: Callable[[State], object] | None = None,
    connect_seconds: float = 15.0,
    get_retained: bool = False,
) -> AsyncIterator[CommandSession]:
    """A session that has joined at the first attempt; from then on it comes back after each end that this can cure.

    Args:
        address: where, and as whom.
        token: see :data:`wampgate.client.renewing.Token`.
        on_state: told of each change after that.
        connect_seconds: how long the first attempt may take, in seconds.
        get_retained: whether subscriptions ask for the last event too, where one is retained.

    Raises:
        NotJoined: the first attempt failed.
    """
    first: asyncio.Future[State] = asyncio.get_running_loop().create_future()

    def told(state: State) -> None:
        if first.done() and on_state is not None:
            on_state(state)
        elif state.name != "connecting" and not first.done():
            first.set_result(state)

    returning = Returning(renewable=callable(token), longest=_LONGEST_SECONDS)
    session = CommandSession(_Runtime(get_retained=get_retained), address, token, returning, told)
    session.start()
    try:
        state = await _within(connect_seconds, first)
        if state.name != "joined":
            raise NotJoined(state)
        yield session
    finally:
        on_state = None
        await session.close()


async def _within(seconds: float, first: asyncio.Future[State]) -> State:
    try:
        return await asyncio.wait_for(first, seconds)
    except TimeoutError:
        return State("waiting", reason=TIMED_OUT, message=f"no answer within {seconds:g} seconds")


class _Protocol(TellingProtocol, WebSocketClientProtocol):
    """A WebSocket that hands messages on."""

    conversation: Conversation

    def onOpen(self) -> None:
        """The WebSocket is open."""
        factory: Any = self.factory
        self.conversation = factory.conversation_over(self)
        self.conversation.begin()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: ARG002, N803 - Autobahn's
        """A message has come."""
        self.conversation.take(payload)

    def onClose(self, clean: bool, code: int, reason: str | None) -> None:
        """The WebSocket has ended."""
        super().onClose(clean, code, reason)
        if hasattr(self, "conversation"):
            self.conversation.lost()


class _Runtime(AsyncioRuntime):
    """What the session needs, of asyncio; a :class:`wampgate.client.link.Runtime`."""

    def __init__(self, *, get_retained: bool) -> None:
        super().__init__()
        self._get_retained = get_retained

    def dial(self, address: Address, ticket: str | None, ears: Ears) -> _Dialed:
        return _Dialed(self.loop, address, ticket, ears, get_retained=self._get_retained)


class _Dialed:
    """A connection, made or being made."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, address: Address, ticket: str | None, ears: Ears, *, get_retained: bool
    ) -> None:
        self._address, self._ticket, self._ears, self._get_retained = address, ticket, ears, get_retained
        self._protocol: Any = None
        self._task = loop.create_task(self._connect(loop))

    def abort(self) -> None:
        if self._protocol is None:
            self._task.cancel()
            self._ears.end(End(LEFT, "closed here"))
        else:
            self._protocol.dropConnection(abort=True)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            socket = socket_of(self._address.url)
            url = self._address.url if socket is None else _URL_AT_A_SOCKET
            factory: Any = WebSocketClientFactory(url=url, protocols=[_SUBPROTOCOL], loop=loop)
            factory.protocol, factory.ears = _Protocol, self._ears
            factory.conversation_over = self._conversation
            factory.setProtocolOptions(**OPTIONS)
            if socket is not None:
                _, self._protocol = await loop.create_unix_connection(factory, socket)
                return
            context = ssl.create_default_context(cafile=self._address.ca_file) if factory.isSecure else None
            _, self._protocol = await loop.create_connection(factory, factory.host, factory.port, ssl=context)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no connection
            self._ears.end(end_by_failure(error, untrusted=isinstance(error, ssl.SSLCertVerificationError)))

    def _conversation(self, protocol: Any) -> Conversation:
        return Conversation(
            self._address,
            self._ticket,
            self._ears,
            send=lambda text: protocol.sendMessage(text.encode()),
            close=lambda: protocol.sendClose(1000),
            get_retained=self._get_retained,
        )
