"""The configuration, as types: what router.json may say, what it means, and what holds where it says nothing.

    Configuration
    ├── listen       Listen…
    ├── limits       Limits
    ├── compression  Compression | null
    ├── drain        Drain
    ├── admin        Admin | null
    ├── tracing      Tracing | null
    ├── log          Log: Levels
    ├── audit        Audit | null
    └── realms       Realm…
        ├── store            PostgresStore | SqliteStore | null
        ├── authentication   Authentication: TicketAuthentication, AnonymousAuthentication, Principal…
        ├── authorization    Authorization: Rule…
        └── bridges          RedisBridge…: their rules stand in ``dialects.py``

What the single values may be stands in ``values.py``.
"""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from wampgate.config.admin import Admin
from wampgate.config.audit import Audit
from wampgate.config.authorization import Authorization, Rule, Topic
from wampgate.config.compression import Compression
from wampgate.config.cookies import open_origin
from wampgate.config.credentials import nothing_to_bind_to
from wampgate.config.drain import Drain
from wampgate.config.dynamic import unanswered
from wampgate.config.formats import endpoint_kind
from wampgate.config.limits import Limits
from wampgate.config.listen import Listen
from wampgate.config.log import Log
from wampgate.config.realm import AnonymousAuthentication, Authentication, Realm
from wampgate.config.section import Check, Section, Unique
from wampgate.config.tracing import Tracing
from wampgate.config.values import Farewell, Host, Origin, Proxy, Seconds

__all__ = [
    "Admin",
    "AnonymousAuthentication",
    "Authentication",
    "Authorization",
    "Configuration",
    "Listen",
    "Realm",
    "Rule",
    "Topic",
]

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


def _taken(listen: tuple[Listen, ...], admin: Admin | None) -> str | None:
    """Which listener has the operators' endpoint already; None if none has, or any free port will do."""
    if admin is None or admin.endpoint.startswith(("tcp:0:", "ssl:0:")):
        return None
    endpoints = [listener.endpoint for listener in listen]
    return f"that of listen[{endpoints.index(admin.endpoint)}]" if admin.endpoint in endpoints else None


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
        drain: how the router ends. ``docs/operating.md``.
        admin: null, or the listener for operators: metrics, readiness, the status page. ``docs/metrics.md``.
        log: what is logged, and how. ``docs/logs.md``.
        audit: null, or where it is kept who came in, who was refused what, and what operators did. ``docs/audit.md``.
        tracing: null, or where traces of what is published and called go. ``docs/tracing.md``.
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
            "admin",
            ("listen", "admin"),
            "an endpoint of its own, beside those of listen",
            _taken,
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
    drain: Drain = Drain()
    admin: Admin | None = None
    log: Log = Log()
    audit: Audit | None = None
    tracing: Tracing | None = None
    realms: Annotated[
        tuple[Realm, ...],
        Meta(min_length=1, description="a list of at least one realm", extra={"unique": Unique(("name",))}),
    ]
