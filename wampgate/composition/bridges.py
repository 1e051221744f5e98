"""Makes a realm's bridges of their sections in router.json, and the rules by which they may publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from wampgate.authorization.rules import Rule
from wampgate.bridge.interruptions import Interruptions
from wampgate.bridge.out import OutRule
from wampgate.bridge.redis_bridge import RedisBridge
from wampgate.core.interfaces import Principal
from wampgate.core.kills import Kills
from wampgate.core.local import LocalPublisher, local_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from wampgate.bridge import rules as bridge_rules
    from wampgate.bridge.streams import StreamBridge
    from wampgate.config import bridges
    from wampgate.config.outbox import PostgresOutbox
    from wampgate.config.streams import RedisStreamsBridge
    from wampgate.core.history import History
    from wampgate.core.realm import Realm
    from wampgate.stores.outbox import Outbox

    AnyBridgeMade: TypeAlias = RedisBridge | StreamBridge | Outbox


AnyBridge = TypeVar("AnyBridge", bound="bridges.RedisBridge | RedisStreamsBridge")


@dataclass(frozen=True, slots=True)
class Bridged:
    """A bridge or outbox, and its ties to the realm.

    Attributes:
        section: what it was made of.
        files: what the files held that the section names.
        bridge: not started yet.
        history: what it tells of its events from elsewhere; None where it tells nothing.
        attach: has it hear of what happens in the realm; before it starts.
        detach: takes that back; after it has stopped.
    """

    section: bridges.RedisBridge | RedisStreamsBridge | PostgresOutbox
    files: bytes
    bridge: AnyBridgeMade
    history: History | None = None
    attach: Callable[[], None] = lambda: None
    detach: Callable[[], None] = lambda: None


def bridge_of(reactor: Any, bridge: bridges.RedisBridge, rules: Sequence[bridge_rules.Rule], realm: Realm) -> Bridged:
    """A bridge that publishes, and listens, under a principal of its own."""
    out = [out_rule_of(rule) for rule in bridge.out]
    topics = dict.fromkeys(pattern for rule in rules for pattern in rule.topics())
    made = RedisBridge(
        reactor,
        bridge.name,
        bridge.url.reveal(),
        rules,
        LocalPublisher(realm, bridge_principal(bridge)),
        sessions=Kills(realm, by=f"bridge {bridge.name}"),
        out=out,
        subscribe=bridge.subscribe,
        interrupted=Interruptions(realm, topics, lambda function: reactor.callLater(0, function)).tell,
        ca_file=None if bridge.ca_file is None else str(bridge.ca_file),
        ping_seconds=bridge.ping_seconds,
    )
    listener = local_session(realm, bridge_principal(bridge), lambda _message, _payload: None)

    def attach() -> None:
        if bridge.subscribe == "wanted":
            realm.broker.watch(made.interest)
        if made.outlet is not None:
            for uri, match in dict.fromkeys(rule.pattern() for rule in out):
                realm.broker.lead_out(listener, uri, match, made.outlet)

    def detach() -> None:
        realm.broker.unwatch(made.interest)
        realm.broker.lead_out_no_more(listener)

    return Bridged(bridge, content_of(bridge.ca_file), made, attach=attach, detach=detach)


def content_of(file: Path | None) -> bytes:
    """What a file holds; nothing if there is none, or if it can't be read."""
    try:
        return b"" if file is None else file.read_bytes()
    except OSError:
        return b""


def out_rule_of(rule: bridges.OutRule) -> OutRule:
    """What leaves, of its section."""
    return OutRule(rule.topic, rule.channel, below=rule.below, format=rule.format, sharded=rule.sharded)


def bridge_principal(bridge: bridges.RedisBridge | RedisStreamsBridge) -> Principal:
    """Whom a bridge acts for: nobody else."""
    # No client can have this role: router.json takes none below wampgate.
    role = f"wampgate.bridge.{bridge.name}"
    return Principal(role, role, "bridge", "router")


def bridge_grants(
    rules_by_bridge: Mapping[AnyBridge, Iterable[bridge_rules.Publishing]],
) -> Iterator[Rule]:
    """What lets each bridge publish on its own rules' topics, and nowhere else."""
    for bridge, rules in rules_by_bridge.items():
        role = bridge_principal(bridge).authrole
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
