"""One connection of Autobahn, on either framework: joins with a ticket, and tells how it joined and how it ended."""

# Names that override Autobahn's are Autobahn's:
# ruff: noqa: N802

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from autobahn.wamp.message import Event, Unsubscribed
from autobahn.wamp.types import CloseDetails

from wampgate.client.plan import CONNECTION_LOST, UNTRUSTED, End

if TYPE_CHECKING:
    from wampgate.client.link import Address, Ears

OPTIONS: Final[dict[str, Any]] = {
    "openHandshakeTimeout": 10,
    "closeHandshakeTimeout": 2,
    "autoPingInterval": 20,
    "autoPingTimeout": 20,
    "tcpNoDelay": True,
}
"""Of each WebSocket, in seconds: a router that has gone without a word is noticed in 40."""


KEYWORDS: Final = "wampgate_keywords"
"""The one keyword argument by which handlers get an event's own, as an object."""

_ANSWERED: Final = "wamp.close.goodbye_and_out"


class JoiningSession:
    """To be mixed into either framework's ``ApplicationSession``, before it."""

    def prepare(self, address: Address, ticket: str | None, ears: Ears) -> None:
        """Say how to join, and who is told."""
        self._address, self._ticket, self._ears = address, ticket, ears

    def onConnect(self) -> None:
        """Say HELLO."""
        methods = None if self._ticket is None else ["ticket"]
        address = self._address
        autobahn: Any = self
        autobahn.join(address.realm, methods, address.authid, authextra=address.authextra)

    def onChallenge(self, _challenge: Any) -> str | None:
        """Show the ticket."""
        return self._ticket

    def onJoin(self, _details: Any) -> None:
        """WELCOME has come."""
        autobahn: Any = self
        self._ears.joined(autobahn)

    def onLeave(self, details: Any) -> Any:
        """ABORT or GOODBYE has come, or the transport was lost: that is told by whoever knows its close code."""
        if details.reason == CloseDetails.REASON_TRANSPORT_LOST:
            self._ears.left()
        else:
            self._ears.say(End(details.reason, details.message or details.reason, told=True))
        if details.reason == _ANSWERED:
            # What Autobahn would warn of was asked for.
            details = CloseDetails(CloseDetails.REASON_DEFAULT, details.message)  # type: ignore[no-untyped-call]  # Autobahn's
        autobahn: Any = super()
        return autobahn.onLeave(details)

    def onMessage(self, message: Any) -> None:
        """A message has come; Autobahn itself ends the session when a subscription is taken back."""
        if isinstance(message, Unsubscribed) and message.request == 0:
            self._ears.revoked(message.subscription, message.reason or "")
            return
        if isinstance(message, Event) and message.kwargs:
            # Autobahn hands keyword arguments on beside its own: one called `fun` or `self` would cost the event.
            message.kwargs = {KEYWORDS: message.kwargs}
        autobahn: Any = super()
        autobahn.onMessage(message)


class TellingProtocol:
    """To be mixed into either framework's ``WampWebSocketClientProtocol``, before it."""

    factory: Any

    def onClose(self, clean: bool, code: int, reason: str | None) -> None:
        """The connection has ended: what its close frame says, or that there was none."""
        self.factory.ears.end(end_by_close(code, reason))
        autobahn: Any = super()
        autobahn.onClose(clean, code, reason)


def end_by_close(code: int, reason: str | None) -> End:
    """What a close frame tells; the router gives the URI as its reason."""
    text = reason or ""
    if code != 1006 and text.startswith(("wamp.", "wampgate.", "no HELLO")):
        return End(text, text, code=code)
    return End(CONNECTION_LOST, text or f"the connection ended (code {code})", code=code)


def end_by_failure(error: BaseException, *, untrusted: bool = False) -> End:
    """Why there is no connection."""
    text = f"{type(error).__name__}: {error}"
    return End(UNTRUSTED if untrusted else CONNECTION_LOST, text)
