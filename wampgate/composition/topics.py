"""Makes a realm's topic options of their section in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.config.histories import MEMORY
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
        )
        for options in realm.topics
    )


def _history_options_of(history: topics.History) -> HistoryOptions:
    return HistoryOptions(
        history.count,
        history.bytes,
        history.age_seconds,
        store="" if history.store == MEMORY else history.store,
        since_membership=history.since_membership,
    )
