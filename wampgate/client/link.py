"""What a session that stays needs of a framework and of its one connection, and what a connection tells: contracts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from wampgate.client.plan import End


@dataclass(frozen=True, slots=True)
class Address:
    """Where to join, and as whom.

    Attributes:
        url: ``ws://`` or ``wss://``.
        realm: its name.
        authid: who to be; the router knows it from the token.
        authextra: for HELLO; ``{"organization": "7"}`` to be refused at once if the user is no member of it.
        ca_file: the authorities that vouch for the router's certificate, in PEM; None for the system's.
    """

    url: str
    realm: str
    authid: str | None = None
    authextra: dict[str, Any] | None = None
    ca_file: str | None = None


class Link(Protocol):
    """What a session of Autobahn does for us, once it has joined."""

    def subscribe(self, handler: Callable[..., object], topic: str, options: Any) -> Awaitable[Any]:
        """Subscribe; the result has ``id`` and ``unsubscribe()``.

        The handler gets an event's keyword arguments as one object, under ``joining.KEYWORDS``, if there are any.
        """

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """Call a procedure."""

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> Awaitable[Any] | None:
        """Publish; there is an answer if the options ask for one."""

    def leave(self) -> object:
        """Say GOODBYE."""


class Flag(Protocol):
    """What coroutines wait for; both frameworks have one. Once set it stays so."""

    def set(self) -> None:
        """Wake all who wait."""

    def wait(self) -> Awaitable[object]:
        """Until it is set."""


class Cancellable(Protocol):
    """A timer."""

    def cancel(self) -> object:
        """It does not ring; nothing if it has."""


class Abortable(Protocol):
    """A connection, made or being made."""

    def abort(self) -> None:
        """End it now; its :class:`Ears` are told as of any other end."""


@dataclass(slots=True)
class Ears:
    """Who is told of one connection; each but ``revoked`` once at most.

    Attributes:
        joined: with the session.
        revoked: with the id of a subscription that the router has taken back, and why (a URI).
        left: the session has ended; the connection soon will.
        gone: with how the connection ended.
        over: whether it has ended.
    """

    joined: Callable[[Link], None]
    revoked: Callable[[int, str], None]
    left: Callable[[], None]
    gone: Callable[[End], None]
    over: bool = field(default=False, init=False)
    _said: End | None = field(default=None, init=False)

    def say(self, end: End) -> None:
        """Why the connection is about to end; what is said first is the reason."""
        self._said = self._said or end
        self.left()

    def end(self, end: End) -> None:
        """The connection has ended: for the reason that was said before, if one was."""
        if not self.over:
            self.over = True
            self.left()
            self.gone(self._said or end)


class Runtime(Protocol):
    """What the session needs of asyncio or Twisted."""

    def now(self) -> float:
        """Monotonic, in seconds."""

    def flag(self) -> Flag:
        """A new one."""

    def later(self, seconds: float, ring: Callable[[], object]) -> Cancellable:
        """Have something done later."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have a coroutine run by itself; what it raises is logged."""

    def dial(self, address: Address, ticket: str | None, ears: Ears) -> Abortable:
        """Connect and join."""
