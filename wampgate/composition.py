"""Makes a realm and its parts of the section in router.json: here the concrete classes are named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from wampgate.authentication.anonymous import AnonymousAuthenticator
from wampgate.authentication.ticket import StaticPrincipal, TicketAuthenticator
from wampgate.authorization.memberships import Memberships
from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rule, Rules
from wampgate.authorization.templates import TopicTemplate
from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.bridge.redis_bridge import RedisBridge
from wampgate.config import model
from wampgate.core.buckets import Buckets, Rates
from wampgate.core.interfaces import Principal
from wampgate.core.limits import SessionLimits
from wampgate.core.local import LocalPublisher
from wampgate.core.realm import Realm
from wampgate.journal import odd_organization_id
from wampgate.stores import presets

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence

    from wampgate.authentication.signed_tokens import SignedTokenReader
    from wampgate.config.limits import Limits
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.interfaces import Authenticator, Record
    from wampgate.stores.postgres import PostgresTokenStore
    from wampgate.stores.sqlite import SqliteTokenStore
    from wampgate.transports.turn import Turn

    Run: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]

Store: TypeAlias = "PostgresTokenStore | SqliteTokenStore"


@dataclass(frozen=True, slots=True)
class RealmParts:
    """A realm and what was made for it."""

    configuration: model.Realm
    realm: Realm
    store: Store | None
    memberships: Memberships | None
    signed: SignedTokenReader | None
    bridges: Sequence[RedisBridge]

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
    store = None if realm.store is None else _store(reactor, realm.store)
    memberships = None
    if store is not None:
        seconds = realm.authorization.cache_seconds
        memberships = Memberships(store, now=deadlines.now, seconds=seconds, run=run, odd_id=odd_organization_id)
    signed = _signed_tokens(reactor, realm.authentication, deadlines)
    rules_by_bridge = {bridge: [_bridge_rule(rule) for rule in bridge.rules] for bridge in realm.bridges}
    authorizer = OrganizationAuthorizer(
        Rules([*_rules(realm.authorization), *_bridge_grants(rules_by_bridge)]),
        memberships,
        root=realm.authorization.organization,
        templates=_templates(realm.authorization),
        require_organization=realm.authentication.ticket is not None
        and realm.authentication.ticket.require_organization,
    )
    made = Realm(
        realm.name,
        deliver=turn,
        authorizer=authorizer,
        admission=authorizer,
        authenticators=_authenticators(realm.authentication, store, signed, deadlines),
        record=record,
        limits=_session_limits(limits),
        buckets=buckets,
    )
    bridges = [_bridge(reactor, bridge, rules, made) for bridge, rules in rules_by_bridge.items()]
    return RealmParts(realm, made, store, memberships, signed, bridges)


def _store(reactor: Any, store: model.PostgresStore | model.SqliteStore) -> Store:
    # Each driver is loaded only where it is used: together they are a third of the start.
    if isinstance(store, model.PostgresStore):
        from wampgate.stores.postgres import PostgresTokenStore  # noqa: PLC0415

        token_query, token_hash = presets.resolve(store.preset, store.token_query, store.token_hash)
        return PostgresTokenStore(
            reactor,
            dsn=store.dsn.reveal(),
            listen_dsn=None if store.listen_dsn is None else store.listen_dsn.reveal(),
            pool_size=store.pool_size,
            timeout=store.timeout_seconds,
            token_query=token_query,
            membership_query=store.membership_query,
            token_hash=token_hash,
            timezone=store.timezone,
            allow_null_expires=store.allow_null_expires,
        )
    from wampgate.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    return SqliteTokenStore(
        reactor,
        path=store.path,
        timeout=store.timeout_seconds,
        timezone=store.timezone,
        token_query=store.token_query,
        membership_query=store.membership_query,
        token_hash=store.token_hash,
        allow_null_expires=store.allow_null_expires,
    )


def _signed_tokens(
    reactor: Any, authentication: model.Authentication, deadlines: Deadlines
) -> SignedTokenReader | None:
    jwt = None if authentication.ticket is None else authentication.ticket.jwt
    if jwt is None:
        return None
    # PyJWT is installed where signed tokens are taken, and not elsewhere.
    from wampgate.authentication.jwt import Expected  # noqa: PLC0415
    from wampgate.authentication.signed_tokens import make_reader  # noqa: PLC0415

    return make_reader(
        reactor,
        keys_file=jwt.keys_file,
        keys_url=jwt.keys_url,
        secret=None if jwt.secret is None else jwt.secret.reveal(),
        ca_file=jwt.ca_file,
        expected=Expected(
            jwt.audience,
            jwt.issuer,
            user_claim=jwt.user_claim,
            organizations_claim=jwt.organizations_claim,
            leeway=jwt.leeway_seconds,
        ),
        denied_file=jwt.denied_file,
        now=deadlines.now,
    )


def takes_query_string(realm: model.Realm) -> bool:
    """Whether a realm takes tokens from the URL."""
    return realm.authentication.ticket is not None and realm.authentication.ticket.query_string


def _authenticators(
    authentication: model.Authentication,
    store: Store | None,
    signed: SignedTokenReader | None,
    deadlines: Deadlines,
) -> dict[str, Authenticator]:
    authenticators: dict[str, Authenticator] = {}
    ticket = authentication.ticket
    if ticket is not None and (store is not None or signed is not None or authentication.principals):
        principals = [
            StaticPrincipal(principal.authid, principal.role, principal.digest)
            for principal in authentication.principals
        ]
        authenticators["ticket"] = TicketAuthenticator(
            principals=principals,
            store=store,
            role=ticket.role,
            now=deadlines.now,
            signed=None if signed is None else signed.tokens,
            jti_in_store=ticket.jwt is not None and ticket.jwt.jti_in_store,
            query_string=ticket.query_string,
        )
    if authentication.anonymous is not None:
        authenticators["anonymous"] = AnonymousAuthenticator(authentication.anonymous.role)
    return authenticators


def _templates(authorization: model.Authorization) -> list[TopicTemplate]:
    return [
        TopicTemplate.parse(topic.topic, below=topic.below, role=topic.role, actions=topic.actions)
        for topic in authorization.topics
    ]


def _rules(authorization: model.Authorization) -> list[Rule]:
    return [
        Rule(
            rule.role,
            frozenset(rule.actions),
            rule.uri,
            rule.match,
            allow=rule.allow,
            disclose=rule.disclose,
            name=f"authorization.rules[{number}]",
        )
        for number, rule in enumerate(authorization.rules)
    ]


def _bridge_rule(rule: model.PlainRule | model.SocketIoEmitterRule) -> PlainRule | SocketIoEmitterRule:
    if isinstance(rule, model.PlainRule):
        return PlainRule(channel=rule.channel, topic=rule.topic, format=rule.format)
    return SocketIoEmitterRule(key=rule.key, namespace=rule.namespace, room=rule.room, topic=rule.topic)


def _bridge(
    reactor: Any, bridge: model.RedisBridge, rules: Sequence[PlainRule | SocketIoEmitterRule], realm: Realm
) -> RedisBridge:
    return RedisBridge(
        reactor,
        bridge.name,
        bridge.url.reveal(),
        rules,
        LocalPublisher(realm, _bridge_principal(bridge)),
        ca_file=None if bridge.ca_file is None else str(bridge.ca_file),
        ping_seconds=bridge.ping_seconds,
    )


def _bridge_principal(bridge: model.RedisBridge) -> Principal:
    # No client can have this role: router.json takes none below wampgate.
    role = f"wampgate.bridge.{bridge.name}"
    return Principal(role, role, "bridge", "router")


def _bridge_grants(
    rules_by_bridge: Mapping[model.RedisBridge, Iterable[PlainRule | SocketIoEmitterRule]],
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


def _session_limits(limits: Limits) -> SessionLimits:
    return SessionLimits(
        inbox=limits.inbox_messages,
        subscriptions=limits.subscriptions_per_session,
        registrations=limits.registrations_per_session,
        calls=limits.calls_per_session,
        excess=limits.excess_messages_per_session,
        sessions_per_authid=limits.sessions_per_authid,
    )


def buckets_of(limits: Limits, now: Callable[[], float]) -> Buckets:
    """What counts the sessions' messages, by the configured rates."""
    return Buckets(
        session=Rates(
            limits.subscribes_per_second_per_session,
            limits.publishes_per_second_per_session,
            limits.calls_per_second_per_session,
        ),
        authid=Rates(
            limits.subscribes_per_second_per_authid,
            limits.publishes_per_second_per_authid,
            limits.calls_per_second_per_authid,
        ),
        address=Rates(
            limits.subscribes_per_second_per_address,
            limits.publishes_per_second_per_address,
            limits.calls_per_second_per_address,
        ),
        burst_seconds=limits.burst_seconds,
        now=now,
    )
