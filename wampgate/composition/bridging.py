"""Makes everything that brings events into a realm from elsewhere; loaded only where something does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.composition.bridges import bridge_grants, bridge_of
from wampgate.composition.dialects import bridge_rule_of
from wampgate.composition.outbox import outbox_grants, outboxes_of
from wampgate.composition.streams import stream_bridge_of, stream_rules_of
from wampgate.config.bridges import RedisBridge as RedisBridgeSection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.authorization.rules import Rule
    from wampgate.bridge.redis_bridge import RedisBridge
    from wampgate.bridge.streams import StreamBridge
    from wampgate.config import model
    from wampgate.core.realm import Realm
    from wampgate.stores.outbox import Outbox


class Bridging:
    """A realm's bridges and outboxes, of their sections.

    Args:
        section: the realm's.
    """

    def __init__(self, section: model.Realm) -> None:
        self._section = section
        self._rules_by_bridge = {
            bridge: [bridge_rule_of(rule) for rule in bridge.rules]
            for bridge in section.bridges
            if isinstance(bridge, RedisBridgeSection)
        }
        self._stream_rules = stream_rules_of(section)

    def grants(self) -> Iterator[Rule]:
        """What lets each of them publish where its rules say, and nowhere else."""
        yield from bridge_grants(self._rules_by_bridge)
        yield from bridge_grants(self._stream_rules)
        yield from outbox_grants(self._section)

    def bridges(self, reactor: Any, realm: Realm) -> list[RedisBridge | StreamBridge | Outbox]:
        """All of them; nothing is opened yet."""
        return [
            *(bridge_of(reactor, bridge, rules, realm) for bridge, rules in self._rules_by_bridge.items()),
            *(stream_bridge_of(reactor, bridge, rules, realm) for bridge, rules in self._stream_rules.items()),
            *outboxes_of(reactor, self._section, realm),
        ]
