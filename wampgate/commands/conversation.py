"""One WAMP session as its client speaks it, in JSON arrays: whatever a user wants to send and see passes unchanged.

Autobahn's own session takes arguments as Python's, so that a keyword argument ``options``, ``procedure`` or
``fun`` is taken for its own or gets lost. A command has to show what there is, and so speaks for itself; it is a
:class:`wampgate.client.link.Link`, and :mod:`wampgate.client` keeps it alive.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from autobahn.wamp.exception import ApplicationError, TransportLost

from wampgate import __version__
from wampgate.client.joining import KEYWORDS
from wampgate.client.plan import End

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wampgate.client.link import Address, Ears
    from wampgate.client.plan import State

log: Final = logging.getLogger("wampgate.client")

_HELLO, _WELCOME, _ABORT, _CHALLENGE, _AUTHENTICATE, _GOODBYE, _ERROR = 1, 2, 3, 4, 5, 6, 8
_PUBLISH, _PUBLISHED, _SUBSCRIBE, _SUBSCRIBED, _UNSUBSCRIBE, _UNSUBSCRIBED, _EVENT = 16, 17, 32, 33, 34, 35, 36
_CALL, _CANCEL, _RESULT = 48, 49, 50
_ANSWERS: Final = (_PUBLISHED, _SUBSCRIBED, _UNSUBSCRIBED, _RESULT)

_ROLES: Final = {
    "caller": {"features": {"progressive_call_results": True, "call_canceling": True, "call_timeout": True}},
    "publisher": {
        "features": {
            "subscriber_blackwhite_listing": True,
            "publisher_exclusion": True,
            "publisher_identification": True,
        }
    },
    "subscriber": {
        "features": {
            "pattern_based_subscription": True,
            "publisher_identification": True,
            "subscription_revocation": True,
            "event_retention": True,
        }
    },
}
_GOODBYE_AND_OUT: Final = "wamp.close.goodbye_and_out"
_PROTOCOL_VIOLATION: Final = "wamp.error.protocol_violation"


TIMED_OUT: Final = "wampgate.client.timed_out"
"""The reason of a first attempt that took too long."""


class NotJoined(Exception):
    """There was no session to begin with.

    Attributes:
        state: why; its name is ``closed`` if trying again can't cure it, else ``waiting``.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state.message)
        self.state = state


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call resulted in.

    Attributes:
        args, kwargs: as they came.
    """

    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def kwresults(self) -> dict[str, Any]:
        """As Autobahn calls the keyword arguments."""
        return self.kwargs

    @property
    def value(self) -> Any:
        """As a function of Python would have returned it, where it can: nothing, the one argument, or the whole."""
        if self.kwargs or len(self.args) > 1:
            return self
        return self.args[0] if self.args else None


@dataclass(frozen=True, slots=True)
class Details:
    """What came with an event, by the names that Autobahn gives it.

    Attributes:
        topic: the topic, where the subscription is to a pattern; else None.
        publication: its id.
        publisher_authid: who published it, if disclosed.
    """

    topic: str | None
    publication: int
    publisher_authid: str | None


@dataclass(slots=True)
class Subscribed:
    """A subscription on this connection.

    Attributes:
        id: the subscription's.
        active: whether events still come.
    """

    id: int
    handler: Callable[..., object]
    details_arg: str | None
    conversation: Conversation
    active: bool = True

    async def unsubscribe(self) -> None:
        """End it.

        Raises:
            ApplicationError: the router refuses.
        """
        self.active = False
        await self.conversation.unsubscribe(self)

    def heard(self, event: Sequence[Any]) -> None:
        """Hand an event to whoever subscribed; a mistake of that one's ends nothing."""
        _, _, publication, details, *payload = event
        args, kwargs = _payload(payload)
        keywords: dict[str, Any] = {KEYWORDS: kwargs} if kwargs else {}
        if self.details_arg is not None:
            keywords[self.details_arg] = Details(details.get("topic"), publication, details.get("publisher_authid"))
        try:
            self.handler(*args, **keywords)
        except Exception:
            log.exception("an event could not be handled")


