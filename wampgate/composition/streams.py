"""Makes a realm's bridges that read Redis Streams of their sections in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wampgate.bridge.interruptions import Interruptions
from wampgate.bridge.stream_offsets import StreamOffsets
from wampgate.bridge.streams import StreamBridge
from wampgate.composition.bridges import Bridged, bridge_principal, content_of
from wampgate.composition.dialects import stream_rule_of
from wampgate.config.streams import RedisStreamsBridge
from wampgate.core.kills import Kills
from wampgate.core.local import LocalPublisher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.bridge.rules import StreamRule
    from wampgate.bridge.templates import TopicPattern
    from wampgate.config import model
    from wampgate.core.history import History
    from wampgate.core.realm import Realm


def stream_rules_of(realm: model.Realm) -> dict[RedisStreamsBridge, list[StreamRule]]:
    """The rules of each bridge that reads streams."""
    return {
        bridge: [stream_rule_of(rule) for rule in bridge.rules]
        for bridge in realm.bridges
        if isinstance(bridge, RedisStreamsBridge)
    }


def stream_bridge_of(
    reactor: Any, bridge: RedisStreamsBridge, rules: Sequence[StreamRule], realm: Realm, history: History | None
) -> Bridged:
    """A bridge that publishes under a principal of its own."""
    # A realm's name may hold what a file's name may not.
    file = f"{quote(realm.name, safe='')}.{bridge.name}.offsets.json"

    def tell_gap(topics: Sequence[TopicPattern], *, since: float) -> None:
        told = Interruptions(realm, topics, lambda go_on: reactor.callLater(0, go_on))
        told.tell(since, why="stream_trimmed")

    made = StreamBridge(
        reactor,
        bridge.name,
        bridge.url.reveal(),
        rules,
        LocalPublisher(realm, bridge_principal(bridge)),
        offsets=StreamOffsets(bridge.state_folder / file),
        sessions=Kills(realm, by=f"bridge {bridge.name}"),
        history=history,
        tell_gap=tell_gap,
        ca_file=None if bridge.ca_file is None else str(bridge.ca_file),
        ping_seconds=bridge.ping_seconds,
        count=bridge.count,
        oldest=bridge.offset == "oldest",
        dead_letter_suffix=bridge.dead_letter,
    )
    return Bridged(bridge, content_of(bridge.ca_file), made, history)
