"""One subscription's place in the router's history: what to ask for, what came twice, and whether anything is missing.

The procedure is the one of docs/history.md. Nothing here waits or sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

_REMEMBERED: Final = 20_000
"""So many events are remembered, so that none is handed over twice."""
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        topic: where it was published; of a pattern's subscription, the topic itself.
        publication: its id.
        args, kwargs: what was published.
        publisher_authid: who published it, if that was disclosed.
        recovered: whether it comes out of the history: it was published while the client was away.
    """

    topic: str
    publication: int
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    publisher_authid: str | None = None
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a history, to go on from, by another process too.

    Attributes:
        publication: of the last event that was handed over; None before the first one.
        epoch: the unbroken run of events that it belongs to; None if the router keeps none.
    """

    publication: int | None = None
    epoch: str | None = None


class Place:
    """What one subscription has had; it outlives connections.

    Between :meth:`begin` and :meth:`resume`, what comes live waits behind what was missed.

    Args:
        after: where to go on from; None to begin with what is published from now on.
    """

    def __init__(self, after: Position | None = None) -> None:
        self.position = after or Position()
        self._known = after is not None
        self._behind: list[Event] | None = None
        self._seen: dict[tuple[str, int], None] = {}

    @property
    def busy(self) -> bool:
        """Whether what comes live has to wait."""
        return self._behind is not None

    def begin(self) -> None:
        """The topic is being subscribed to, or asked for what was missed."""
        self._behind = []

    def question(self) -> dict[str, Any]:
        """The keyword arguments to ask ``wampgate.history.recover`` with."""
        position = self.position
        limit = _PAGE if self._known else 0
        return {"after_publication": position.publication, "epoch": position.epoch, "limit": limit}

    def answered(self, topic: str, page: dict[str, Any]) -> tuple[list[Event], bool, bool]:
        """Take the answer: the events to hand over, whether all are there, and whether to ask again.

        Raises:
            KeyError, TypeError: it is no answer to that question.
        """
        known, self._known = self._known, True
        events = [_recovered(topic, event) for event in page["events"]] if known else []
        fresh = [event for event in events if self._fresh(event)]
        self.position = Position(page["position"], page["epoch"])
        return fresh, bool(page["recovered"]) or not known, known and bool(page["more"])

    def failed(self) -> bool:
        """The question got an error: whether something may be missing for that."""
        known, self._known = self._known, True
        return known

    def resume(self) -> list[Event]:
        """Caught up, or given up: what has come meanwhile, to be handed over now."""
        behind, self._behind = self._behind or [], None
        return [event for event in behind if self._fresh(event)]

    def live(self, event: Event) -> bool:
        """An event has come: whether to hand it over now."""
        if self._behind is not None:
            self._behind.append(event)
            return False
        return self._fresh(event)

    def _fresh(self, event: Event) -> bool:
        key = (event.topic, event.publication)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self.position = Position(event.publication, self.position.epoch)
        return True


def _recovered(topic: str, event: dict[str, Any]) -> Event:
    return Event(
        event.get("topic") or topic,
        event["publication"],
        tuple(event.get("args") or ()),
        event.get("kwargs") or {},
        event.get("publisher_authid"),
        recovered=True,
    )
