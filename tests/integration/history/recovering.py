"""A router that keeps histories, and a client that comes back: shared by the tests of this folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conftest import principal, rule, static_configuration, ticket_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer
    from redis_server import RedisServer

RECOVER = "wampgate.history.recover"
KEY = "wampgate:history:realm1"
"""Of the hash in Redis; the stream's has ``:log`` behind it."""


def configuration(*topics: dict[str, Any], stores: Any = (), **more: Any) -> dict[str, Any]:
    """A realm whose backend publishes anywhere below com. and whose readers may subscribe there."""
    realm = {
        "name": "realm1",
        "authentication": {"principals": [principal("backend", "backend"), principal("alice", "reader")]},
        "authorization": {
            "rules": [
                rule("backend", ["publish"], "com.", "prefix"),
                rule("reader", ["subscribe"], "com.", "prefix"),
            ]
        },
        "topics": list(topics),
        "history": {"stores": list(stores)},
    }
    return static_configuration(realms=[realm], **more)


def kept(uri: str = "com.", match: str = "prefix", **history: Any) -> dict[str, Any]:
    """Topic options with a history."""
    return {"uri": uri, "match": match, "history": history}


def joined(peer: Peer, authid: str) -> Peer:
    """A peer that has joined."""
    return peer.join(ticket_of(authid), authid=authid)


def recover(peer: Peer, topic: str, **arguments: Any) -> dict[str, Any]:
    """One answer."""
    result = peer.result(peer.start_call(RECOVER, [], {"topic": topic, **arguments}))
    answer: dict[str, Any] = result[4]
    return answer


def recover_all(peer: Peer, topic: str, after: int, **arguments: Any) -> list[dict[str, Any]] | None:
    """Every event behind a position, page by page; None if the position is not known."""
    events: list[dict[str, Any]] = []
    while True:
        answer = recover(peer, topic, after_publication=after, **arguments)
        if not answer["recovered"]:
            return None
        events += answer["events"]
        if not answer["more"]:
            return events
        after = answer["position"]


def length(redis: RedisServer) -> int:
    """How many entries Redis has."""
    return int(redis.command("XLEN", f"{KEY}:log").strip()[1:])


def wait_for(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def numbers(events: list[dict[str, Any]] | None) -> list[int] | None:
    """The first argument of each event."""
    return None if events is None else [event["args"][0] for event in events]
