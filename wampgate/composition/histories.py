"""Makes a realm's history, and where it is kept, of the sections in router.json."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS

from wampgate.bridge.redis_url import parse_redis_url
from wampgate.core.history import History, HistoryBounds
from wampgate.tls import ClientTls, trust_root_of

if TYPE_CHECKING:
    from collections import Counter

    from wampgate.config import model, topics
    from wampgate.config.histories import RedisHistory as RedisSection
    from wampgate.core.realm import Realm
    from wampgate.core.topics import Topics
    from wampgate.history.redis_history import RedisHistory

_FIRST_SECOND: Final = 1_577_836_800
"""2020-01-01: where sequences begin to count the microseconds of the process's start."""


def history_of(realm: model.Realm, options: Topics) -> History | None:
    """What keeps the realm's events; None where nothing is kept."""
    if not any(each.history is not None for each in options):
        return None
    return History(
        options,
        bounds=HistoryBounds(realm.history.topics, realm.history.bytes),
        begin=max(0, int((time.time() - _FIRST_SECOND) * 1e6)),
    )


def hides_the_past(options: topics.TopicOptions) -> bool:
    """Whether what predates a membership is hidden on these topics."""
    return options.history is not None and options.history.since_membership


def history_stores_of(reactor: Any, section: model.Realm, realm: Realm) -> list[RedisHistory]:
    """The stores that topics name; they are not opened yet."""
    named = {options.history.store for options in realm.topics if options.history is not None}
    return [
        _redis_history_of(reactor, store, realm, realm.counters)
        for store in section.history.stores
        if store.name in named
    ]


def _redis_history_of(reactor: Any, section: RedisSection, realm: Realm, counters: Counter[str]) -> RedisHistory:
    # Loaded only where it is used.
    from wampgate.history.orderly_end import OrderlyEnd  # noqa: PLC0415
    from wampgate.history.redis_history import RedisHistory  # noqa: PLC0415

    url = section.url.reveal()
    address = parse_redis_url(url)
    endpoint: Any = HostnameEndpoint(reactor, address.host, address.port, timeout=section.timeout_seconds)
    if address.tls:
        trust_root = trust_root_of(None if section.ca_file is None else str(section.ca_file))
        creator: Any = ClientTls(address.host, trust_root)
        endpoint = wrapClientTLS(creator, endpoint)
    end = None
    if section.state_folder is not None:
        # A realm's name may hold what a file's name may not.
        end = OrderlyEnd(section.state_folder / f"{quote(realm.name, safe='')}.{section.name}.ended")
    return RedisHistory(
        reactor,
        section.name,
        endpoint,
        username=address.username,
        password=address.password,
        database=int(urlsplit(url).path.removeprefix("/") or 0),
        key=f"{section.prefix}:{realm.name}",
        topics=_fingerprint(realm.topics, section.name),
        orderly_end=end,
        queue_bytes=section.queue_bytes,
        timeout=section.timeout_seconds,
        counters=counters,
    )


def _fingerprint(options: Topics, store: str) -> str:
    """Tells which topics a store keeps: what was kept under another choice is not whole under this one."""
    kept = [(each.uri, each.match, each.history is not None and each.history.store == store) for each in options]
    return sha256(json.dumps(kept).encode()).hexdigest()
