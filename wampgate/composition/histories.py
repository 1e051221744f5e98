"""Makes a realm's history, and where it is kept, of the sections in router.json."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.history import History, HistoryBounds

if TYPE_CHECKING:
    from wampgate.config import model, topics
    from wampgate.core.realm import Realm
    from wampgate.core.topics import Topics
    from wampgate.history.redis_history import RedisHistory

_FIRST_SECOND: Final = 1_577_836_800
"""2020-01-01: where sequences begin to count the microseconds of the process's start."""


def history_of(realm: model.Realm, live: Topics, options: Topics) -> History | None:
    """What keeps the realm's events; None where nothing is kept.

    Args:
        realm: the section.
        live: the realm's topic options, which say at any time how topics are treated.
        options: what they are to say.
    """
    if not any(each.history is not None for each in options):
        return None
    return History(
        live,
        bounds=bounds_of(realm),
        begin=max(0, int((time.time() - _FIRST_SECOND) * 1e6)),
    )


def bounds_of(realm: model.Realm) -> HistoryBounds:
    """What all histories of a realm may take together."""
    return HistoryBounds(realm.history.topics, realm.history.bytes)


def hides_the_past(options: topics.TopicOptions) -> bool:
    """Whether what predates a membership is hidden on these topics."""
    return options.history is not None and options.history.since_membership


def history_stores_of(reactor: Any, section: model.Realm, realm: Realm) -> list[RedisHistory]:
    """The stores that topics name; they are not opened yet."""
    named = {options.history.store for options in realm.topics if options.history is not None}
    stores = [store for store in section.history.stores if store.name in named]
    if not stores:
        return []
    # Redis' client is loaded only where it is used.
    from wampgate.composition.redis_histories import redis_history_of  # noqa: PLC0415

    return [redis_history_of(reactor, store, realm, realm.counters) for store in stores]
