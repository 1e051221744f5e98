"""A realm of router.json: who may join it, by what store, and what is done in it."""

from typing import ClassVar

from wampgate.config.authorization import Authorization
from wampgate.config.bridges import Bridges
from wampgate.config.cookies import CookieAuthentication, without_store, without_tickets
from wampgate.config.credentials import (
    CHECKS_OF_PRINCIPALS,
    CryptosignAuthentication,
    Principals,
    ScramAuthentication,
    TlsAuthentication,
    WampcraAuthentication,
)
from wampgate.config.dynamic import DynamicAuthentication, anonymous_twice, judges_of_themselves, methods_that_are_off
from wampgate.config.histories import Histories
from wampgate.config.meta import MetaApi
from wampgate.config.section import Check, Section
from wampgate.config.sources import histories_with_holes, topics_of_two_sources
from wampgate.config.stores import PRESETS_OF_JTI, PostgresStore, SqliteStore
from wampgate.config.tickets import JwtAuthentication, TicketAuthentication
from wampgate.config.topics import Options, Retention, unknown_history_store
from wampgate.config.values import RealmName, Role


class AnonymousAuthentication(Section, frozen=True, kw_only=True):
    """Sessions of unknown people.

    Attributes:
        role: the role they get.
    """

    role: Role = "anonymous"


class Authentication(Section, frozen=True, kw_only=True):
    """Who may join a realm.

    Attributes:
        ticket: users of the store and principals; null to switch it off.
        wampcra: null, or the section that lets them sign a challenge with a secret.
        scram: null, or the section that lets them prove that they know a password.
        cryptosign: null, or the section that lets them sign a challenge with a key.
        tls: null, or the section that takes their TLS client certificates.
        cookie: null, or the section that lets pages log in by ``POST /session``.
        anonymous: null, or the section that lets everyone in.
        principals: who is known without a store.
        dynamic: null, or the section that asks a procedure of yours who someone is.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        *CHECKS_OF_PRINCIPALS,
        Check(
            "dynamic",
            ("dynamic", "ticket", "wampcra", "scram", "cryptosign", "tls"),
            "methods that are on, each by a section of its own beside it",
            lambda dynamic, ticket, wampcra, scram, cryptosign, tls: methods_that_are_off(
                dynamic, ticket=ticket, wampcra=wampcra, scram=scram, cryptosign=cryptosign, tls=tls
            ),
        ),
        Check(
            "anonymous",
            ("dynamic", "anonymous"),
            "null, since authentication.dynamic decides who joins without a name",
            anonymous_twice,
        ),
        Check("cookie", ("cookie", "ticket"), "a ticket section beside it, or null", without_tickets),
    )

    ticket: TicketAuthentication | None = TicketAuthentication()
    wampcra: WampcraAuthentication | None = None
    scram: ScramAuthentication | None = None
    cryptosign: CryptosignAuthentication | None = None
    tls: TlsAuthentication | None = None
    cookie: CookieAuthentication | None = None
    anonymous: AnonymousAuthentication | None = None
    principals: Principals = ()
    dynamic: DynamicAuthentication | None = None


def _by_ticket(store: object, authentication: Authentication) -> bool:
    """Whether anyone can join by ticket."""
    ticket = authentication.ticket
    shown = any(principal.digest for principal in authentication.principals) or _asks(authentication, "ticket")
    return ticket is not None and (store is not None or shown or ticket.jwt is not None)


def _asks(authentication: Authentication, method: str) -> bool:
    """Whether a procedure is asked who someone is that joins by a method."""
    return authentication.dynamic is not None and method in authentication.dynamic.methods


def _anonymously(authentication: Authentication) -> bool:
    """Whether anyone can join without a name."""
    return authentication.anonymous is not None or _asks(authentication, "anonymous")


def _by_credentials(authentication: Authentication) -> tuple[str, ...]:
    """The methods that are on by which one proves to be known, without a ticket."""
    return tuple(
        name for name in ("tls", "cryptosign", "scram", "wampcra") if getattr(authentication, name) is not None
    )


def _no_way_in(store: object, authentication: Authentication) -> str | None:
    open_ = _by_ticket(store, authentication) or _anonymously(authentication) or _by_credentials(authentication)
    return None if open_ else "no way to join"


def _jwt(authentication: Authentication) -> JwtAuthentication | None:
    return None if authentication.ticket is None else authentication.ticket.jwt


def _names_as_tokens(store: PostgresStore | SqliteStore | None, authentication: Authentication) -> str | None:
    """A preset by which the names of signed tokens would be taken for tokens; None if there is none."""
    preset = store.preset if isinstance(store, PostgresStore) else None
    jwt = _jwt(authentication)
    if preset not in PRESETS_OF_JTI or (jwt is not None and jwt.jti_in_store):
        return None
    return f"the preset {preset} without them"


def _nowhere(store: object, authentication: Authentication) -> str | None:
    jwt = _jwt(authentication)
    return "no store" if store is None and jwt is not None and jwt.jti_in_store else None


class Realm(Section, frozen=True, kw_only=True):
    """A world of its own: nothing (token, session, decision) crosses from one realm into another.

    Attributes:
        name: what clients say in HELLO.
        store: where users' tokens and memberships are; null for none.
        authentication: who may join.
        authorization: what they may do then.
        topics: how topics are treated: what slow readers meet, what is kept.
        retained: how much may be retained for those who subscribe later; null for nothing.
        history: how much may be kept in all, and where.
        meta_api: what the meta API shows to whom.
        bridges: where events come from beside WAMP.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "authentication",
            ("store", "authentication"),
            "a ticket section with a store, principals or jwt, or one of wampcra, scram, cryptosign, tls and anonymous",
            _no_way_in,
        ),
        Check("store", ("store", "authentication"), "a store for authentication.ticket.jwt.jti_in_store", _nowhere),
        Check(
            "authorization",
            ("authorization",),
            "in dynamic only roles that may not register what decides: about those, rules alone decide",
            judges_of_themselves,
        ),
        Check(
            "store",
            ("store", "authentication"),
            "a preset whose tables hold tokens, or authentication.ticket.jwt with jti_in_store",
            _names_as_tokens,
        ),
        Check(
            "store",
            ("store", "authentication"),
            'a store for authentication.cookie.keep "store"',
            lambda store, authentication: without_store(store, authentication.cookie),
        ),
        Check(
            "bridges",
            ("bridges",),
            "no two sources for one topic, where one is a stream: their order would be unknown",
            topics_of_two_sources,
        ),
        Check(
            "topics",
            ("topics", "bridges"),
            'no history where a bridge has subscribe "wanted", which reads nothing while nobody subscribes: '
            'set "all" there, or give the topics a section of their own with history null',
            histories_with_holes,
        ),
        Check(
            "topics",
            ("topics", "history"),
            "the name of one of history.stores, or memory, in each history.store",
            unknown_history_store,
        ),
    )

    name: RealmName
    store: PostgresStore | SqliteStore | None = None
    authentication: Authentication = Authentication()
    authorization: Authorization = Authorization()
    topics: Options = ()
    retained: Retention | None = Retention()
    history: Histories = Histories()
    meta_api: MetaApi = MetaApi()
    bridges: Bridges = ()

    @property
    def authmethods(self) -> tuple[str, ...]:
        """The methods by which one can join, the one that tells most about a peer first."""
        ticket, anonymous = _by_ticket(self.store, self.authentication), _anonymously(self.authentication)
        cookie = ticket and self.authentication.cookie is not None
        known = ("ticket",) * ticket + ("cookie",) * cookie
        return (*known, *_by_credentials(self.authentication), *("anonymous",) * anonymous)
