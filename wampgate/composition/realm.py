"""Makes a realm and its parts of its section in router.json, or new parts for a realm that is there."""

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
from wampgate.composition.histories import bounds_of, hides_the_past, history_of, history_stores_of
from wampgate.composition.limits import session_limits_of
from wampgate.composition.stores import parts_of, store_of
from wampgate.composition.topics import retention_of, topics_of
from wampgate.core.realm import Realm
from wampgate.journal import odd_organization_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
    from typing import TypeAlias

    from wampgate.authentication.dynamic import DynamicAuthenticator
    from wampgate.authentication.signed_tokens import SignedTokenReader
    from wampgate.authorization.dynamic import DynamicAuthorizer
    from wampgate.composition.bridges import AnyBridgeMade, Bridged
    from wampgate.composition.bridging import Bridging
    from wampgate.composition.cookies import Cookies
    from wampgate.composition.stores import Store
    from wampgate.composition.tracing import Tracer
    from wampgate.config import model
    from wampgate.config.limits import Limits
    from wampgate.core.buckets import Buckets
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.history import History
    from wampgate.core.interfaces import Admission, Authenticator, Authorizer
    from wampgate.core.logins import Logins
    from wampgate.core.topics import Topics
    from wampgate.history.redis_history import RedisHistory
    from wampgate.observation.records import Records
    from wampgate.transports.turn import Turn

    Run: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(frozen=True, slots=True)
class RealmParts:
    """A realm and what was made for it."""

    configuration: model.Realm
    deciding: Collection[str]
    realm: Realm
    store: Store | None
    memberships: Memberships | None
    signed: SignedTokenReader | None
    authorizer: Authorizer
    admission: Admission
    authenticators: Mapping[str, Authenticator]
    topics: Topics
    history: History | None
    bridged: Sequence[Bridged]
    histories: Sequence[RedisHistory]
    dynamic_authenticator: DynamicAuthenticator | None = None
    dynamic_authorizer: DynamicAuthorizer | None = None
    cookies: Cookies | None = None
    logins: Logins | None = None

    @property
    def bridges(self) -> list[AnyBridgeMade]:
        """What brings events from elsewhere."""
        return [bridged.bridge for bridged in self.bridged]

    @property
    def has_users(self) -> bool:
        """Whether anyone joins with a token."""
        asked = self.dynamic_authenticator is not None and "ticket" in self.dynamic_authenticator.methods
        return "ticket" in self.authenticators and (self.store is not None or self.signed is not None or asked)

    def take_effect(self) -> None:
        """Have the realm, which other parts were made for before, go by these from now on."""
        section, realm = self.configuration, self.realm
        realm.adopt(authorizer=self.authorizer, admission=self.admission, authenticators=self.authenticators)
        realm.treat(self.topics, self.history, retention_of(section))
        if self.history is not None:
            self.history.adopt(bounds_of(section))
        if self.memberships is not None:
            self.memberships.adopt(section.authorization.cache_seconds, _beginnings_of(section))


