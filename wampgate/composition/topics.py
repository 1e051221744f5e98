"""Makes a realm's topic options, and the bounds of what topics retain, of their sections in router.json."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from wampgate.config.histories import MEMORY
from wampgate.core.retained import RetentionBounds
from wampgate.core.topics import HistoryOptions, TopicOptions, Topics

if TYPE_CHECKING:
    from wampgate.config import model, topics


def topics_of(realm: model.Realm) -> Topics:
    """How the realm's topics are treated."""
    return Topics(
        TopicOptions(
            options.uri,
            options.match,
            slow_readers=options.slow_readers,
            latest_by=options.latest_by,
            history=None if options.history is None else _history_options_of(options.history),
            retain=options.retain,
        )
        for options in realm.topics
    )


def retention_of(realm: model.Realm) -> RetentionBounds | None:
    """What the realm's retained events may take; None where nothing is retained."""
    retained = realm.retained
    if retained is None:
        return None
    return RetentionBounds(
        events=retained.events,
        bytes=retained.bytes,
        events_per_publisher=retained.events_per_publisher,
        bytes_per_publisher=retained.bytes_per_publisher,
        age_seconds=inf if retained.age_seconds is None else retained.age_seconds,
        events_per_subscribe=retained.events_per_subscribe,
        bytes_per_subscribe=retained.bytes_per_subscribe,
    )


def _history_options_of(history: topics.History) -> HistoryOptions:
    return HistoryOptions(
        history.count,
        history.bytes,
        history.age_seconds,
        store="" if history.store == MEMORY else history.store,
        since_membership=history.since_membership,
    )
