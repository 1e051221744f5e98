"""The configuration, as types: what router.json may say, what it means, and what holds where it says nothing.

    Configuration
    ├── listen       Listen…
    ├── limits       Limits
    ├── compression  Compression | null
    └── realms       Realm…
        ├── store            PostgresStore | SqliteStore | null
        ├── authentication   Authentication: TicketAuthentication, AnonymousAuthentication, Principal…
        ├── authorization    Authorization: Rule…
        └── bridges          RedisBridge…: their rules stand in ``dialects.py``

What the single values may be stands in ``values.py``.
"""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from wampgate.config.bridges import Bridges
from wampgate.config.compression import Compression
from wampgate.config.cookies import CookieAuthentication, open_origin, without_store, without_tickets
from wampgate.config.credentials import (
    CHECKS_OF_PRINCIPALS,
    ClientCertificates,
    CryptosignAuthentication,
    Principals,
    ScramAuthentication,
    TlsAuthentication,
    WampcraAuthentication,
    nothing_to_bind_to,
)
from wampgate.config.dynamic import (
    DynamicAuthentication,
    DynamicAuthorizations,
    anonymous_twice,
    decided_twice,
    judges_of_themselves,
    methods_that_are_off,
    unanswered,
)
from wampgate.config.formats import endpoint_kind
from wampgate.config.histories import Histories
from wampgate.config.limits import Limits
from wampgate.config.meta import MetaApi
from wampgate.config.section import Check, Section, Unique
from wampgate.config.sources import histories_with_holes, topics_of_two_sources
from wampgate.config.stores import PRESETS_OF_JTI, PostgresStore, SqliteStore
from wampgate.config.templates import variables
from wampgate.config.tickets import JwtAuthentication, TicketAuthentication
from wampgate.config.topics import Options, Retention, unknown_history_store
from wampgate.config.values import (
    CacheSeconds,
    Endpoint,
    Farewell,
    Host,
    OrganizationRoot,
    Origin,
    Proxy,
    RealmName,
    Role,
    Seconds,
    TopicTemplate,
)
from wampgate.core.decisions import Action, Disclosure
from wampgate.core.uri import is_pattern, is_reserved
from wampgate.wire.messages import Match


class Listen(Section, frozen=True, kw_only=True):
    """Where connections are taken.

    Attributes:
        endpoint: a Twisted server endpoint: ``tcp:``, ``ssl:``, ``unix:``,
            ``systemd:`` and what else is installed. Paths in it are relative to
            the working directory.
        proxy_protocol: whether a trusted proxy stands before it that begins each
            connection with a PROXY protocol header (version 1 or 2).
        client_certificates: null, or whose certificates clients of an ``ssl:`` endpoint may show.
        serves: any of ``wamp`` (WebSockets at ``/ws``, and RawSocket), ``page`` and ``backend`` (HTTP for
            backends: ``docs/http.md``); ``/health/live`` is answered everywhere.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "proxy_protocol",
            ("endpoint", "proxy_protocol"),
            "false with an ssl: endpoint, where the PROXY protocol header would come before TLS",
            lambda endpoint, proxied: "true" if proxied and endpoint_kind(endpoint) == "ssl" else None,
        ),
        Check(
            "endpoint",
            ("endpoint",),
            "an endpoint without haproxy:, which believes everyone; set proxy_protocol beside the endpoint itself",
            lambda endpoint: "haproxy:" if endpoint_kind(endpoint) == "haproxy" else None,
        ),
        Check(
            "serves",
            ("serves",),
            "each thing once",
            lambda serves: None if len(set(serves)) == len(serves) else "one twice",
        ),
        Check(
            "client_certificates",
            ("endpoint", "client_certificates"),
            "null, or an ssl: endpoint beside it",
            lambda endpoint, section: (
                f"an endpoint of kind {endpoint_kind(endpoint)}"
                if section and endpoint_kind(endpoint) != "ssl"
                else None
            ),
        ),
    )

    endpoint: Endpoint
    proxy_protocol: bool = False
    client_certificates: ClientCertificates | None = None
    serves: Annotated[
        tuple[Literal["wamp", "page", "backend"], ...],
        Meta(min_length=1, description='a list of at least one of "wamp", "page" and "backend"'),
    ] = ("wamp", "page")


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


def _grants_reserved(actions: tuple[Action, ...], uri: str, match: Match, allow: bool) -> str | None:
    """How the rule would let someone publish or register where only the router may; None if it does not."""
    if not allow or not {"publish", "register"} & set(actions):
        return None
    reached = is_pattern(uri, match) and is_reserved(uri, match)
    return f"what reaches there by match {match}" if reached else None


class Rule(Section, frozen=True, kw_only=True):
    """What a role may do. Of all rules that match, the most specific decides; without one the answer is no.

    Attributes:
        role: whom it concerns.
        actions: any of ``subscribe``, ``publish``, ``call``, ``register``.
        uri: the topic or procedure, or a pattern of them.
        match: how ``uri`` is to be read.
        allow: false forbids what a less specific rule allows.
        disclose: whether receivers learn who publishes or calls.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "uri",
            ("uri", "match"),
            "a URI (or pattern) that fits match",
            lambda uri, match: None if is_pattern(uri, match) else f"what is none for {match}",
        ),
        Check(
            "uri",
            ("actions", "uri", "match", "allow"),
            'nothing of "wamp" and "wampgate" where actions has publish or register and allow is true',
            _grants_reserved,
        ),
        Check(
            "actions",
            ("actions",),
            "each action once",
            lambda actions: None if len(set(actions)) == len(actions) else "one twice",
        ),
    )

    role: Role
    actions: Annotated[tuple[Action, ...], Meta(min_length=1, description="a list of at least one action")]
    uri: str
    match: Match = "exact"
    allow: bool = True
    disclose: Disclosure = "on_request"


