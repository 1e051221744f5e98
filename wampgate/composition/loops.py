"""Whether what goes out to Redis would come in again: refused before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.bridge.globs import globs_overlap, literal
from wampgate.bridge.redis_url import parse_redis_url
from wampgate.bridge.rules import SubscriptionKind
from wampgate.composition.bridges import out_rule_of
from wampgate.composition.dialects import bridge_rule_of
from wampgate.config.bridges import RedisBridge
from wampgate.config.dialects import PlainRule, SocketIoAdapterRule
from wampgate.config.errors import ConfigurationError, Problem
from wampgate.config.section import changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.bridge.rules import RedisSubscription
    from wampgate.config.dialects import BridgeRule
    from wampgate.config.model import Configuration, Realm


def loops(configuration: Configuration) -> list[Problem]:
    """Every out rule whose channel an in rule of the same realm reads, on the same Redis."""
    return [
        problem
        for place, realm in enumerate(configuration.realms)
        for problem in _loops(("realms", place, "bridges"), realm)
    ]


def refuse_loops(source: str, configuration: Configuration) -> None:
    """See that nothing that goes out would come in again.

    Args:
        source: the configuration file's name.
        configuration: what it says.

    Raises:
        ConfigurationError: something would, with one line for each.
    """
    found = loops(configuration)
    if found:
        raise ConfigurationError(source, found)


def _loops(at: tuple[str | int, ...], realm: Realm) -> Iterator[Problem]:
    bridges = [(place, bridge) for place, bridge in enumerate(realm.bridges) if isinstance(bridge, RedisBridge)]
    for place, sender in bridges:
        for number, rule in enumerate(sender.out):
            glob = out_rule_of(rule).channel.glob()
            for reader in (bridge for _, bridge in bridges if _where(bridge) == _where(sender)):
                if _reads(reader, glob, sharded=rule.sharded):
                    yield Problem(
                        (*at, place, "out", number, "channel"),
                        f"expected a channel that no rule of this realm reads, got one that bridge {reader.name} reads",
                    )


def _where(bridge: RedisBridge) -> tuple[str, int]:
    address = parse_redis_url(bridge.url.reveal())
    return address.host, address.port


def _reads(reader: RedisBridge, glob: str, *, sharded: bool) -> bool:
    """Whether a bridge reads a channel of these: what is sent to sharded channels comes to those alone."""
    return any(
        globs_overlap(glob, _glob(subscription))
        for rule in reader.rules
        if _is_sharded(rule) == sharded
        for subscription in bridge_rule_of(_with_patterns(rule)).subscriptions()
    )


def _is_sharded(rule: BridgeRule) -> bool:
    return isinstance(rule, PlainRule | SocketIoAdapterRule) and rule.sharded


def _with_patterns(rule: BridgeRule) -> BridgeRule:
    """The same rule for channels that are not sharded, which tells all its channels."""
    return changed(rule, sharded=False) if isinstance(rule, PlainRule | SocketIoAdapterRule) else rule


def _glob(subscription: RedisSubscription) -> str:
    return subscription.name if subscription.kind == SubscriptionKind.PATTERN else literal(subscription.name)