class Conversation:
    """Says HELLO, answers the challenge, asks, and finds the answers' questions; a :class:`wampgate.client.link.Link`.

    Args:
        address: what to join.
        ticket: what to show; None to join without.
        ears: who is told of how it begins and ends.
        send: takes a message for the router.
        close: ends the connection, once all is said.
        get_retained: whether subscribing asks for the last event too, where one is retained.
    """

    def __init__(
        self,
        address: Address,
        ticket: str | None,
        ears: Ears,
        *,
        send: Callable[[str], None],
        close: Callable[[], None],
        get_retained: bool = False,
    ) -> None:
        self._address, self._ticket, self._ears = address, ticket, ears
        self._send_text, self._close = send, close
        self._get_retained = get_retained
        self._requests = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._progress: dict[int, Callable[[Answer], None]] = {}
        self._subscribing: dict[int, tuple[Callable[..., object], str | None]] = {}
        self._subscribed: dict[int, list[Subscribed]] = {}
        self._over = False

    # --- the session ---

    def begin(self) -> None:
        """Say HELLO."""
        details: dict[str, Any] = {"agent": f"wampgate/{__version__}", "roles": _ROLES}
        if self._ticket is not None:
            details["authmethods"] = ["ticket"]
        if self._address.authid is not None:
            details["authid"] = self._address.authid
        if self._address.authextra is not None:
            details["authextra"] = self._address.authextra
        self._send(_HELLO, self._address.realm, details)

    def leave(self) -> None:
        """Say GOODBYE."""
        self._send(_GOODBYE, {}, "wamp.close.close_realm")

    def lost(self) -> None:
        """The connection has ended: nothing is answered any more."""
        self._over = True
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                # A question that was given up waits for no answer, and asyncio would complain of one nobody took.
                future.set_exception(TransportLost())
                future.exception()

    # --- what is asked ---

    async def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure; its result as a function's.

        Raises:
            ApplicationError, TransportLost: it fails, or the answer is lost.
        """
        return (await self.ask(procedure, args, kwargs)).value

    async def ask(
        self,
        procedure: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        on_progress: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """Call a procedure with any arguments; the call is cancelled if the one who waits is.

        Args:
            procedure: its URI.
            args: anything that JSON can say.
            kwargs: likewise.
            options: CALL's.
            on_progress: takes results that come before the last one.

        Raises:
            ApplicationError, TransportLost: it fails, or the answer is lost.
        """
        all_options = dict(options or {}) | ({"receive_progress": True} if on_progress else {})
        request, future = self._request(_CALL, all_options, procedure, *_spoken(args, kwargs))
        if on_progress is not None:
            self._progress[request] = on_progress
        try:
            return Answer(*_payload((await future)[3:]))
        except asyncio.CancelledError:
            if not self._over:
                self._send(_CANCEL, request, {"mode": "killnowait"})
            raise
        finally:
            self._progress.pop(request, None)

    async def publish(self, topic: str, *args: Any, **kwargs: Any) -> int:
        """Publish an event and wait until the router has it; the publication's id.

        Raises:
            ApplicationError, TransportLost: it is refused, or the answer is lost.
        """
        return await self.tell(topic, args, kwargs, {})

    async def tell(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]
    ) -> int:
        """Publish an event with any arguments and options, acknowledged; the publication's id.

        Raises:
            ApplicationError, TransportLost: it is refused, or the answer is lost.
        """
        spoken = _spoken(args, kwargs)
        _, future = self._request(_PUBLISH, dict(options) | {"acknowledge": True}, topic, *spoken)
        return int((await future)[2])

    def tell_only(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]
    ) -> None:
        """Publish an event, and learn nothing of what becomes of it.

        Raises:
            TransportLost: the connection has ended.
        """
        if self._over:
            raise TransportLost
        self._send(_PUBLISH, next(self._requests), dict(options), topic, *_spoken(args, kwargs))

    def subscribe(self, handler: Callable[..., object], topic: str, options: Any) -> asyncio.Future[Subscribed]:
        """Subscribe, at once; the answer is to be awaited: ApplicationError if it is refused, TransportLost.

        Args:
            handler: called with an event's arguments, and with its keyword arguments as ``KEYWORDS`` names them.
            topic: the topic, or a pattern.
            options: Autobahn's SubscribeOptions; None for an exact match without details.
        """
        said = {"match": options.match} if options is not None and options.match else {}
        if self._get_retained:
            said["get_retained"] = True
        request, future = self._request(_SUBSCRIBE, said, topic)
        # Events may follow SUBSCRIBED at once: whoever waits for it would be told too late.
        self._subscribing[request] = (handler, None if options is None else options.details_arg)
        return future

    async def unsubscribe(self, one: Subscribed) -> None:
        """End a subscription, where it is the last to its topic.

        Raises:
            ApplicationError, TransportLost: it is refused, or the answer is lost.
        """
        held = self._subscribed.get(one.id, [])
        if one in held:
            held.remove(one)
        if not held and self._subscribed.pop(one.id, None) is not None:
            await self._request(_UNSUBSCRIBE, one.id)[1]

    def _request(self, kind: int, *what: Any) -> tuple[int, asyncio.Future[Any]]:
        request = next(self._requests)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._over:
            future.set_exception(TransportLost())
            return request, future
        self._send(kind, request, *what)
        self._waiting[request] = future
        return request, future

    def _send(self, *message: Any) -> None:
        self._send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False))

    # --- what comes ---

    def take(self, text: str | bytes) -> None:
        """A message has come. What is no WAMP ends the session."""
        try:
            message = json.loads(text)
            self._take(message)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, RecursionError):
            self._ears.say(End(_PROTOCOL_VIOLATION, "what answers there does not speak WAMP as it should", told=True))
            self._close()

    def _take(self, message: list[Any]) -> None:
        kind = message[0]
        if kind == _EVENT:
            for one in list(self._subscribed.get(message[1], ())):
                one.heard(message)
        elif kind == _UNSUBSCRIBED and message[1] == 0:
            self._revoked(message[2])
        elif kind in _ANSWERS:
            self._answered(message)
        elif kind == _ERROR:
            self._failed(message)
        else:
            self._led(kind, message)

    def _led(self, kind: int, message: list[Any]) -> None:
        """What leads the session from one state to the next."""
        if kind == _WELCOME:
            self._ears.joined(self)
        elif kind == _CHALLENGE:
            self._send(_AUTHENTICATE, self._ticket or "", {})
        elif kind == _ABORT:
            self._ended(message)
        elif kind == _GOODBYE:
            if message[2] != _GOODBYE_AND_OUT:
                self._send(_GOODBYE, {}, _GOODBYE_AND_OUT)
            self._ended(message)
        else:
            raise ValueError(kind)

    def _ended(self, message: list[Any]) -> None:
        _, details, reason = message[:3]
        self._ears.say(End(str(reason), str(details.get("message") or reason), told=True))
        self._close()

    def _answered(self, message: list[Any]) -> None:
        kind, request = message[:2]
        if kind == _RESULT and message[2].get("progress"):
            if request in self._progress:
                self._progress[request](Answer(*_payload(message[3:])))
            return
        result: Any = message
        if kind == _SUBSCRIBED and request in self._subscribing:
            handler, details_arg = self._subscribing.pop(request)
            result = Subscribed(int(message[2]), handler, details_arg, self)
            self._subscribed.setdefault(result.id, []).append(result)
        future = self._waiting.pop(request, None)
        if future is not None and not future.done():
            future.set_result(result)

    def _failed(self, message: list[Any]) -> None:
        _, _, request, _, error, *payload = message
        future = self._waiting.pop(request, None)
        self._subscribing.pop(request, None)
        if future is not None and not future.done():
            args, kwargs = _payload(payload)
            failure = ApplicationError(str(error), *args)  # type: ignore[no-untyped-call]  # Autobahn's
            failure.kwargs = kwargs
            future.set_exception(failure)

    def _revoked(self, details: Mapping[str, Any]) -> None:
        number = int(details["subscription"])
        for one in self._subscribed.pop(number, []):
            one.active = False
        self._ears.revoked(number, str(details.get("reason") or ""))


def _payload(payload: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    args = payload[0] if payload else []
    kwargs = payload[1] if len(payload) > 1 else {}
    return list(args or ()), dict(kwargs or {})


def _spoken(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> list[Any]:
    """The shortest form of a payload."""
    if kwargs:
        return [list(args), dict(kwargs)]
    return [list(args)] if args else []
