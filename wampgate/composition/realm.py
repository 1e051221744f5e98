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
from wampgate.composition.dynamic import caller_grants, dynamic_authenticator_of, dynamic_authorizer_of
from wampgate.composition.histories import hides_the_past, history_of, history_stores_of
from wampgate.composition.limits import session_limits_of
from wampgate.composition.stores import parts_of, store_of
from wampgate.composition.topics import retention_of, topics_of
from wampgate.core.realm import Realm
from wampgate.journal import odd_organization_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence
    from typing import TypeAlias

    from wampgate.authentication.dynamic import DynamicAuthenticator
    from wampgate.authentication.signed_tokens import SignedTokenReader
    from wampgate.authorization.dynamic import DynamicAuthorizer
    from wampgate.bridge.redis_bridge import RedisBridge
    from wampgate.bridge.streams import StreamBridge
    from wampgate.composition.bridging import Bridging
    from wampgate.composition.cookies import Cookies
    from wampgate.composition.stores import Store
    from wampgate.composition.tracing import Tracer
    from wampgate.config import model
    from wampgate.config.limits import Limits
    from wampgate.core.buckets import Buckets
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.logins import Logins
    from wampgate.history.redis_history import RedisHistory
    from wampgate.observation.records import Records
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
    dynamic_authenticator: DynamicAuthenticator | None = None
    dynamic_authorizer: DynamicAuthorizer | None = None
    cookies: Cookies | None = None
    logins: Logins | None = None

    @property
    def has_users(self) -> bool:
        """Whether anyone joins with a token."""
        asked = self.dynamic_authenticator is not None and "ticket" in self.dynamic_authenticator.methods
        return "ticket" in self.realm.authenticators and (self.store is not None or self.signed is not None or asked)


def realm_of(
    reactor: Any,
    realm: model.Realm,
    *,
    limits: Limits,
    turn: Turn,
    deadlines: Deadlines,
    buckets: Buckets,
    record: Records,
    run: Run,
    deciding: Collection[str] = (),
    tracer: Tracer | None = None,
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
        deciding: the procedures that are registered in this realm and by which is decided, here or elsewhere.
        tracer: records traces; None where none are recorded.
    """
    store = None
    if realm.store is not None:
        store = store_of(reactor, realm.store, asks_credentials="credentials" in parts_of(realm))
    cookies = _cookies_of(realm, store, deadlines.now)
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
    bridging = _bridging_of(realm)
    bridge_grants = () if bridging is None else bridging.grants()
    rules = Rules([*rules_of(realm.authorization), *bridge_grants, *caller_grants(deciding)])
    authorizer = OrganizationAuthorizer(
        rules,
        memberships,
        root=realm.authorization.organization,
        templates=templates_of(realm.authorization),
        require_organization=realm.authentication.ticket is not None
        and realm.authentication.ticket.require_organization,
    )
    dynamic_authorizer = dynamic_authorizer_of(
        realm, authorizer, rules, memberships, deciding=deciding, now=deadlines.now
    )
    dynamic_authenticator = dynamic_authenticator_of(realm, deadlines.now)
    topics = topics_of(realm)
    answers = None if tracer is None else tracer.answers(turn)
    made = Realm(
        realm.name,
        deliver=answers or turn,
        authorizer=authorizer if dynamic_authorizer is None else dynamic_authorizer,
        admission=authorizer,
        authenticators=authenticators_of(
            realm.authentication, store, signed, deadlines, dynamic=dynamic_authenticator, cookies=cookies
        ),
        record=record,
        deadlines=deadlines,
        limits=session_limits_of(limits),
        buckets=buckets,
        topics=topics,
        history=history_of(realm, topics),
        retention=retention_of(realm),
    )
    if tracer is not None and answers is not None:
        tracer.attach(made, answers, record)
    bridges = [] if bridging is None else bridging.bridges(reactor, made)
    histories = history_stores_of(reactor, realm, made)
    return RealmParts(
        realm,
        made,
        store,
        memberships,
        signed,
        bridges,
        histories,
        dynamic_authenticator,
        dynamic_authorizer,
        cookies,
        None if cookies is None else cookies.logins(made, deadlines.now),
    )


# What a configuration does not use is not loaded: the start is to be quick, and the process small.


def _bridging_of(realm: model.Realm) -> Bridging | None:
    if not realm.bridges:
        return None
    from wampgate.composition.bridging import Bridging  # noqa: PLC0415

    return Bridging(realm)


def _cookies_of(realm: model.Realm, store: Store | None, now: Callable[[], float]) -> Cookies | None:
    if realm.authentication.cookie is None:
        return None
    from wampgate.composition.cookies import cookies_of  # noqa: PLC0415

    return cookies_of(realm, store, now)
