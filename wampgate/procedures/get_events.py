"""``wamp.subscription.get_events(subscription, …)``: the specification's way to a history ("Event History")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.procedures import when_decided
from wampgate.core.uri import is_uri
from wampgate.procedures.reading import MAX_LIMIT, Sight, check_right, page_of, shown_args, shown_details
from wampgate.wire.messages import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.broker import Subscription
    from wampgate.core.decisions import Decision
    from wampgate.core.history import History
    from wampgate.core.history_window import Window
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.stored_events import StoredEvent

NAME: Final = "wamp.subscription.get_events"

_TIMES: Final = ("from_time", "after_time", "before_time", "until_time")
_PUBLICATIONS: Final = ("from_publication", "after_publication", "before_publication", "until_publication")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events are wanted: all conditions hold at once.

    Attributes:
        reverse: newest first.
        limit: so many at most.
        topic: only this one; None for all.
        times: seconds since 1970, by the argument's name.
        publications: publication ids, by the argument's name.
    """

    reverse: bool
    limit: int
    topic: str | None
    times: Mapping[str, float]
    publications: Mapping[str, int]

    def is_in_time(self, event: StoredEvent) -> bool:
        """Whether the time and the topic are wanted."""
        times = self.times
        return (
            times.get("from_time", -inf) <= event.at <= times.get("until_time", inf)
            and times.get("after_time", -inf) < event.at < times.get("before_time", inf)
            and self.topic in (None, event.topic)
        )


class GetEvents:
    """The events of a subscription that exists, for whoever may subscribe to the same now.

    The result's args are the events; its kwargs: ``more`` (whether a page that follows may hold
    more), ``position`` (the publication id from which to go on) and ``epoch``.
    """

    def __init__(self, realm: Realm, history: History) -> None:
        self._realm = realm
        self._history = history

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the arguments are none, or there is no such subscription for the caller.
        """
        values = asked.arguments("subscription", "reverse", "limit", "topic", *_TIMES, *_PUBLICATIONS)
        filters = _filters_of(values)
        number = values.get("subscription")
        if type(number) is not int:
            raise RequestRefused(uri.INVALID_ARGUMENT, "the first argument is a subscription's id")
        subscription = self._realm.broker.subscription(number)
        if subscription is None:
            raise _NONE

        def decided(decision: Decision) -> None:
            if not asked.caller.established:
                return
            try:
                self._answer(asked, subscription, filters, decision)
            except RequestRefused as refusal:
                asked.refuse(refusal)

        topic, match = subscription.topic, subscription.match
        when_decided(self._realm.authorize(asked.caller, "subscribe", topic, match), decided)

    def _answer(self, asked: Asked, subscription: Subscription, filters: Filters, decision: Decision) -> None:
        try:
            check_right(asked.caller, decision, subscription.topic, subscription.match)
        except RequestRefused:
            if decision.failed:
                raise
            # Ids can be guessed: who may not subscribe does not learn what there is.
            raise _NONE from None
        since = self._realm.topics.visible_since(subscription.topic, subscription.match, decision)
        sight = Sight(asked.caller, since)
        window = self._history.window(subscription.topic, subscription.match)
        first, last = _bounds(window, filters)
        events = window.backwards() if filters.reverse else window.after(first - 1)

        def wanted(event: StoredEvent) -> bool:
            return first <= event.sequence <= last and filters.is_in_time(event) and sight.sees(event)

        page = page_of(events, filters.limit, wanted)
        asked.result(
            *[_shown(event, subscription) for event in page.events],
            more=page.more,
            position=page.position,
            epoch=window.epoch,
        )


def _bounds(window: Window, filters: Filters) -> tuple[int, int]:
    """The first and the last place that the publications among the filters leave.

    Raises:
        RequestRefused: one of them is not known (any more): what is behind it can't be said.
    """
    first, last = 0, MAX_ID
    for name, publication in filters.publications.items():
        sequence = window.sequence_of(publication)
        if sequence is None:
            raise RequestRefused(uri.INVALID_ARGUMENT, f"{name}: this publication is not in the history (any more)")
        if name in ("from_publication", "after_publication"):
            first = max(first, sequence + (name == "after_publication"))
        else:
            last = min(last, sequence - (name == "before_publication"))
    return first, last


def _shown(event: StoredEvent, subscription: Subscription) -> dict[str, Any]:
    payload = event.payload()
    topic = {} if subscription.match == "exact" else {"topic": event.topic}
    shown: dict[str, Any] = {
        "timestamp": event.timestamp,
        "subscription": subscription.id,
        "publication": event.publication,
        "details": {**topic, **shown_details(event)},
    }
    if payload.args:
        shown["args"] = shown_args(payload.args)
    if payload.kwargs:
        shown["kwargs"] = dict(payload.kwargs)
    return shown


def _filters_of(values: Mapping[str, Any]) -> Filters:
    given = {name: value for name, value in values.items() if value is not None}
    reverse, limit, topic = given.get("reverse", False), given.get("limit", MAX_LIMIT), given.get("topic")
    if type(reverse) is not bool or type(limit) is not int or limit < 1:
        raise RequestRefused(uri.INVALID_ARGUMENT, "reverse is a boolean, limit an integer of at least 1")
    if topic is not None and not (isinstance(topic, str) and is_uri(topic)):
        raise RequestRefused(uri.INVALID_ARGUMENT, "topic is a URI")
    times: dict[str, float] = {name: _seconds(name, given[name]) for name in _TIMES if name in given}
    publications: dict[str, int] = {name: given[name] for name in _PUBLICATIONS if name in given}
    for name, publication in publications.items():
        if type(publication) is not int or not 1 <= publication <= MAX_ID:
            raise RequestRefused(uri.INVALID_ARGUMENT, f"{name} is a publication id")
    return Filters(reverse, min(limit, MAX_LIMIT), topic, times, publications)


def _seconds(name: str, value: object) -> float:
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise RequestRefused(uri.INVALID_ARGUMENT, f"{name} is a time by RFC 3339, such as 2026-01-31T12:00:00.000Z")
    return when.timestamp()


_NONE: Final = RequestRefused(
    uri.NOT_AUTHORIZED, "there is no such subscription, or this session may not subscribe to its topic"
)
