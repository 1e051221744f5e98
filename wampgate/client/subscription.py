"""A subscription that outlives connections: subscribed to again, caught up with, and told of when it ends."""

# Autobahn's options carry no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import SubscribeOptions

from wampgate.client.joining import KEYWORDS
from wampgate.client.listeners import tell
from wampgate.client.losses import SLOW_READER, Gap, Lost
from wampgate.client.place import Event, Place, Position
from wampgate.client.plan import Returning, curable

if TYPE_CHECKING:
    from wampgate.client.link import Link
    from wampgate.client.session import Session

Match: TypeAlias = Literal["exact", "prefix", "wildcard"]
Handler: TypeAlias = Callable[[Event], object]
"""Takes an event; where it is a coroutine function, events are begun in their order."""

log: Final = logging.getLogger("wampgate.client")
_RECOVER: Final = "wampgate.history.recover"
# Beside the publisher's keyword arguments, which stand under one name of their own.
_DETAILS: Final = "wampgate_event_details"


class Subscription:
    """What :meth:`Session.subscribe` returns."""

    def __init__(
        self,
        session: Session,
        topic: str,
        handler: Handler,
        *,
        match: Match,
        place: Place | None,
        on_gap: Callable[[Gap], object] | None,
        on_lost: Callable[[Lost], object] | None,
    ) -> None:
        self.topic: Final = topic
        self.match: Final = match
        self.id: int | None = None
        self._session = session
        self._handler = handler
        self._place = place
        self._on_gap = on_gap
        self._on_lost = on_lost
        self._made: Any = None

    @property
    def position(self) -> Position | None:
        """Where it stands in the history, for ``subscribe(after=…)`` of another process; None without ``recover``."""
        return self._place.position if self._place else None

    async def unsubscribe(self) -> None:
        """End it. No event comes any more; nothing if it has ended.

        Raises:
            ApplicationError: the router refuses (Autobahn's).
        """
        self._session.forget(self)
        made, self._made = self._made, None
        if made is not None and made.active:
            await made.unsubscribe()

    async def make(self, link: Link) -> None:
        """Subscribe on a connection, and catch up.

        Raises:
            ApplicationError: the router refuses (Autobahn's).
        """
        self._made = self.id = None
        if self._place:
            self._place.begin()
        made = await link.subscribe(
            lambda *args, **kwargs: self._came(link, args, kwargs),
            self.topic,
            SubscribeOptions(match=self.match, details_arg=_DETAILS),
        )
        if not self._session.holds(self):
            await made.unsubscribe()
            return
        self._made, self.id = made, made.id
        if self._place:
            await self._catch_up(link, self._place, Gap(self.topic, self.match, "wampgate.client.position_unknown"))

    async def renew(self, link: Link) -> None:
        """Subscribe on another connection, as soon as that can be decided."""
        returning = Returning(renewable=False)
        while self._session.uses(link) and self._session.holds(self):
            try:
                await self.make(link)
                return
            except ApplicationError as error:
                if not self._session.uses(link):
                    return
                if not curable(str(error.error)):
                    self.lost(str(error.error), _text_of(error))
                    return
            except Exception:  # noqa: BLE001 - the connection is lost: the next one does it
                return
            returning.connecting()
            await self._session.sleep(returning.wait())

    def missed(self, link: Link, gap: Gap) -> None:
        """The router has left events out: fetch them if it keeps them, and tell of the gap else."""
        # With a pattern, or while asking already, later events may have come before the gap was told.
        if gap.why == SLOW_READER and self._place and self.match == "exact" and not self._place.busy:
            # At once, or the next event would move the position past the gap.
            self._place.begin()
            self._session.spawn(self._catch_up(link, self._place, gap))
        else:
            self._told(self._on_gap, gap)

    def lost(self, reason: str, message: str) -> None:
        """It is over."""
        self._session.forget(self)
        self._made = self.id = None
        self._told(self._on_lost, Lost(self.topic, reason, message))

    async def _catch_up(self, link: Link, place: Place, gap: Gap) -> None:
        more = True
        try:
            while more:
                answer = await link.call(_RECOVER, self.topic, self.match, **place.question())
                if not self._session.uses(link):
                    # The next connection goes on from here.
                    return
                events, complete, more = place.answered(self.topic, answer.kwresults)
                if not complete:
                    self._told(self._on_gap, gap)
                for event in events:
                    self._handle(event)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, what has come must be handed over, and told
            if not self._session.uses(link):
                return
            if place.failed():
                why = getattr(error, "error", "wampgate.client.malformed_answer")
                self._told(self._on_gap, Gap(self.topic, self.match, why))
        for event in place.resume():
            self._handle(event)

    def _came(self, link: Link, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        details = kwargs[_DETAILS]
        topic = details.topic or self.topic
        # Other subscriptions get the same message.
        keywords = dict(kwargs.get(KEYWORDS, ()))
        event = Event(topic, details.publication, args, keywords, details.publisher_authid)
        if self._session.uses(link) and self._session.holds(self) and (self._place is None or self._place.live(event)):
            self._handle(event)

    def _handle(self, event: Event) -> None:
        if self._session.holds(self):
            self._told(self._handler, event)

    def _told(self, listener: Callable[[Any], object] | None, what: object) -> None:
        if listener is not None:
            tell(self._session.spawn, listener, what, self.topic)
        elif isinstance(what, Gap | Lost):
            log.warning("nobody listens to %s", what)


def _text_of(error: ApplicationError) -> str:
    return " ".join(str(arg) for arg in error.args) or str(error.error)
