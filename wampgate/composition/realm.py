"""Makes a realm and its parts of its section in router.json."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wampgate.authorization.memberships import Memberships
from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rules
from wampgate.composition.authentication import authenticators_of, signed_tokens_of
from wampgate.composition.authorization import rules_of, templates_of
from wampgate.composition.bridges import bridge_grants, bridge_of
from wampgate.composition.dialects import bridge_rule_of
from wampgate.composition.histories import hides_the_past, history_of, history_stores_of
from wampgate.composition.limits import session_limits_of
from wampgate.composition.outbox import outbox_grants, outboxes_of
from wampgate.composition.stores import store_of
from wampgate.composition.streams import stream_bridge_of, stream_rules_of
from wampgate.composition.topics import topics_of
from wampgate.config.bridges import RedisBridge as RedisBridgeSection
from wampgate.core.realm import Realm
from wampgate.journal import odd_organization_id

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import TypeAlias

    from wampgate.authentication.signed_tokens import SignedTokenReader
    from wampgate.bridge.redis_bridge import RedisBridge
    from wampgate.bridge.streams import StreamBridge
    from wampgate.composition.stores import Store
    from wampgate.config import model
    from wampgate.config.limits import Limits
    from wampgate.core.buckets import Buckets
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.interfaces import Record
    from wampgate.history.redis_history import RedisHistory
    from wampgate.stores.outbox import Outbox
    from wampgate.transports.turn import Turn

    Run: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(frozen=True, slots=True)
class RealmParts:
    """A realm and what was made for it."""

    configuration: model.Realm
    realm: Realm
    store: Store | None
    memberships: Memberships | None
    signed: SignedTokenReader | None
    bridges: Sequence[RedisBridge | StreamBridge | Outbox]
    histories: Sequence[RedisHistory]

    @property
    def has_users(self) -> bool:
        """Whether anyone joins with a token."""
        return "ticket" in self.realm.authenticators and (self.store is not None or self.signed is not None)


def realm_of(
    reactor: Any,
    realm: model.Realm,
    *,
    limits: Limits,
    turn: Turn,
    deadlines: Deadlines,
    buckets: Buckets,
    record: Record,
    run: Run,
) -> RealmParts:
    """Make a realm of its section; nothing of it is started yet.

    Args:
        reactor: for stores, bridges and key downloads.
        realm: the section.
        limits: of the whole configuration.
        turn: takes deliveries.
        deadlines: tells the time.
        buckets: counts what sessions ask for.
        record: takes the operator's lines.
        run: starts a coroutine.
    """
    store = None if realm.store is None else store_of(reactor, realm.store)
    memberships = None
    if store is not None:
        seconds = realm.authorization.cache_seconds
        memberships = Memberships(
            store,
            now=deadlines.now,
            seconds=seconds,
            run=run,
            odd_id=odd_organization_id,
            wall_clock=time.time if any(hides_the_past(options) for options in realm.topics) else None,
        )
    signed = signed_tokens_of(reactor, realm.authentication, deadlines)
    rules_by_bridge = {
        bridge: [bridge_rule_of(rule) for rule in bridge.rules]
        for bridge in realm.bridges
        if isinstance(bridge, RedisBridgeSection)
    }
    stream_rules = stream_rules_of(realm)
    authorizer = OrganizationAuthorizer(
        Rules(
            [
                *rules_of(realm.authorization),
                *bridge_grants(rules_by_bridge),
                *bridge_grants(stream_rules),
                *outbox_grants(realm),
            ]
        ),
        memberships,
        root=realm.authorization.organization,
        templates=templates_of(realm.authorization),
        require_organization=realm.authentication.ticket is not None
        and realm.authentication.ticket.require_organization,
    )
    topics = topics_of(realm)
    made = Realm(
        realm.name,
        deliver=turn,
        authorizer=authorizer,
        admission=authorizer,
        authenticators=authenticators_of(realm.authentication, store, signed, deadlines),
        record=record,
        limits=session_limits_of(limits),
        buckets=buckets,
        topics=topics,
        history=history_of(realm, topics),
    )
    bridges = [bridge_of(reactor, bridge, rules, made) for bridge, rules in rules_by_bridge.items()]
    streams = [stream_bridge_of(reactor, bridge, rules, made) for bridge, rules in stream_rules.items()]
    histories = history_stores_of(reactor, realm, made)
    outboxes = outboxes_of(reactor, realm, made)
    return RealmParts(realm, made, store, memberships, signed, [*bridges, *streams, *outboxes], histories)
