"""Makes a realm's bridges of their sections in router.json, and the rules by which they may publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.authorization.rules import Rule
from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.bridge.redis_bridge import RedisBridge
from wampgate.config import bridges
from wampgate.core.interfaces import Principal
from wampgate.core.local import LocalPublisher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wampgate.core.realm import Realm


def bridge_rule_of(rule: bridges.PlainRule | bridges.SocketIoEmitterRule) -> PlainRule | SocketIoEmitterRule:
    """The dialect's own rule."""
    if isinstance(rule, bridges.PlainRule):
        return PlainRule(channel=rule.channel, topic=rule.topic, format=rule.format)
    return SocketIoEmitterRule(key=rule.key, namespace=rule.namespace, room=rule.room, topic=rule.topic)


def bridge_of(
    reactor: Any, bridge: bridges.RedisBridge, rules: Sequence[PlainRule | SocketIoEmitterRule], realm: Realm
) -> RedisBridge:
    """A bridge that publishes under a principal of its own."""
    return RedisBridge(
        reactor,
        bridge.name,
        bridge.url.reveal(),
        rules,
        LocalPublisher(realm, _bridge_principal(bridge)),
        ca_file=None if bridge.ca_file is None else str(bridge.ca_file),
        ping_seconds=bridge.ping_seconds,
    )


def _bridge_principal(bridge: bridges.RedisBridge) -> Principal:
    # No client can have this role: router.json takes none below wampgate.
    role = f"wampgate.bridge.{bridge.name}"
    return Principal(role, role, "bridge", "router")


def bridge_grants(
    rules_by_bridge: Mapping[bridges.RedisBridge, Iterable[PlainRule | SocketIoEmitterRule]],
) -> Iterator[Rule]:
    """What lets each bridge publish on its own rules' topics, and nowhere else."""
    for bridge, rules in rules_by_bridge.items():
        role = _bridge_principal(bridge).authrole
        for rule in rules:
            for topic, match in rule.topics():
                yield Rule(
                    role,
                    frozenset({"publish"}),
                    topic,
                    match,
                    allow=True,
                    disclose="never",
                    name=f"the rules of bridge {bridge.name}",
                )