Rules = Annotated[
    tuple[Rule, ...],
    Meta(description="a list of rules", extra={"unique": Unique(("uri", "role", "match"), each="actions")}),
]


def _strange_variables(topic: str) -> str | None:
    """A template's variables other than the two that are known here; None if there are no others."""
    others = [name for name in variables(topic) or () if name not in ("user", "organization")]
    return ", ".join(f"{{{name}}}" for name in others) or None


class Topic(Section, frozen=True, kw_only=True):
    """Topics that belong to a user or to an organization; the most specific one that covers a request decides.

    Attributes:
        topic: the template: ``{user}`` is the session's own user id,
            ``{organization}`` any organization that the user belongs to.
        below: whether all topics below it are meant too.
        role: the membership role that it takes; null for any member.
        actions: what the user may do there.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check("topic", ("topic",), "no variables but {user} and {organization}", _strange_variables),
    )

    topic: TopicTemplate
    below: bool = True
    role: str | None = None
    actions: Annotated[tuple[Action, ...], Meta(min_length=1, description="a list of at least one action")] = (
        "subscribe",
    )


Topics = Annotated[tuple[Topic, ...], Meta(description="a list of topics", extra={"unique": Unique(("topic", "role"))})]


class Authorization(Section, frozen=True, kw_only=True):
    """What sessions of a realm may do.

    Attributes:
        organization: the first components of organizations' topics. A member of 7
            may subscribe to ``organization.7`` and to what is below it; null
            switches that off.
        topics: more topics that belong to users and organizations. One that needs a
            role also restricts every pattern that reaches into it.
        cache_seconds: how long a decision that asked the store is kept.
        sweep_seconds: how often the store is asked for all who are here, whatever
            it has told; what a lost notification costs at most.
        rules: everything else.
        dynamic: procedures of yours that decide for some roles where nothing else does.
    """

    checks: ClassVar[tuple[Check, ...]] = (Check("dynamic", ("dynamic",), "each role once", decided_twice),)

    organization: OrganizationRoot | None = "organization"
    topics: Topics = ()
    cache_seconds: CacheSeconds = 5.0
    sweep_seconds: Seconds = 60.0
    rules: Rules = ()
    dynamic: DynamicAuthorizations = ()


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


DEFAULT_ENDPOINT: Final = "tcp:8080:interface=127.0.0.1"
"""Loopback only: what is to be seen from elsewhere has to be said."""


def _untrusting(listen: tuple[Listen, ...], proxies: tuple[str, ...]) -> str | None:
    """Which listener could take no connection at all; None if there is none."""
    for index, listener in enumerate(listen):
        kind = endpoint_kind(listener.endpoint)
        fitting = [proxy for proxy in proxies if kind not in ("tcp", "unix") or (kind == "unix") == (proxy == "unix")]
        if listener.proxy_protocol and not fitting:
            return f"none that could speak it to listen[{index}]"
    return None


def _no_certificates(listen: tuple[Listen, ...], realms: tuple[Realm, ...]) -> str | None:
    """Which realm takes certificates that no listener asks for; None if there is none."""
    if any(listener.client_certificates is not None for listener in listen):
        return None
    index = next((index for index, realm in enumerate(realms) if realm.authentication.tls is not None), None)
    return None if index is None else f"none for realms[{index}]"


class Configuration(Section, frozen=True, kw_only=True):
    """router.json as a whole.

    Attributes:
        listen: where connections are taken.
        hosts: names, beside those of loopback, under which browsers may reach the
            router; without a port any port will do.
        origins: origins, beside the router's own, whose pages may connect.
        trusted_proxies: who is believed about those behind it (X-Forwarded-For, X-Forwarded-Proto, PROXY
            protocol): addresses, networks, and ``unix`` for whoever comes through a Unix socket.
        goodbye: which ends are told by GOODBYE or ABORT, after which stock clients stay away: ``auto`` for
            those that no retry can cure; the others are close codes. ``docs/close-reasons.md``.
        subscription_revocation: who is sent the specification's UNSUBSCRIBED when a subscription is taken away:
            ``auto`` for clients that announce the feature and survive it, ``always`` for all that announce it,
            ``never`` for none. ``docs/revocation.md``.
        expiry_warning_seconds: so long before a token ends its session is told on ``wampgate.auth.expiring``.
        limits: what protects the router and its clients from one another.
        compression: null, or the section by which messages on WebSockets are compressed.
        realms: at least one.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "trusted_proxies",
            ("listen", "trusted_proxies"),
            "the addresses of the proxies that speak the PROXY protocol to a listener with proxy_protocol",
            _untrusting,
        ),
        Check(
            "listen",
            ("listen", "realms"),
            "client_certificates in a listener, where a realm has authentication.tls",
            _no_certificates,
        ),
        Check(
            "listen",
            ("listen", "realms"),
            "a listener with TLS, where a realm demands a channel binding",
            nothing_to_bind_to,
        ),
        Check(
            "origins",
            ("origins", "realms"),
            "https:// origins, or loopback, where a realm has cookies: a page by http:// could be anybody's",
            open_origin,
        ),
        Check(
            "realms",
            ("realms",),
            "for each procedure of a section dynamic a rule in its realm by which a role may register it",
            unanswered,
        ),
    )

    listen: Annotated[
        tuple[Listen, ...],
        Meta(
            min_length=1,
            description="a list of at least one section with an endpoint",
            extra={"unique": Unique(("endpoint",))},
        ),
    ] = (Listen(endpoint=DEFAULT_ENDPOINT),)
    hosts: Annotated[tuple[Host, ...], Meta(description="a list of host names")] = ()
    origins: Annotated[tuple[Origin, ...], Meta(description="a list of origins")] = ()
    trusted_proxies: Annotated[tuple[Proxy, ...], Meta(description="a list of addresses and networks")] = ()
    goodbye: Farewell = "auto"
    subscription_revocation: Literal["auto", "always", "never"] = "auto"
    expiry_warning_seconds: Seconds = 60.0
    limits: Limits = Limits()
    compression: Compression | None = None
    realms: Annotated[
        tuple[Realm, ...],
        Meta(min_length=1, description="a list of at least one realm", extra={"unique": Unique(("name",))}),
    ]
