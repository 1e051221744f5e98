"""Makes the stores in Redis that keep histories, of their sections in router.json."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS

from wampgate.bridge.redis_url import parse_redis_url
from wampgate.history.orderly_end import OrderlyEnd
from wampgate.history.redis_history import RedisHistory
from wampgate.tls import ClientTls, trust_root_of

if TYPE_CHECKING:
    from collections import Counter

    from wampgate.config.histories import RedisHistory as RedisSection
    from wampgate.core.realm import Realm
    from wampgate.core.topics import Topics


def redis_history_of(reactor: Any, section: RedisSection, realm: Realm, counters: Counter[str]) -> RedisHistory:
    """A store of its section; it is not opened yet."""
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