class Maker:
    """Makes realms' parts, with what all realms share.

    Args:
        reactor: for stores, bridges and key downloads.
        turn: takes deliveries.
        deadlines: tells the time.
        buckets: counts what sessions ask for.
        record: takes the operator's lines.
        run: starts a coroutine.
        tracer: records traces; None where none are recorded.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        turn: Turn,
        deadlines: Deadlines,
        buckets: Buckets,
        record: Records,
        run: Run,
        tracer: Tracer | None = None,
    ) -> None:
        self._reactor = reactor
        self._turn = turn
        self._deadlines = deadlines
        self._buckets = buckets
        self._record = record
        self._run = run
        self._tracer = tracer

    def realm_of(
        self, section: model.Realm, limits: Limits, deciding: Collection[str] = (), before: RealmParts | None = None
    ) -> RealmParts:
        """Make what a realm's section says; nothing of it is started yet, and no realm that is there changes.

        Args:
            section: the realm's.
            limits: of the whole configuration.
            deciding: the procedures that are registered in this realm and by which is decided, here or elsewhere.
            before: by what the realm goes now: what would be the same is taken over; None for a new realm.

        Raises:
            ValueError: something that the section names can't be used.
        """
        now = self._deadlines.now
        store = self._store(section, before)
        keeps = before is not None and before.store is store
        cookies = before.cookies if before is not None and _same_cookies(section, before, store) else None
        cookies = cookies or _cookies_of(section, store, now)
        memberships = before.memberships if before is not None and keeps else None
        memberships = memberships or self._memberships(section, store)
        signed = self._signed(section, before)
        bridging = _bridging_of(section)
        bridge_grants = () if bridging is None else bridging.grants()
        rules = Rules([*rules_of(section.authorization), *bridge_grants, *caller_grants(deciding)])
        admission = _organization_authorizer(section, rules, memberships)
        dynamic_authorizer = dynamic_authorizer_of(section, admission, rules, memberships, deciding=deciding, now=now)
        authorizer = admission if dynamic_authorizer is None else dynamic_authorizer
        same_ways = (
            before is not None
            and keeps
            and (before.signed, before.cookies) == (signed, cookies)
            and before.configuration.authentication == section.authentication
        )
        if before is not None and same_ways:
            dynamic_authenticator, authenticators = before.dynamic_authenticator, before.authenticators
        else:
            dynamic_authenticator = dynamic_authenticator_of(section, now)
            authenticators = authenticators_of(
                section, store, signed, self._deadlines, dynamic=dynamic_authenticator, cookies=cookies
            )
        topics = topics_of(section)
        history = history_of(section, topics if before is None else before.realm.topics, topics)
        if before is not None and history is not None:
            history = before.history or history
        if before is not None:
            realm = before.realm
        else:
            answers = None if self._tracer is None else self._tracer.answers(self._turn)
            realm = Realm(
                section.name,
                deliver=answers or self._turn,
                authorizer=authorizer,
                admission=admission,
                authenticators=authenticators,
                record=self._record,
                deadlines=self._deadlines,
                limits=session_limits_of(limits),
                buckets=self._buckets,
                topics=topics,
                history=history,
                retention=retention_of(section),
            )
            if self._tracer is not None and answers is not None:
                self._tracer.attach(realm, answers, self._record)
        return RealmParts(
            section,
            deciding,
            realm,
            store,
            memberships,
            signed,
            authorizer,
            admission,
            authenticators,
            topics,
            history,
            []
            if bridging is None
            else bridging.bridges(self._reactor, realm, history, () if before is None else before.bridged),
            before.histories if before is not None else history_stores_of(self._reactor, section, realm),
            dynamic_authenticator,
            dynamic_authorizer,
            cookies,
            before.logins if before is not None and before.cookies is cookies else _logins_of(cookies, realm, now),
        )

    def _store(self, section: model.Realm, before: RealmParts | None) -> Store | None:
        if before is not None and _store_key(before.configuration) == _store_key(section):
            return before.store
        if section.store is None:
            return None
        return store_of(self._reactor, section.store, asks_credentials="credentials" in parts_of(section))

    def _memberships(self, section: model.Realm, store: Store | None) -> Memberships | None:
        if store is None:
            return None
        return Memberships(
            store,
            now=self._deadlines.now,
            seconds=section.authorization.cache_seconds,
            run=self._run,
            odd_id=odd_organization_id,
            wall_clock=_beginnings_of(section),
        )

    def _signed(self, section: model.Realm, before: RealmParts | None) -> SignedTokenReader | None:
        if before is not None and _jwt_of(before.configuration) == _jwt_of(section):
            return before.signed
        return signed_tokens_of(self._reactor, section.authentication, self._deadlines)


def _organization_authorizer(
    section: model.Realm, rules: Rules, memberships: Memberships | None
) -> OrganizationAuthorizer:
    ticket = section.authentication.ticket
    return OrganizationAuthorizer(
        rules,
        memberships,
        root=section.authorization.organization,
        templates=templates_of(section.authorization),
        require_organization=ticket is not None and ticket.require_organization,
    )


def _beginnings_of(section: model.Realm) -> Callable[[], float] | None:
    """The clock by which it is noted when memberships are seen first, where that hides anything."""
    return time.time if any(hides_the_past(options) for options in section.topics) else None


def _store_key(section: model.Realm) -> object:
    """What a store is made of: while this is the same, so is the store."""
    cookie = section.authentication.cookie
    kept = None if cookie is None or cookie.keep != "store" else cookie
    return section.store, parts_of(section), kept


def _jwt_of(section: model.Realm) -> object:
    ticket = section.authentication.ticket
    return None if ticket is None else ticket.jwt


def _same_cookies(section: model.Realm, before: RealmParts, store: Store | None) -> bool:
    """Whether the cookies that are kept go on to be kept."""
    authentication, earlier = section.authentication, before.configuration.authentication
    return authentication.cookie is not None and authentication.cookie == earlier.cookie and store is before.store


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


def _logins_of(cookies: Cookies | None, realm: Realm, now: Callable[[], float]) -> Logins | None:
    return None if cookies is None else cookies.logins(realm, now)
