"""Whether a bridge reads the channels to which another one writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.bridge.globs import globs_overlap, literal
from wampgate.bridge.redis_url import parse_redis_url
from wampgate.bridge.rules import SubscriptionKind
from wampgate.composition.bridges import out_rule_of
from wampgate.composition.dialects import bridge_rule_of
from wampgate.config.dialects import PlainRule, SocketIoAdapterRule
from wampgate.config.section import changed

if TYPE_CHECKING:
    from wampgate.bridge.rules import RedisSubscription
    from wampgate.config.bridges import OutRule, RedisBridge
    from wampgate.config.dialects import BridgeRule


def same_redis(bridge: RedisBridge, other: RedisBridge) -> bool:
    """Whether two bridges speak to the same server."""
    return _where(bridge) == _where(other)


def reads(reader: RedisBridge, written: OutRule) -> bool:
    """Whether a bridge reads a channel that a rule writes to: what is sent to sharded ones comes to those alone."""
    glob = out_rule_of(written).channel.glob()
    return any(
        globs_overlap(glob, _glob(subscription))
        for rule in reader.rules
        if _is_sharded(rule) == written.sharded
        for subscription in bridge_rule_of(_with_patterns(rule)).subscriptions()
    )


def _where(bridge: RedisBridge) -> tuple[str, int]:
    address = parse_redis_url(bridge.url.reveal())
    return address.host, address.port


def _is_sharded(rule: BridgeRule) -> bool:
    return isinstance(rule, PlainRule | SocketIoAdapterRule) and rule.sharded


def _with_patterns(rule: BridgeRule) -> BridgeRule:
    """The same rule for channels that are not sharded, which tells all its channels."""
    return changed(rule, sharded=False) if isinstance(rule, PlainRule | SocketIoAdapterRule) else rule


def _glob(subscription: RedisSubscription) -> str:
    return subscription.name if subscription.kind == SubscriptionKind.PATTERN else literal(subscription.name)
